package index

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A scene is a disk and what should be on it.
type scene struct {
	chooser
	disk  *memDisk
	shown map[string]Shown // by path
	rules Rules
}

// tree makes up things in a directory. The few contents are often those of other paths.
func (sc *scene) tree(dir string, depth int, out map[string]Shown) {
	for _, name := range []string{"a", "b", "c"} {
		p := PathOf(dir, name)
		s := Shown{Path: p, Natural: p, Dots: []Dot{dotOf(byte(1+sc.below(3, "writer")), 1)}}
		switch k := sc.below(8, "kind"); {
		case k < 3:
			n := sc.below(6, "content")
			s.Type, s.MTime, s.Mode, s.HasMode = File, int64(sc.below(2, "mtime")), 0o644, true
			if n > 0 {
				s.Size, s.Hash = int64(n), hashOf("content", n)
			}
			if sc.below(4, "conflict") == 0 {
				s.Natural = PathOf(dir, "n")
			}
		case k == 3:
			s.Type, s.Value = Symlink, []byte{byte('x' + sc.below(2, "target"))}
		case k < 6 && depth < 3:
			s.Type, s.HasMode, s.Mode = Dir, true, uint32(0o700+sc.below(2, "mode"))
			if sc.below(2, "implied") == 0 {
				s.HasMode, s.Mode, s.Dots = false, 0, nil
			}
			sc.tree(p, depth+1, out)
		default:
			continue
		}
		out[p] = s
	}
}

func newScene(c chooser) *scene {
	sc := &scene{chooser: c, disk: newDisk(), shown: map[string]Shown{}}
	old := map[string]Shown{}
	sc.tree("", 1, old)
	sc.tree("", 1, sc.shown)
	for _, p := range slices.Sorted(maps.Keys(old)) {
		sc.disk.add(old[p])
	}
	if sc.below(2, "keep some") == 0 { // two trees of nearly the same
		for p := range sc.shown {
			if _, ok := old[p]; !ok && sc.below(2, "keep") == 0 && sc.shown[p].Type != Dir {
				delete(sc.shown, p)
			}
		}
	}
	return sc
}

// unwant gives the disk rules, as they may have been all the time or not.
func (sc *scene) unwant() {
	no := map[string]bool{}
	for _, p := range slices.Sorted(maps.Keys(sc.shown)) {
		no[sc.shown[p].Natural] = sc.below(3, "unwanted") == 0
	}
	sc.rules.Wanted = func(natural string) bool { return !no[natural] }
	for _, p := range slices.Sorted(maps.Keys(sc.disk.rows)) {
		if b := sc.disk.rows[p]; b.Type != Dir && sc.below(4, "absent") == 0 {
			b.Present = false
			sc.disk.rows[p] = b
			delete(sc.disk.items, p)
		}
	}
}

// plan is what to do for all natural paths, in any order.
func (sc *scene) plan() []Op {
	shown, base := map[string][]Shown{}, map[string][]Base{}
	var all []string
	for _, p := range slices.Sorted(maps.Keys(sc.shown)) {
		n := sc.shown[p].Natural
		shown[n], all = append(shown[n], sc.shown[p]), append(all, n)
	}
	for _, p := range slices.Sorted(maps.Keys(sc.disk.rows)) {
		n := sc.disk.rows[p].Natural
		base[n], all = append(base[n], sc.disk.rows[p]), append(all, n)
	}
	slices.Sort(all)
	var ops []Op
	for _, n := range slices.Compact(all) {
		ops = append(ops, Plan(shown[n], base[n], sc.rules)...)
	}
	return ops
}

// rounds plans and does until there is nothing to do.
func (sc *scene) rounds(max int, fetch func(Op) bool) error {
	for range max {
		ops, blocked := Arrange(sc.plan(), sc.disk)
		sc.disk.log = append(sc.disk.log, "round:")
		if len(ops)+len(blocked) == 0 {
			return nil
		}
		before := sc.disk.contents()
		if err := sc.disk.run(ops, fetch); err != nil {
			return err
		}
		after := sc.disk.contents()
		for c := range before {
			if !after[c] {
				return fmt.Errorf("content %x is nowhere", c.hash[:2])
			}
		}
	}
	return fmt.Errorf("there is something to do after %d rounds", max)
}

