package node

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"shoal/share/disk/memfs"
)

// clone copies a machine as it is at this moment, running or not: disk, database and, when fooled, also what proves
// continuity.
func (w *simWorld) clone(m *simMachine, fooled bool) *simMachine {
	w.t.Helper()
	c := w.machine(m.role)
	if err := os.MkdirAll(filepath.Dir(c.home), 0o700); err != nil {
		w.t.Fatal(err)
	}
	m.copyHome(c.home)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(c.home, "node.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE share SET dir = ?", c.dir); err != nil {
		w.t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		w.t.Fatal(err)
	}
	c.fs = m.fs.Clone(memfs.Options{Now: c.clock.wall})
	c.clock.skew.Store(m.clock.skew.Load())
	if fooled {
		c.proof = m.proof.clone()
	}
	c.before, c.users = maps.Clone(m.before), maps.Clone(m.users)
	w.say("%s is a clone of %s, fooled: %v", c.name, m.name, fooled)
	return c
}

var _ = fmt.Sprint
