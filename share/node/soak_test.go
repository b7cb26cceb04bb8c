//go:build linux

package node

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Scenarios 1, 9 and 14: three nodes, random changes on all of them, with cuts, restarts and kills; in the end the trees are
// equal, and every byte that was ever written is in place, in a conflict copy or in the archive (I1 to I5). SHOAL_SOAK is for
// how many seconds, 60 by make soak, and SHOAL_SEED which changes; the order in which they happen is the machine's.
func TestSyncCluster(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("its processes are others, and take their time")
	}
	seconds, seed := 4, rand.Uint64()
	if s, err := strconv.Atoi(os.Getenv("SHOAL_SOAK")); err == nil {
		seconds = s
	}
	if s, err := strconv.ParseUint(os.Getenv("SHOAL_SEED"), 10, 64); err == nil {
		seed = s
	}
	s := newSoak(t, seed)
	s.churn(time.Duration(seconds) * time.Second)
	s.heal()
	s.settle()
	s.check()
}

type soak struct {
	t     *testing.T
	seed  uint64
	nodes []*process
	users []*user
	all   *deeds
}

func newSoak(t *testing.T, seed uint64) *soak {
	dir := t.TempDir()
	if keep := os.Getenv("SHOAL_KEEP"); keep != "" {
		var err error
		if dir, err = os.MkdirTemp(keep, "soak"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("SHOAL_SEED=%d", seed)
		}
	})
	s := &soak{t: t, seed: seed, all: newDeeds()}
	for i, name := range []string{"A", "B", "C"} {
		p := newProcess(t, dir, name, fmt.Sprintf("127.0.8.%d", i+1))
		s.nodes = append(s.nodes, p)
		s.users = append(s.users, s.all.user(t, name, p.config.Dir, filepath.Join(dir, name+".trash"), seed+uint64(i)))
	}
	for i := range 400 { // so that little of the share changes: the guard stays quiet
		write(t, s.nodes[0].config.Dir, fmt.Sprintf("static%d/%d", i%10, i), fmt.Appendf(nil, "static %d", i))
	}
	for range 30 {
		s.users[0].act()
	}
	startAll(t, s.nodes)
	return s
}

// churn lets users work while nodes suffer.
func (s *soak) churn(d time.Duration) {
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for _, u := range s.users {
		wg.Go(func() {
			for time.Now().Before(end) {
				for range 1 + u.rng.IntN(4) {
					u.act()
				}
				time.Sleep(time.Duration(u.rng.IntN(300)) * time.Millisecond)
			}
		})
	}
	rng := rand.New(rand.NewPCG(s.seed, 77))
	for time.Now().Before(end) {
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		s.harm(rng)
	}
	wg.Wait()
}

// harm does something to a node.
func (s *soak) harm(rng *rand.Rand) {
	p := s.nodes[rng.IntN(len(s.nodes))]
	wait := func() { time.Sleep(time.Duration(rng.IntN(800)) * time.Millisecond) }
	u := s.users[0]
	switch k := rng.IntN(10); {
	case k < 3:
		u.note("=== cut off %s", p.config.Label)
		_, _ = p.ask("cut", "all")
		wait()
		_, _ = p.ask("heal", "")
		u.note("=== healed %s", p.config.Label)
	case k < 5:
		q := s.nodes[rng.IntN(len(s.nodes))]
		u.note("=== cut %s from %s", p.config.Label, q.config.Label)
		_, _ = p.ask("cut", q.config.Listen)
		wait()
		_, _ = p.ask("heal", "")
	case k < 9:
		p.kill()
		u.note("=== killed %s", p.config.Label)
		wait()
		s.start(p)
		u.note("=== started %s", p.config.Label)
	default:
		p.stop()
		u.note("=== stopped %s", p.config.Label)
		wait()
		s.start(p)
		u.note("=== started %s", p.config.Label)
	}
	for _, p := range s.nodes {
		_, _ = p.ask("status", "") // it quiets the guard
	}
}

func (s *soak) start(p *process) {
	if err := p.start(); err != nil {
		s.t.Fatal(err)
	}
}

// heal starts all nodes anew, so that none waits long before it dials again.
func (s *soak) heal() {
	for _, p := range s.nodes {
		p.stop()
	}
	s.users[0].note("=== all stopped")
	for _, p := range s.nodes {
		s.start(p)
	}
	for _, p := range s.nodes {
		p.must("port", "")
	}
}