// check compares the disk with what should be on it.
func (sc *scene) check() error {
	for p, s := range sc.shown {
		it, ok := sc.disk.items[p]
		b := sc.disk.rows[p]
		switch wanted := sc.rules.wanted(s.Natural); {
		case ok != b.Present:
			return fmt.Errorf("the row of %q says %t", p, b.Present)
		case !ok && wanted:
			return fmt.Errorf("%q is not there", p)
		case ok && !it.same(itemOf(&s)):
			return fmt.Errorf("%q is not what is shown", p)
		case ok && (s.HasMode && it.mode != s.Mode || s.Type != Dir && it.mtime != s.MTime):
			return fmt.Errorf("%q has not the meta that is shown", p)
		case !sameDots(b.Dots, s.Dots) || b.Natural != s.Natural && s.Type != Dir:
			return fmt.Errorf("the row of %q is not what is shown", p)
		}
	}
	for p := range sc.disk.items {
		if _, ok := sc.shown[p]; !ok {
			return fmt.Errorf("%q should not be there", p)
		}
	}
	for p := range sc.disk.rows {
		if _, ok := sc.shown[p]; !ok {
			return fmt.Errorf("the row of %q should not be there", p)
		}
	}
	return nil
}

func (sc *scene) fail(t *rapid.T, before string, err error) {
	var want []string
	for _, p := range slices.Sorted(maps.Keys(sc.shown)) {
		s := sc.shown[p]
		want = append(want, fmt.Sprintf("%s of %s %c %x m%o t%d wanted %t", p, s.Natural, s.Type, s.Hash[:2], s.Mode, s.MTime, sc.rules.wanted(s.Natural)))
	}
	t.Fatalf("%v\nbefore:\n%s\nwanted:\n%s\noperations:\n%s\nafter:\n%s", err, before, strings.Join(want, "\n"), strings.Join(sc.disk.log, "\n"), sc.disk)
}

func always(Op) bool { return true }

// TestPlans: one round of operations, each of which can be done when it comes, makes any disk any other.
func TestPlans(t *testing.T) {
	t.Parallel()
	batches(t, func(rt *rapid.T) {
		sc := newScene(rapidChooser{rt})
		before := sc.disk.String()
		err := sc.rounds(2, always)
		if err == nil {
			err = sc.check()
		}
		if err != nil {
			sc.fail(rt, before, err)
		}
	})
}

// TestPlansWithRules: the same where not all is wanted, and much is not here.
func TestPlansWithRules(t *testing.T) {
	t.Parallel()
	batches(t, func(rt *rapid.T) {
		sc := newScene(rapidChooser{rt})
		sc.unwant()
		before := sc.disk.String()
		err := sc.rounds(3, always)
		if err == nil {
			err = sc.check()
		}
		if err != nil {
			sc.fail(rt, before, err)
		}
	})
}

// TestPlansWithoutData: what cannot be fetched leaves the old file of its path where it is, disturbs nothing else, and
// comes later.
func TestPlansWithoutData(t *testing.T) {
	t.Parallel()
	batches(t, func(rt *rapid.T) {
		sc := newScene(rapidChooser{rt})
		before := sc.disk.String()
		old := map[string]item{}
		fetch := func(op Op) bool {
			ok := sc.below(2, "fetched") == 0
			if !ok && op.replaces() {
				old[op.Path] = sc.disk.items[op.Path]
			}
			return ok
		}
		ops, _ := Arrange(sc.plan(), sc.disk)
		err := sc.disk.run(ops, fetch)
		for p, it := range old {
			if err == nil && sc.disk.items[p] != it {
				err = fmt.Errorf("the old file at %q is gone", p)
			}
		}
		if err == nil {
			err = sc.rounds(3, always)
		}
		if err == nil {
			err = sc.check()
		}
		if err != nil {
			sc.fail(rt, before, err)
		}
	})
}
