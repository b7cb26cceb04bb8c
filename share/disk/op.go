package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"
	"syscall"

	"shoal/share/index"
)

// An Action is what is done to a path.
type Action uint8

// The actions.
const (
	Put        Action = iota + 1 // the verified file Temp comes to Path; what Old says is there goes to the archive
	PutSymlink                   // the same of a symbolic link to New.Value, which the Applier makes
	Delete                       // what Old says is at Path goes to the archive
	Rename                       // the file that Old says is at From comes to Path; what Over says is there goes to the archive
	SetMeta                      // the mode and time of New
	Mkdir                        // a directory comes to be at Path, if there is none
	Rmdir                        // an empty directory goes
)

var actions = [...]string{"none", "put", "put symlink", "delete", "rename", "set meta", "mkdir", "rmdir"}

func (a Action) String() string { return actions[min(int(a), len(actions)-1)] }

// An Op is one thing to do on disk. What it replaces, moves or removes is told by the whole identity in Old and Over, ctime
// included: without it nothing is touched.
type Op struct {
	Do   Action
	Path string // as the disk spells it
	From string // of Rename
	Temp string // of Put: below Temp of the device of Path, where Applier.Temp said
	// Old is what must be at Path, at From of Rename; nil = nothing may be at Path. Its Present and XDev do not matter, nor,
	// of a directory, does its identity.
	Old  *index.Base
	Over *index.Base // of Rename: what must be at Path; nil = nothing
	// New is the row of Path when this is done, but for Present and Ident; nil where nothing is there then. Mode, MTime and
	// Value of what is put are taken from it.
	New *index.Base
}

// A Result is what became of an Op.
type Result uint8

// The results.
const (
	Applied    Result = iota + 1 // done and durable
	Saved                        // the same; what the user did meanwhile is at Copy, to be found by a scan
	Stale                        // not done: what is there is not what was expected; scan the path
	NoRoom                       // not done: the disk, the quota or the reserve
	Impossible                   // not done, and will not be: such a name, or such a link, cannot be here
	// Failed is not done, for another reason (ErrCrossing: copy instead); or half done, or not known to be durable, as
	// Applier.Unfinished says.
	Failed
)

var results = [...]string{"none", "applied", "saved", "stale", "no room", "impossible", "failed"}

func (r Result) String() string { return results[min(int(r), len(results)-1)] }

// An Outcome is what became of an Op.
type Outcome struct {
	Op     Op
	Result Result
	// Ident is what is at Path now (Applied, Saved). Its CTime is zero when the file has to be hashed by the next scan, since
	// nobody can say that it was not changed.
	Ident    index.Ident
	Copy     string    // of Saved, rarely of Stale: the path of the conflict copy
	Archived *Archived // what went to the archive; nil for nothing
	Err      error     // why it was not done
}

// Done reports whether New is now at Path.
func (o *Outcome) Done() bool { return o.Result == Applied || o.Result == Saved }

// Row is New with the identity, as it belongs in B; nil where nothing is at Path or the op was not done.
func (o *Outcome) Row() *index.Base {
	if o.Op.New == nil || !o.Done() {
		return nil
	}
	row := *o.Op.New
	row.Present, row.Ident = true, o.Ident
	return &row
}

// Errors of outcomes.
var (
	ErrPending  = errors.New("an earlier change of this path is not finished: recover first")
	ErrNoRoom   = errors.New("less than the reserve would stay free")
	errStale    = errors.New("not what was expected is there")
	errReserved = errors.New("the name is kept for shoal")
	errClash    = errors.New("another name here differs by case alone")
	errOutside  = errors.New("the symbolic link would lead outside")
	errWindows  = errors.New("such a name cannot be on this system")
)

// resultOf is the result that an error means.
func resultOf(err error) Result {
	is := func(all ...error) bool {
		for _, e := range all {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
	switch {
	case is(ErrPending):
		return Failed
	case is(ErrNoRoom, syscall.ENOSPC, errQuota):
		return NoRoom
	case is(errReserved, errClash, errOutside, errWindows, syscall.ENAMETOOLONG, syscall.EILSEQ, fs.ErrInvalid, syscall.EINVAL):
		return Impossible
	case is(errStale, fs.ErrExist, fs.ErrNotExist, syscall.ENOTDIR, syscall.ELOOP, syscall.ENOTEMPTY, syscall.EISDIR):
		return Stale
	}
	return Failed
}

// checkPath refuses names that cannot be here, whatever the index says.
func checkPath(p string) error {
	if !ValidPath(p) || p == "." {
		return fmt.Errorf("%q: %w", p, fs.ErrInvalid)
	}
	for name := range strings.SplitSeq(p, "/") {
		if len(name) >= len(Dir) && strings.EqualFold(name[:len(Dir)], Dir) {
			return errReserved
		}
		if runtime.GOOS == "windows" && !windowsName(name) {
			return errWindows
		}
	}
	return nil
}

// windowsName reports whether Windows can keep a name as it is.
func windowsName(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch stem {
	case "CON", "PRN", "AUX", "NUL":
		return false
	}
	if len(stem) == 4 && (stem[:3] == "COM" || stem[:3] == "LPT") && stem[3] >= '0' && stem[3] <= '9' {
		return false
	}
	last := name[len(name)-1]
	return last != '.' && last != ' ' && !strings.ContainsAny(name, `<>:"\|?*`) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' })
}

// checkTarget refuses symbolic links that lead out of the share. ".." may stand at the beginning alone: after a name it would
// go up from wherever that leads, if it is a link itself.
func checkTarget(p, target string) error {
	if target == "" || path.IsAbs(target) || runtime.GOOS == "windows" && strings.ContainsAny(target, `\:`) {
		return errOutside
	}
	depth, named := strings.Count(p, "/"), false
	for name := range strings.SplitSeq(target, "/") {
		switch name {
		case "", ".":
		case "..":
			if depth--; depth < 0 || named {
				return errOutside
			}
		default:
			named = true
		}
	}
	return nil
}

// dirOf is the directory of a path, "." at the top.
func dirOf(p string) string { return path.Dir(p) }

// below is a path under a directory.
func below(dir, name string) string { return path.Join(dir, name) }
