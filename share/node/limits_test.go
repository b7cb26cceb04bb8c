package node

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/share/api"
	"shoal/share/disk"
)

// limit writes the limits of a machine's share.
func (m *machine) limit(text string) {
	m.t.Helper()
	name := filepath.Join(m.dir, filepath.FromSlash(limitsFile))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	if e, err := m.n.find("s"); err == nil {
		e.poke() // it looks every few seconds
	}
}

func (m *machine) status() *api.Status {
	m.t.Helper()
	s, err := m.n.Status(context.Background(), "s")
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// says waits until the first problem of a machine's share has a text; "" is none.
func (m *machine) says(want string) *api.Status {
	m.t.Helper()
	var s *api.Status
	waitFor(m.t, m.name+" says "+want, func() bool {
		s = m.status()
		if want == "" {
			return len(s.Problems) == 0
		}
		return len(s.Problems) > 0 && s.Problems[0].Path == limitsFile && strings.Contains(s.Problems[0].Why, want)
	})
	return s
}

func (m *machine) has(name string, content []byte) bool {
	b, err := os.ReadFile(filepath.Join(m.dir, name))
	return err == nil && bytes.Equal(b, content)
}

// While it is not known what a share may cost, nothing of it goes out or comes in, be it a small file or the pieces of a
// large one; once the limits can be read all goes on. Limits that were good count on while the file is not.
func TestLimitsThatAreWrong(t *testing.T) {
	t.Parallel()
	for what, limited := range map[string]bool{"who sends": false, "who takes": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			a, b := newMachine(t, "a"), newMachine(t, "b")
			small, large := []byte("small"), bytes.Repeat([]byte("large"), 200_000)
			write(t, a.dir, "small", small)
			write(t, a.dir, "large", large)
			m := a
			if limited {
				m = b
			}
			m.limit("[limits]\nup = 1M")
			a.create()
			b.join(a, "write", a)
			s := m.says("line 2: ")
			if !strings.HasPrefix(s.Sentence, "nothing is sent or taken") {
				t.Errorf("it says %q", s.Sentence)
			}
			waitFor(t, "a meeting", func() bool { return a.status().Peers > 0 && b.status().Peers > 0 })
			if b.has("small", small) || b.has("large", large) || a.status().Sent > 50_000 {
				t.Fatalf("it was sent: %d bytes", a.status().Sent)
			}
			m.limit("[limits]\nup = \"100M\"\ndown = \"100M\"\n")
			waitFor(t, "what was waited for", func() bool { return b.has("small", small) && b.has("large", large) })
			m.says("")
			m.limit("[limits]\nupp = \"1M\"\n")
			m.says("limits of before count")
			write(t, a.dir, "more", small)
			waitFor(t, "more", func() bool { return b.has("more", small) })
			if e, err := m.n.find("s"); err != nil || e.limits.Up != 100<<20 {
				t.Errorf("the limit is %d, %v", e.limits.Up, err)
			}
		})
	}
}

// A limit of storage is a quota that can be changed while the node runs, of a folder as of a store; the smaller one counts.
func TestLimitsOfStorage(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"read", "store"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			a, b := newMachine(t, "a"), newMachine(t, "b")
			large := bytes.Repeat([]byte("large"), 200_000)
			write(t, a.dir, "large", large)
			a.create()
			b.limit("[limits]\nstorage = \"500K\"\n")
			b.join(a, role, a)
			waitFor(t, "a full store", func() bool { return b.status().Full != "" })
			if s := b.status(); s.Quota != 500<<10 || s.NeedBytes == 0 {
				t.Errorf("%+v", s)
			}
			b.limit("[limits]\nstorage = \"5M\"\n")
			waitFor(t, "the file", func() bool {
				s := b.status()
				return s.Full == "" && s.State == api.StateInSync && max(s.Bytes, s.Used) > 500<<10
			})
			if s := b.status(); s.Quota != 5<<20 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What is wrong is said when no node runs, too.
func TestLimitsWithoutANode(t *testing.T) {
	t.Parallel()
	a := newMachine(t, "a")
	a.create()
	a.limit("[limits]\nstorage = \"all\"\n")
	a.close()
	n, err := Open(t.Context(), Options{Home: a.home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	a.n = n
	a.says("storage: ")
}

// Limits that are empty since a moment ago are about to be written: those of before count, until it is clear that there are none.
func TestLimitsBeingWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	name := filepath.Join(r.dir, filepath.FromSlash(limitsFile))
	for i, step := range []struct {
		text string
		pass time.Duration
		up   int64
	}{
		{"[limits]\nup = \"1M\"\n", 0, 1 << 20}, {"", 0, 1 << 20}, {"", time.Minute, 0},
		{"[limits]\nup = \"1M\"\n", 0, 1 << 20}, {"", -time.Hour, 0}, // the clock was wrong, and was set back
	} {
		if err := os.WriteFile(name, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Since(r.now()) + step.pass) // the file has the time of the disk
		r.step(r.a)
		if r.a.limits.Up != step.up {
			t.Errorf("step %d: the limit is %d, not %d", i, r.a.limits.Up, step.up)
		}
	}
}

// Where a folder is that is not the share's, as an empty mount point, nobody knows the limits.
func TestLimitsElsewhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	marks, away := filepath.Join(r.dir, disk.Dir), filepath.Join(r.dir, "away")
	if err := os.Rename(marks, away); err != nil {
		t.Fatal(err)
	}
	r.a.limits = limits{}
	r.a.peekLimits()
	if r.a.limits.up.isOpen() {
		t.Error("a folder without a mark has limits")
	}
	if err := os.Rename(away, marks); err != nil {
		t.Fatal(err)
	}
	if r.a.peekLimits(); !r.a.limits.up.isOpen() {
		t.Error("that of the share has none")
	}
}
