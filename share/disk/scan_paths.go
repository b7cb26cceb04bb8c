package disk

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// A Look is how a path is scanned.
type Look uint8

// Looks; they may be joined. The directories above a path are looked at, too.
const (
	LookSelf Look = 0         // the path alone; what is in a directory only if that is new
	LookDeep Look = 1 << iota // and everything below it
	LookHash                  // a file is to be hashed, changed or not
)

// Paths are what a scan looks at, with "" for the top. They may be spelled as the disk does.
type Paths map[string]Look

// Add adds a look at p.
func (ps Paths) Add(p string, l Look) { ps[p] |= l }

// A want is a directory's part of Paths.
type want struct {
	look  Look
	below map[string]*want // by name, NFC
}

// wantOf makes a tree of paths. An ignore file stands for its whole directory: it may show what it hid.
func wantOf(ps Paths) *want {
	top := &want{}
	if ps == nil {
		top.look = LookDeep
	}
	for p, l := range ps {
		if path.Base(p) == IgnoreFile {
			p, l = path.Dir(p), LookDeep
		}
		at := top
		for name := range strings.SplitSeq(p, "/") {
			if name == "" || name == "." {
				continue
			}
			name = nfc(name)
			next := at.below[name]
			if next == nil {
				next = &want{}
				if at.below == nil {
					at.below = map[string]*want{}
				}
				at.below[name] = next
			}
			at = next
		}
		at.look |= l
	}
	return top
}

// child is what is wanted of a name; nil is nothing.
func (w *want) child(name string) *want {
	c := w.below[name]
	if w.look&LookDeep == 0 {
		return c
	}
	if c == nil {
		return &want{look: LookDeep}
	}
	c.look |= LookDeep
	return c
}

func (w *want) deep() bool      { return w.look&LookDeep != 0 }
func (w *want) names() []string { return slices.Sorted(maps.Keys(w.below)) }
