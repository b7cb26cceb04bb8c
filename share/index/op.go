package index

import "fmt"

// An OpKind is what is to be done at a path.
type OpKind uint8

// The kinds of operation. Whatever is replaced or deleted goes to the archive.
const (
	Adopt       OpKind = 1 + iota // the base row becomes Shown; the disk stays as it is
	Forget                        // the base row goes; nothing is on disk
	SetMeta                       // mtime or mode are set, and the row becomes Shown
	Mkdir                         // a directory is made. Shown has no dots when only what is in it implies it
	MakeSymlink                   // a symbolic link is made, in place of Base
	Put                           // a file is fetched, and put in place of Base
	Copy                          // a file is copied from From, and put in place of Base
	Rename                        // a file is renamed from From, or from Slot, in place of Base
	Park                          // a file is renamed out of the way, to Slot
	Delete                        // a file or symbolic link goes
	Rmdir                         // a directory goes if it is empty. If it is not, that is no error and the row stays
)

var opNames = [...]string{Adopt: "adopt", Forget: "forget", SetMeta: "set meta of", Mkdir: "make directory",
	MakeSymlink: "make symlink", Put: "put", Copy: "copy to", Rename: "rename to", Park: "park", Delete: "delete", Rmdir: "remove directory"}

func (k OpKind) String() string {
	if int(k) < len(opNames) && opNames[k] != "" {
		return opNames[k]
	}
	return fmt.Sprintf("operation %d", uint8(k))
}

// An Op is one operation on disk (docs/shares.md §6.1, §6.3): what must be there before, and what is true after.
type Op struct {
	Kind OpKind
	Path string // on disk
	From string // of Copy and Rename: where the content is; "" for a Rename from Slot
	Slot int    // of Park and Rename: the number of a temporary place, from 1; 0 = none

	// Base is the row at Path: what must be on disk there, or nothing when it is nil or not Present. Of Rename and Copy
	// Source is the row of what must be at From.
	Base   *Base
	Source *Base

	// Shown is what the row of Path says afterwards; nil = there is no row. Absent: it says so with Present false.
	Shown  *Shown
	Absent bool
}

func (o Op) String() string {
	s := fmt.Sprintf("%s %q", o.Kind, o.Path)
	if o.From != "" {
		s += fmt.Sprintf(" from %q", o.From)
	}
	if o.Slot != 0 {
		s += fmt.Sprintf(" slot %d", o.Slot)
	}
	if o.replaces() {
		s += " in place of what is there"
	}
	if o.Absent {
		s += ", absent"
	}
	return s
}

// replaces reports whether o puts something in the place of a file or symbolic link.
func (o Op) replaces() bool {
	switch o.Kind {
	case MakeSymlink, Put, Copy, Rename:
		return o.Base != nil && o.Base.Present && o.Base.Type != Dir
	}
	return false
}

// A Disk is the base rows that [Arrange] looks at.
type Disk interface {
	// Row is the row of a path on disk.
	Row(path string) (Base, bool)
	// Having is rows of present files with this content; some are enough when there are many.
	Having(hash [32]byte, size int64) []Base
}
