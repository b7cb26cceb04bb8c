package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"shoal/bt/bttest"
)

var crashes = []crash{
	{name: "receives", workers: 2, every: 40, set: setReceiver},
	{name: "receives and is edited", workers: 2, every: 60, set: setEdited},
	{name: "commits", workers: 4, every: 40, set: setAuthor},
	{name: "stores", workers: 2, every: 50, set: setStore},
}

// TestCrash kills a node at its steps: while it gets what another changed, while it commits what its user changed, while it
// stores. Then it runs again, and all is as if nothing had happened. make crash kills at every step.
func TestCrash(t *testing.T) {
	t.Parallel()
	bttest.CanStep(t)
	for _, c := range crashes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

// A change is what a user does to a file, a name, a link.
type change struct {
	path   string
	before string // what it was; "-> x" is a link to x; "" is nothing
	after  string // what it becomes; "" is nothing, "/" a directory
}

var changes = []change{
	{"kept", "kept", "kept"},
	{"new", "", "new file"},
	{"new2", "", "another new file"},
	{"empty", "", "0"},
	{"replaced", "old", "new content"},
	{"deep/er/replaced", "old, deep", "new, deep"},
	{"deep/added", "", "added, deep"},
	{"gone", "gone before", ""},
	{"deep/gone", "gone before, deep", ""},
	{"from", "renamed", ""},
	{"to", "", "renamed"},
	{"deep/from", "renamed over", ""},
	{"over", "is renamed over", "renamed over"},
	{"large", "", large(1)},
	{"large replaced", large(2), large(3)},
	{"large gone", large(4), ""},
	{"link", "", "-> kept"},
	{"link changed", "-> kept", "-> replaced"},
	{"link gone", "-> kept", ""},
	{"file becomes link", "a file", "-> kept"},
	{"link becomes file", "-> kept", "a file now"},
	{"file becomes directory", "no directory", "/"},
	{"file becomes directory/inside", "", "inside"},
	{"script", "#!/bin/sh", "#!/bin/sh"}, // becomes executable
}

func large(seed uint64) string { return string(bttest.RandomBytes(seed, 600_000)) }

// long ago, so that no file is young.
var longAgo = time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)