// settle waits until all nodes say that all is the same, and it stays so.
func (s *soak) settle() {
	calm := time.Time{}
	var last []string
	for end := time.Now().Add(120 * time.Second); ; time.Sleep(300 * time.Millisecond) {
		var now []string
		ok := true
		var first *processStatus
		for i, p := range s.nodes {
			st := p.must("status", "").Status
			if first == nil {
				first = st
			}
			ok = ok && st.Settled && st.Root == first.Root && st.Frontier == first.Frontier
			now = append(now, fmt.Sprintf("%s: %+v", p.config.Label, *st))
			_ = i
		}
		switch {
		case !ok || !slices.Equal(now, last):
			calm = time.Time{}
		case calm.IsZero():
			calm = time.Now()
		case time.Since(calm) > 8*time.Second && len(s.differences()) == 0:
			return
		}
		if last = now; time.Now().After(end) {
			s.explain(s.differences()...)
			for _, p := range s.nodes {
				text := p.must("explain", "").Text
				s.t.Logf("%s has to do:\n%s", p.config.Label, text)
				for c, by := range s.all.written {
					if strings.Contains(text, fmt.Sprintf("/%x", c)) {
						s.t.Logf("%x is of %s", c, by)
					}
				}
			}
			s.t.Fatalf("the nodes do not settle:\n%s", strings.Join(now, "\n"))
		}
	}
}

// shape is everything in a folder that nodes must agree on.
func shape(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, p)
		switch {
		case err != nil:
			return err
		case rel == ".":
			return nil
		case rel == ".shoal":
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			all[rel] = fmt.Sprintf("%v", info.Mode())
		case info.Mode().IsRegular():
			b, err := os.ReadFile(p)
			all[rel] = fmt.Sprintf("%v %d %x %v", info.Mode(), info.Size(), sha256.Sum256(b), info.ModTime().UnixNano())
			return err
		default:
			target, err := os.Readlink(p)
			all[rel] = "-> " + target
			return err
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return all
}

func (s *soak) differences() (d []string) {
	first := shape(s.t, s.users[0].dir)
	for _, u := range s.users[1:] {
		other := shape(s.t, u.dir)
		for _, p := range slices.Sorted(maps.Keys(first)) {
			if other[p] != first[p] {
				d = append(d, fmt.Sprintf("%s: %s has %q, %s %q", p, s.users[0].name, first[p], u.name, other[p]))
			}
		}
		for _, p := range slices.Sorted(maps.Keys(other)) {
			if _, ok := first[p]; !ok {
				d = append(d, fmt.Sprintf("%s: %s has nothing, %s %q", p, s.users[0].name, u.name, other[p]))
			}
		}
	}
	return d
}

// contents are all contents below a directory.
func contents(t testing.TB, dir string) map[content]string {
	t.Helper()
	all := map[content]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type().IsRegular() && !strings.HasPrefix(d.Name(), "static") {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			c := sha256.Sum256(b)
			if all[c] == "" || strings.Contains(all[c], "/.shoal/") {
				all[c] = p
			}
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return all
}

// check checks the invariants.
func (s *soak) check() {
	for _, p := range s.nodes {
		p.stop()
	}
	in := map[string]map[content]string{}
	for _, u := range s.users {
		tree := map[content]string{}
		for c, p := range contents(s.t, u.dir) {
			if rel, _ := filepath.Rel(u.dir, p); !strings.HasPrefix(rel, ".shoal/") {
				tree[c] = rel
				if s.all.written[c] == "" && !strings.HasPrefix(rel, "static") {
					s.t.Errorf("nobody ever wrote what %s has in %s", u.name, rel) // I3
				}
			}
		}
		in[u.name] = tree
	}
	for _, u := range s.users {
		archive := contents(s.t, filepath.Join(u.dir, ".shoal", "archive"))
		for c := range s.all.closed[u.name] {
			if !s.all.destroyed[u.name][c] && in[u.name][c] == "" && archive[c] == "" {
				s.t.Errorf("%s has lost what he never destroyed: %s", u.name, s.all.written[c]) // I1
				s.explain(s.all.written[c])
			}
			if s.destroyedBy(c) == "" {
				for _, other := range s.users {
					if in[other.name][c] == "" {
						s.t.Errorf("nobody destroyed it, and it is not in the folder of %s: %s", other.name, s.all.written[c]) // I5
						s.explain(s.all.written[c])
					}
				}
			}
		}
	}
	s.t.Logf("%d operations, %d contents, %d files at the end", len(s.all.log), len(s.all.written), len(in["A"]))
}

// destroyedBy is a user who destroyed a content himself.
func (s *soak) destroyedBy(c content) string {
	for _, u := range s.users {
		if s.all.destroyed[u.name][c] {
			return u.name
		}
	}
	return ""
}

// explain logs what happened, for things that went wrong.
func (s *soak) explain(what ...string) {
	if len(what) == 0 || !s.t.Failed() && len(what) == 0 {
		return
	}
	for _, w := range what[:min(len(what), 10)] {
		s.t.Log(w)
	}
	s.t.Logf("what happened:\n%s", strings.Join(s.all.log, "\n"))
}
