package index

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"golang.org/x/text/cases"

	"shoal/share/blob"
)

// A View is how one tree of files is shown on one disk. It may be used by one goroutine.
type View struct {
	f    *Forest
	tree blob.Cap
	fold bool
	dirs map[string]*foldedDir // by natural path
}

// NewView is the view of a tree. fold says that on this disk names that differ only by case are one: of these the one
// with a directory keeps its name, then the smallest, and all others have conflict names (docs/shares.md §6.5).
func NewView(f *Forest, tree blob.Cap, fold bool) *View {
	return &View{f: f, tree: tree, fold: fold, dirs: map[string]*foldedDir{}}
}

// A foldedDir is a directory as a disk sees it that does not tell cases apart.
type foldedDir struct {
	live   map[string]int // names by their folded form
	keeper map[string]string
}

// At is what is shown for the entries of one natural path, and for the directory that is there.
func (v *View) At(natural string) ([]Shown, error) {
	set, err := v.f.Find(v.tree, natural)
	if err != nil || natural == "" || len(set.Entries) == 0 && set.Below.IsZero() {
		return nil, err
	}
	dir, err := v.dirOf(parent(natural))
	if err != nil {
		return nil, err
	}
	return v.show(dir, natural, set)
}

// All gives what is shown for each natural path, in the order of [Forest.Walk].
func (v *View) All() iter.Seq2[[]Shown, error] {
	return func(yield func([]Shown, error) bool) {
		for p, err := range v.f.Walk(v.tree, "") {
			if err != nil {
				yield(nil, err)
				return
			}
			dir, err := v.dirOf(parent(p.Path))
			if err != nil {
				yield(nil, err)
				return
			}
			s, err := v.show(dir, p.Path, p.NameSet)
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

func (v *View) show(dir, natural string, set NameSet) ([]Shown, error) {
	var failed error
	taken := func(name string) bool {
		if v.fold {
			d, err := v.folded(parent(natural))
			failed = cmp.Or(failed, err)
			return err == nil && d.live[folded(name)] > 0
		}
		s, err := v.f.Find(v.tree, PathOf(parent(natural), name))
		failed = cmp.Or(failed, err)
		return len(s.Entries) > 0 || !s.Below.IsZero()
	}
	displaced, err := v.displaced(natural, set.Name)
	if err != nil {
		return nil, err
	}
	shown := present(dir, natural, set, taken, displaced)
	return shown, failed
}

// displaced reports whether another name keeps the disk's name.
func (v *View) displaced(natural, name string) (bool, error) {
	if !v.fold {
		return false, nil
	}
	d, err := v.folded(parent(natural))
	return err == nil && d.keeper[folded(name)] != name, err
}

// dirOf is where a natural directory is on disk.
func (v *View) dirOf(natural string) (string, error) {
	if natural == "" || !v.fold {
		return natural, nil
	}
	shown, err := v.At(natural)
	i := slices.IndexFunc(shown, func(s Shown) bool { return s.Type == Dir })
	if err != nil || i < 0 {
		return natural, err
	}
	return shown[i].Path, nil
}

// folded reads a directory's names.
func (v *View) folded(natural string) (*foldedDir, error) {
	if d := v.dirs[natural]; d != nil {
		return d, nil
	}
	d := &foldedDir{live: map[string]int{}, keeper: map[string]string{}}
	set, err := v.f.Find(v.tree, natural)
	if err != nil {
		return nil, err
	}
	isDir := map[string]bool{}
	for s, err := range v.f.Names(set.Below) {
		if err != nil {
			return nil, err
		}
		k := folded(s.Name)
		d.live[k]++
		dir := !s.Below.IsZero() || slices.ContainsFunc(s.Entries, func(e Entry) bool { return e.Type == Dir })
		was, ok := d.keeper[k]
		if !ok || dir && !isDir[k] || dir == isDir[k] && strings.Compare(s.Name, was) < 0 {
			d.keeper[k], isDir[k] = s.Name, dir
		}
	}
	v.dirs[natural] = d
	return d, nil
}

func folded(name string) string { return cases.Fold().String(name) }
