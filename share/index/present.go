package index

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"shoal/share/blob"
)

// Present is what is shown for the siblings at one natural path: the first group keeps the name, the others are conflict
// copies beside it (docs/shares.md §4.1). dir is the directory on disk that they are in, natural their natural path.
// taken says which names of the directory belong to somebody else. Entries of unknown types are not shown; links and pins
// are, though they are no files, because they take a name.
func Present(dir, natural string, set NameSet, taken func(name string) bool) []Shown {
	return present(dir, natural, set, taken, false)
}

// present is Present; displaced, the first group gives its name up as well.
func present(dir, natural string, set NameSet, taken func(string) bool, displaced bool) []Shown {
	groups := groupsOf(set)
	shown := make([]Shown, 0, len(groups))
	used := map[string]bool{set.Name: true}
	for i := range groups {
		g := &groups[i]
		name := set.Name
		if i > 0 || displaced {
			name = conflictName(set.Name, g.stamp(natural), func(n string) bool { return used[n] || taken != nil && taken(n) })
			used[name] = true
		}
		g.Path, g.Natural = PathOf(dir, name), natural
		shown = append(shown, g.Shown)
	}
	return shown
}

// A group is what is one thing to a user.
type group struct{ Shown }

// groupsOf are the groups of a name in the order of their claim to it.
func groupsOf(set NameSet) []group {
	var groups []group
	at := map[groupKey]int{}
	if !set.Below.IsZero() {
		at[groupKey{kind: Dir}] = 0
		groups = append(groups, group{Shown{Type: Dir}})
	}
	for i := range set.Entries {
		e := &set.Entries[i]
		key, ok := keyOf(e)
		if !ok {
			continue
		}
		j, ok := at[key]
		if !ok {
			j = len(groups)
			at[key] = j
			groups = append(groups, group{Shown{Type: e.Type}})
		}
		groups[j].add(e)
	}
	if i, ok := at[groupKey{kind: Dir}]; ok && len(groups[i].Dots) == 0 {
		groups[i].Mode, groups[i].HasMode = ImpliedMode, true
	}
	slices.SortStableFunc(groups, compareGroups)
	return groups
}

// ImpliedMode is the mode of a directory that is there only because something is in it: nobody says one.
const ImpliedMode = 0o755

// A groupKey is what entries of one group have in common.
type groupKey struct {
	kind  Type
	size  int64
	hash  [32]byte
	value string
	cap   blob.Cap
}

// keyOf is false for what is not shown.
func keyOf(e *Entry) (groupKey, bool) {
	switch e.Type {
	case File:
		return groupKey{kind: File, size: e.Size, hash: e.Hash}, true
	case Dir:
		return groupKey{kind: Dir}, true
	case Symlink, Link, Pin:
		k := groupKey{kind: e.Type, value: string(e.Value)}
		if len(e.Caps) > 0 {
			k.cap = e.Caps[0]
		}
		return k, true
	}
	return groupKey{}, false
}

// add takes an entry into the group: the latest mtime, all else of the smallest dot.
func (g *group) add(e *Entry) {
	t := e.MTime
	if len(g.Dots) > 0 {
		t = max(t, g.MTime)
	}
	if len(g.Dots) == 0 || e.Dot.Compare(g.Dots[0]) < 0 {
		g.Mode, g.HasMode, g.Size, g.Hash, g.Caps, g.Value = e.Mode, e.HasMode, e.Size, e.Hash, e.Caps, e.Value
	}
	g.MTime = t
	if i, ok := slices.BinarySearchFunc(g.Dots, e.Dot, Dot.Compare); !ok { // two entries with one dot are a fork's
		g.Dots = slices.Insert(g.Dots, i, e.Dot)
	}
}

// claim is what goes before what: directories, then what is mounted, then the rest.
func (g *group) claim() int {
	switch g.Type {
	case Dir:
		return 0
	case Link, Pin:
		return 1
	}
	return 2
}

func compareGroups(a, b group) int {
	if c := cmp.Or(cmp.Compare(a.claim(), b.claim()), cmp.Compare(b.MTime, a.MTime)); c != 0 {
		return c
	}
	if len(a.Dots) > 0 && len(b.Dots) > 0 {
		if c := a.Dots[0].Compare(b.Dots[0]); c != 0 {
			return c
		}
	}
	// The rest can only be entries of a fork, under one dot.
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Size, b.Size), bytes.Compare(a.Hash[:], b.Hash[:]),
		bytes.Compare(a.Value, b.Value), slices.CompareFunc(a.Caps, b.Caps, func(x, y blob.Cap) int { return bytes.Compare(x.ID[:], y.ID[:]) }))
}

// stamp is what the conflict name of a group comes from: its smallest dot. A directory that gives up its name because
// another only differs in case takes one that stays the same whatever dots it has.
func (g *group) stamp(natural string) [32]byte {
	if g.Type == Dir {
		return sha256.Sum256([]byte(natural))
	}
	d := g.Dots[0]
	return sha256.Sum256(binary.BigEndian.AppendUint64(d.Writer[:], d.Counter))
}

// maxExt is how many bytes an extension may have, its point included, to stay at the end of a conflict name.
const maxExt = 32

// conflictName is stem.conflict-<8 hex of stamp>.ext, cut to MaxName bytes in the stem; with more hex while it is taken,
// and with that of the hash of the stamp, and so on, when there is no more.
func conflictName(name string, stamp [32]byte, taken func(string) bool) string {
	ext := path.Ext(name)
	if len(ext) == len(name) || len(ext) > maxExt {
		ext = ""
	}
	stem := name[:len(name)-len(ext)]
	for ; ; stamp = sha256.Sum256(stamp[:]) {
		all := hex.EncodeToString(stamp[:])
		for n := 8; n <= len(all); n += 8 {
			tail := conflictMark + all[:n] + ext
			if s := cut(stem, MaxName-len(tail)) + tail; !taken(s) {
				return s
			}
		}
	}
}

const conflictMark = ".conflict-"

// cut is the first n bytes of s, or less, so that no rune is broken.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Touches are the natural paths whose presentation may change when entries of one do: itself, the directories that it is
// in, which it keeps alive, and the path whose conflict copy has its name. On a disk that does not tell cases apart it may
// be any of the directory and all below it: plan these whole.
func Touches(natural string) []string {
	paths := []string{natural}
	for d := parent(natural); d != ""; d = parent(d) {
		paths = append(paths, d)
	}
	dir, name := parent(natural), path.Base(natural)
	if i := strings.LastIndex(name, conflictMark); i > 0 {
		digits := name[i+len(conflictMark):]
		ext := ""
		if p := strings.IndexByte(digits, '.'); p >= 0 {
			digits, ext = digits[:p], digits[p:]
		}
		if len(digits) >= 8 && strings.Trim(digits, "0123456789abcdef") == "" {
			paths = append(paths, PathOf(dir, name[:i]+ext))
		}
	}
	return paths
}
