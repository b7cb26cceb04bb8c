package index

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// showAll is all that is shown of files, directories and symbolic links.
func showAll(v *View) (map[string]Shown, error) {
	shown := map[string]Shown{}
	for all, err := range v.All() {
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			if old, ok := shown[s.Path]; ok {
				return nil, fmt.Errorf("%v and %v are shown at one path", old, s)
			}
			if err := CheckName(base(s.Path)); err != nil {
				return nil, err
			}
			shown[s.Path] = s
		}
	}
	return shown, nil
}

// twoStates are any two of a history, as the base and the target of a plan.
func twoStates(t *rapid.T, w *world) (from, to State) {
	for range 10 + w.below(40, "steps") {
		if err := w.step(); err != nil {
			t.Fatal(err)
		}
	}
	w.states = append(w.states, State{})
	return w.state(), w.state()
}

// TestViewsOfChanges: it is enough to plan the paths that the changes of a tree touch.
func TestViewsOfChanges(t *testing.T) {
	t.Parallel()
	batches(t, func(rt *rapid.T) {
		w := newWorld(t.Context(), rapidChooser{rt}, sound)
		from, to := twoStates(rt, w)
		sc := sceneOf(rt, w, from, to, false)
		before := sc.disk.String()
		touched := map[string]bool{}
		for c, err := range w.f.Diff(t.Context(), from.Root.Files, to.Root.Files) {
			if err != nil {
				rt.Fatal(err)
			}
			for _, p := range Touches(c.Path) {
				touched[p] = true
			}
		}
		rows := map[string][]Base{}
		for _, p := range slices.Sorted(maps.Keys(sc.disk.rows)) {
			rows[sc.disk.rows[p].Natural] = append(rows[sc.disk.rows[p].Natural], sc.disk.rows[p])
		}
		v := NewView(w.f, to.Root.Files, false)
		var ops []Op
		for p := range touched {
			shown, err := v.At(p)
			if err != nil {
				rt.Fatal(err)
			}
			ops = append(ops, Plan(shown, rows[p], Rules{})...)
		}
		done, blocked := Arrange(ops, sc.disk)
		err := sc.disk.run(done, always)
		if err == nil && len(blocked) > 0 {
			err = fmt.Errorf("blocked: %v", blocked)
		}
		if err == nil {
			err = sc.check()
		}
		if err != nil {
			sc.fail(rt, before, err)
		}
	})
}

// sceneOf is a disk with one state, on which another should be.
func sceneOf(t *rapid.T, w *world, from, to State, fold bool) *scene {
	sc := &scene{chooser: w, disk: newDisk()}
	old, err := showAll(NewView(w.f, from.Root.Files, fold))
	if err != nil {
		t.Fatalf("%v\nhistory:\n%s", err, w.history())
	}
	for _, s := range old {
		sc.disk.add(s)
	}
	if sc.shown, err = showAll(NewView(w.f, to.Root.Files, fold)); err != nil {
		t.Fatalf("%v\nhistory:\n%s", err, w.history())
	}
	return sc
}

// TestViewsWithoutCase: on a disk that does not tell cases apart no two things have one name, and a plan leads from any
// state to any other.
func TestViewsWithoutCase(t *testing.T) {
	t.Parallel()
	batches(t, func(rt *rapid.T) {
		w := newWorld(t.Context(), rapidChooser{rt}, sound)
		w.names = []string{"a", "A", "b.txt"}
		from, to := twoStates(rt, w)
		sc := sceneOf(rt, w, from, to, true)
		folds := map[string]string{}
		for p := range sc.shown {
			k := strings.ToLower(p)
			if q, ok := folds[k]; ok {
				rt.Fatalf("%q and %q are one name\nhistory:\n%s", p, q, w.history())
			}
			folds[k] = p
			if d := parent(p); d != "" && sc.shown[d].Type != Dir {
				rt.Fatalf("%q is in no directory\nhistory:\n%s", p, w.history())
			}
		}
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
