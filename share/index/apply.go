package index

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"shoal/share/blob"
)

// A PathSet is the entries that a natural path now has, without tree record, in any order; none: it has no more. Apply
// may keep them, so they must not be changed later.
type PathSet struct {
	Path    string
	Entries []Entry
}

// Apply is the tree with these sets of entries in place of what it says of their paths, which must be distinct. The
// result depends on the set of all entries alone, not on how it came about. Only nodes of the result that the tree did
// not have are stored. Errors wrap [ErrLimit] when the result would break a limit of docs/shares.md §3, and [ErrInvalid]
// when an entry is not one; nothing that was stored by then is needed.
func (f *Forest) Apply(tree blob.Cap, sets []PathSet) (blob.Cap, error) {
	byPath := func(a, b PathSet) int { return ComparePaths(a.Path, b.Path) }
	if !slices.IsSortedFunc(sets, byPath) {
		sets = slices.Clone(sets)
		slices.SortFunc(sets, byPath)
	}
	return f.ApplySeq(tree, func(yield func(PathSet, error) bool) {
		for _, s := range sets {
			if !yield(s, nil) {
				return
			}
		}
	})
}

// ApplySeq is [Forest.Apply] of a stream, of which it holds no more than the sets of the directories on the way to one
// path. All sets of paths at and below a directory must come together, as they do when sorted by [ComparePaths], and
// from [Forest.Diff] and [Forest.Walk].
func (f *Forest) ApplySeq(tree blob.Cap, sets iter.Seq2[PathSet, error]) (blob.Cap, error) {
	a := applier{f: f, open: []openDir{{before: tree}}}
	for s, err := range sets {
		if err != nil {
			return blob.Cap{}, err
		}
		if err := a.add(s); err != nil {
			return blob.Cap{}, fmt.Errorf("changing %q: %w", s.Path, err)
		}
	}
	for len(a.open) > 1 {
		if err := a.close(); err != nil {
			return blob.Cap{}, err
		}
	}
	return a.finish()
}

// An applier collects changes of directories; those that are open are each in the one before.
type applier struct {
	f    *Forest
	open []openDir
}

type openDir struct {
	path    string // natural; "" is the top
	name    string
	before  blob.Cap
	changes []change
}

// A change is what one name of a directory gets: entries, what is below it, or both.
type change struct {
	named
	entries, below bool // which of them it gets
}

func (a *applier) top() *openDir { return &a.open[len(a.open)-1] }

// within is what path is called in the directory d: false when it is not below it.
func (d *openDir) within(path string) (string, bool) {
	if d.path == "" {
		return path, true
	}
	rest, ok := strings.CutPrefix(path, d.path)
	if !ok || rest == "" || rest[0] != '/' {
		return "", false
	}
	return rest[1:], true
}

// add takes the next set: leaves the directories that it is not in, enters those that it is in.
func (a *applier) add(s PathSet) error {
	rest, ok := a.top().within(s.Path)
	for ; !ok; rest, ok = a.top().within(s.Path) {
		if err := a.close(); err != nil {
			return err
		}
	}
	for {
		name, more, deeper := strings.Cut(rest, "/")
		if !deeper {
			break
		}
		if err := a.enter(name); err != nil {
			return err
		}
		rest = more
	}
	if depth := len(a.open); depth > MaxDepth && len(s.Entries) > 0 {
		return errPaths
	}
	entries, err := siblings(rest, s.Entries)
	if err != nil {
		return err
	}
	d := a.top()
	d.changes = append(d.changes, change{named{place(rest), NameSet{Name: rest, Entries: entries}}, true, false})
	return nil
}

func (a *applier) enter(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	d := a.top()
	s, err := a.f.lookup(d.before, name)
	if err != nil {
		return err
	}
	a.open = append(a.open, openDir{path: PathOf(d.path, name), name: name, before: s.Below})
	return nil
}

// close makes the nodes of the last directory, and tells the one that it is in.
func (a *applier) close() error {
	path, name := a.top().path, a.top().name
	c, err := a.finish()
	if err != nil {
		return fmt.Errorf("changing directory %q: %w", path, err)
	}
	a.open = a.open[:len(a.open)-1]
	d := a.top()
	d.changes = append(d.changes, change{named{place(name), NameSet{Name: name, Below: c}}, false, true})
	return nil
}

// finish makes the nodes of the last directory.
func (a *applier) finish() (blob.Cap, error) {
	d := a.top()
	changes, err := inPlaces(d.changes)
	if err != nil {
		return blob.Cap{}, err
	}
	d.changes = nil
	if len(changes) == 0 {
		return d.before, nil
	}
	s, err := a.f.update(d.before, 0, changes)
	if err != nil {
		return blob.Cap{}, err
	}
	return a.f.seal(&s, d.before)
}

// inPlaces sorts changes by the places of their names, and makes one of two that a name has: of it, and of what is below.
func inPlaces(all []change) ([]change, error) {
	slices.SortFunc(all, func(a, b change) int { return bytes.Compare(a.at[:], b.at[:]) })
	n := 0
	for _, c := range all {
		if n == 0 || all[n-1].Name != c.Name {
			all[n] = c
			n++
			continue
		}
		last := &all[n-1]
		if last.entries && c.entries || last.below && c.below {
			return nil, fmt.Errorf("%q: %w", c.Name, errOrder)
		}
		if c.entries {
			last.Entries, last.entries = c.Entries, true
		} else {
			last.Below, last.below = c.Below, true
		}
	}
	return all[:n], nil
}

// errOrder is a bug of the caller.
var errOrder = errors.New("a path that occurs twice, or not beside others of its directory")

// siblings are the entries of a name, checked, in order, each once.
func siblings(name string, entries []Entry) ([]Entry, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	for i := range entries {
		switch e := &entries[i]; {
		case e.Name != name:
			return nil, invalid("an entry of the name %q at another one", e.Name)
		case e.Type == Tree:
			return nil, invalid("a tree record among the entries of %q", name)
		default:
			if err := e.Check(); err != nil {
				return nil, err
			}
		}
	}
	for i := range entries[1:] {
		if entries[i].Compare(&entries[i+1]) >= 0 {
			entries = slices.Clone(entries)
			slices.SortFunc(entries, func(a, b Entry) int { return a.Compare(&b) })
			entries = slices.CompactFunc(entries, func(a, b Entry) bool { return a.Equal(&b) })
			break
		}
	}
	if len(entries) > MaxSiblings {
		return nil, overLimit("%d siblings of %q, at most %d are allowed", len(entries), name, MaxSiblings)
	}
	return entries, nil
}