func put(t *testing.T, path, content string) {
	t.Helper()
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	switch {
	case err != nil || content == "":
	case content == "/":
		err = os.Mkdir(path, 0o755)
	case content == "0":
		err = os.WriteFile(path, nil, 0o644)
	case len(content) > 3 && content[:3] == "-> ":
		err = os.Symlink(content[3:], path)
	default:
		if err = os.WriteFile(path, []byte(content), 0o644); err == nil {
			err = os.Chtimes(path, longAgo, longAgo)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *side) before() {
	s.t.Helper()
	for _, c := range changes {
		if c.before != "" {
			put(s.t, filepath.Join(s.dir(), c.path), c.before)
		}
	}
}

func (s *side) after() {
	s.t.Helper()
	move := func(from, to string) {
		if err := os.Rename(filepath.Join(s.dir(), from), filepath.Join(s.dir(), to)); err != nil {
			s.t.Fatal(err)
		}
	}
	move("from", "to")
	move("deep/from", "over")
	for _, c := range changes {
		if c.before != c.after && c.path != "to" && c.path != "from" && c.path != "over" && c.path != "deep/from" {
			put(s.t, filepath.Join(s.dir(), c.path), c.after)
		}
	}
	if err := os.Chmod(filepath.Join(s.dir(), "script"), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// join has a machine join the share of another, which runs.
func (s *side) join(from *side, role string, hosts ...*side) {
	s.t.Helper()
	token := filepath.Join(s.top, "token")
	if err := os.WriteFile(token, []byte(from.shoal("share", "token", "s", "--role", role)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	args := []string{"share", "add", token, s.dir(), "--name", "s"}
	for _, h := range hosts {
		args = append(args, "--host", h.host())
	}
	s.shoal(args...)
}

func (s *side) sync() {
	s.t.Helper()
	if out, err := s.command("share", "sync", "--for", "60s", "--json").CombinedOutput(); err != nil {
		s.t.Fatalf("%s: sync: %v\n%s\n%s", s.name, err, out, difference(treeOf(s.t, s.dir()), nil))
	}
}

// a pair of machines, the second of which has the share of the first, which has the files.
type pair struct {
	t     *testing.T
	a, b  *side
	had   map[string]bool   // bytes of the users
	tree  map[string]string // what both must come to
	stopA func()
}

func newPair(t *testing.T, top string, powerA, powerB bool) *pair {
	t.Helper()
	p := &pair{t: t, a: newSide(t, top, "a", powerA), b: newSide(t, top, "b", powerB)}
	p.a.before()
	p.a.shoal("share", "create", "s", p.a.dir(), "--host", p.b.host())
	p.stopA = p.a.serve()
	p.b.join(p.a, "write", p.a)
	p.b.sync()
	if d := difference(treeOf(t, p.b.dir()), treeOf(t, p.a.dir())); d != "" {
		t.Fatal(d)
	}
	p.had = contentsOf(t, p.b.dir(), true)
	return p
}

// changed has A's user change files; when it runs, until others can get that.
func (p *pair) changed(top string, running bool) {
	p.t.Helper()
	p.a.after()
	p.tree = treeOf(p.t, p.a.dir())
	if !running {
		return
	}
	c := newSide(p.t, top, "c", false) // sees when A is done
	c.join(p.a, "read", p.a)
	for begin := time.Now(); ; {
		d := difference(treeOf(p.t, c.dir()), p.tree)
		if d == "" {
			return
		}
		if time.Since(begin) > bttest.Patience {
			p.t.Fatalf("%s\n%s", d, p.a.log())
		}
		cmd := c.command("share", "sync", "--for", "4s") // what A is still at may not be had any more
		_ = cmd.Run()
	}
}

// same checks that both machines have what they must, and have lost nothing.
func (p *pair) same() error {
	for _, s := range []*side{p.a, p.b} {
		if d := difference(treeOf(p.t, s.dir()), p.tree); d != "" {
			return fmt.Errorf("%s:\n%s", s.name, d)
		}
	}
	return p.b.mustHave(p.had)
}

type receiver struct{ *pair }

func setReceiver(t *testing.T, top string, power bool) crashed {
	p := newPair(t, top, false, power)
	p.changed(top, true)
	p.b.save()
	return receiver{p}
}

func (p receiver) point(at int) (steps []bttest.Step, killed bool, err error) {
	p.b.restore()
	if steps, killed = p.b.killed(at, "share", "sync", "--for", "60s"); killed {
		p.b.sync()
	}
	return steps, killed, errors.Join(p.same(), p.b.sound())
}

// edited is a receiver whose user edits files before it runs again.
type edited struct {
	*pair
	hadA map[string]bool
}

func setEdited(t *testing.T, top string, power bool) crashed {
	p := newPair(t, top, false, power)
	p.changed(top, true)
	p.stopA()
	p.a.save()
	p.b.save()
	return edited{p, contentsOf(t, p.a.dir(), true)}
}

func (p edited) point(at int) (steps []bttest.Step, killed bool, err error) {
	p.a.restore()
	p.b.restore()
	stop := p.a.serve()
	defer stop()
	steps, killed = p.b.killed(at, "share", "sync", "--for", "60s")
	had, edits := p.edit(at)
	p.b.sync()
	stop()
	if d := difference(treeOf(p.t, p.b.dir()), treeOf(p.t, p.a.dir())); d != "" {
		return steps, killed, fmt.Errorf("B is not as A:\n%s", d)
	}
	shown := contentsOf(p.t, p.b.dir(), false)
	for e := range edits {
		if !shown[e] {
			err = errors.Join(err, fmt.Errorf("%q is not to be seen", e))
		}
	}
	return steps, killed, errors.Join(err, p.b.mustHave(had), p.a.mustHave(p.hadA), p.a.sound(), p.b.sound())
}

// edit overwrites each third file of B, whatever it is at the moment, and adds one. It returns what B must have kept of
// what was there, and what was written.
func (p edited) edit(at int) (had, edits map[string]bool) {
	p.t.Helper()
	had, edits = maps.Clone(p.had), map[string]bool{}
	write := func(path, content string) {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			p.t.Fatal(err)
		}
		edits[content] = true
	}
	for i, path := range slices.Sorted(maps.Keys(treeOf(p.t, p.b.dir()))) {
		full := filepath.Join(p.b.dir(), path)
		info, err := os.Lstat(full)
		if err != nil {
			p.t.Fatal(err)
		}
		if !info.Mode().IsRegular() || i%3 != at%3 {
			continue
		}
		before, err := os.ReadFile(full)
		if err != nil {
			p.t.Fatal(err)
		}
		delete(had, string(before))
		write(full, fmt.Sprintf("edit %d of %s", at, path))
	}
	write(filepath.Join(p.b.dir(), "mine"), fmt.Sprintf("added at %d", at))
	return had, edits
}

type author struct{ *pair }

func setAuthor(t *testing.T, top string, power bool) crashed {
	p := newPair(t, top, power, false)
	p.stopA()
	p.changed(top, false)
	p.a.save()
	p.b.save()
	return author{p}
}

func (p author) point(at int) (steps []bttest.Step, killed bool, err error) {
	p.a.restore()
	p.b.restore()
	stop := p.b.serve()
	if steps, killed = p.a.killed(at, "share", "sync", "--for", "60s"); killed {
		p.a.sync()
	}
	stop()
	return steps, killed, errors.Join(p.same(), p.a.sound(), p.b.sound())
}

// storing is a pair whose second machine met the first by way of a store alone.
type storing struct {
	*pair
	store *side
}

func setStore(t *testing.T, top string, power bool) crashed {
	s := &storing{&pair{t: t, a: newSide(t, top, "a", false), b: newSide(t, top, "b", false)}, newSide(t, top, "store", power)}
	s.a.before()
	s.a.shoal("share", "create", "s", s.a.dir())
	stop := s.a.serve()
	s.store.join(s.a, "store", s.a)
	s.store.sync()
	stop()
	stop = s.store.serve()
	s.b.join(s.a, "write", s.store)
	s.b.sync()
	stop()
	s.had = contentsOf(t, s.b.dir(), true)
	stop = s.a.serve()
	s.changed(top, true)
	stop()
	s.store.save()
	s.b.save()
	return s
}

func (s *storing) point(at int) (steps []bttest.Step, killed bool, err error) {
	s.store.restore()
	s.b.restore()
	stop := s.a.serve()
	if steps, killed = s.store.killed(at, "share", "sync", "--for", "60s"); killed {
		s.store.sync()
	}
	stop()
	stop = s.store.serve()
	s.b.sync()
	stop()
	return steps, killed, errors.Join(s.same(), s.store.sound(), s.b.sound())
}
