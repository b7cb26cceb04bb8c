package node

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inMemory says which of some byte strings are in the memory of a process that can be written to: heap, stacks, data.
func inMemory(t *testing.T, pid int, all map[string]string) (found map[string]bool) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Skipf("the memory of a process cannot be read here: %v", err)
	}
	defer mem.Close()
	found = map[string]bool{}
	read := 0
	const step, longest = 4 << 20, 4 << 10
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		var from, to int64
		var may string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &may); err != nil || !strings.HasPrefix(may, "rw") {
			continue
		}
		buf := make([]byte, min(to-from, step+longest))
		for at := from; at < to; at += step {
			n, _ := mem.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
			read += n
			for s, what := range all {
				if !found[what] && bytes.Contains(buf[:n], []byte(s)) {
					found[what] = true
				}
			}
		}
	}
	if read < 1<<20 {
		t.Skipf("only %d bytes of memory could be read", read)
	}
	return found
}

// alone starts a node in a process of its own that joins a share of a machine.
func (m *machine) alone(label, name, role string) *process {
	m.t.Helper()
	token, err := m.n.Token(m.t.Context(), name, role)
	if err != nil {
		m.t.Fatal(err)
	}
	p := newProcess(m.t, m.t.TempDir(), label, "127.0.0.1")
	p.config.Token, p.config.Hosts = token, []string{m.addr()}
	if err := p.start(); err != nil {
		m.t.Fatal(err)
	}
	return p
}

// holdsNone checks memory and disk of a process for what it must not have; control is something that it has.
func (p *process) holdsNone(t *testing.T, secrets map[string]string, control string) {
	t.Helper()
	secrets[control] = "what it may have"
	found := inMemory(t, p.cmd.Process.Pid, secrets)
	if !found[secrets[control]] {
		t.Errorf("the search of %s finds nothing", p.config.Label)
	}
	delete(found, secrets[control])
	for what := range found {
		t.Errorf("%s has %s in its memory", p.config.Label, what)
	}
	delete(secrets, control)
	p.stop()
	for _, dir := range []string{p.config.Home, p.config.Dir} {
		for name, content := range tree(t, dir) {
			for s, what := range secrets {
				if strings.Contains(name+content, s) {
					t.Errorf("%s has %s in %s", p.config.Label, what, name)
				}
			}
		}
	}
}

// A store's memory and disk have no name, no content, no key (docs/shares.md §10, I8).
func TestStoreKnowsNothing(t *testing.T) {
	t.Parallel()
	a := newMachine(t, "a")
	write(t, a.dir, "canary-dir-1180/canary-name-7316.txt", []byte("canary-content-8841"))
	write(t, a.dir, "large.bin", []byte(strings.Repeat("canary-large-5520 ", 60_000)))
	a.create()
	e := byName(t, a, "s")
	a.settled("s")
	s := a.alone("store", "s", "store")
	waitFor(t, "all of it at the store", func() bool {
		r, err := s.ask("status", "")
		return err == nil && r.Status.Settled && r.Status.Frontier == fmt.Sprintf("%d %x", 1, frontierHash(e.kept().frontier())) && len(tree(t, filepath.Join(s.config.Dir, "data"))) > 0
	})
	v, _ := e.look()
	secrets := map[string]string{"canary-": "a canary", string(e.keys.Read[:]): "the read secret", string(e.keys.Conv[:]): "the convergence secret",
		string(v.Root.Files.Key[:]): "the key of the top"}
	for p, err := range e.reader().Walk(v.Root.Files, "") {
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range append(capsOf(p.Entries), p.Below) {
			if !c.IsZero() {
				secrets[string(c.Key[:])] = "the key at " + p.Path
			}
		}
	}
	s.holdsNone(t, secrets, string(e.kept().frontier()[0][1:]))
}

// What a link's recipient has in its memory, too, is what was linked, and nothing beside or above it (docs/shares.md §8, I14).
func TestLinkMemory(t *testing.T) {
	t.Parallel()
	owner := newMachine(t, "owner")
	owner.made("photos", map[string]string{"2019/christmas/tree.jpg": "the tree of 7716", "2019/canary-name-5512.txt": "canary-content-9917",
		"canary-dir-3304/x": strings.Repeat("canary-large-4417 ", 40_000)})
	owner.made("family", map[string]string{"note": "hello"})
	owner.link("photos:2019/christmas", "family:incoming/christmas", false)
	last := owner.alone("last", "family", "read")
	holds(t, last.config.Dir, map[string]string{"note": "hello", "incoming/christmas/tree.jpg": "the tree of 7716"})
	source := byName(t, owner, "photos")
	v, _ := source.look()
	place, err := source.reader().Find(v.Root.Files, "2019/christmas")
	if err != nil {
		t.Fatal(err)
	}
	last.holdsNone(t, besideLinked(t, source), string(place.Below.ID[1:]))
}
