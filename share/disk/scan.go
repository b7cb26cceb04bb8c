package disk

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"shoal/share/index"
)

// What a scan waits for (docs/shares.md §6.2).
const (
	RacyTime   = 2 * time.Second  // a younger file may change again without a new mtime
	SecondFile = 5 * time.Second  // from the first look that misses a file to the second
	SecondDir  = 60 * time.Second // the same of a directory with files
)

const (
	maxTarget   = index.MaxValue // bytes of a symbolic link's target
	maxProblems = 1000           // that a report lists; more are counted
	flushAt     = 1000           // findings that wait for one look at the marker
	smudged     = 0              // ctime, in B, of a file that must be hashed again; the applier does the same
)

// What is wrong with a path that is reported and not shared.
var (
	ErrName     = errors.New("the name is not UTF-8 or too long")
	ErrReserved = errors.New("the name is kept for shoal")
	ErrTwin     = errors.New("another name here is the same in Unicode")
	ErrSpecial  = errors.New("not a file, directory or symbolic link")
	ErrTooDeep  = fmt.Errorf("more than %d directories deep", index.MaxDepth)
	ErrTarget   = fmt.Errorf("the target of the symbolic link is longer than %d bytes", maxTarget)
	ErrMoved    = errors.New("the directory was replaced during the scan")
)

// Known is B: what was last put on, or seen on, disk (docs/shares.md §6.1). Every directory that is on disk has a row, also
// one that lives only by what is below it: such a row has no dots. A Known need not be safe for concurrent use.
type Known interface {
	// Row is the row of path, or nil.
	Row(path string) (*index.Base, error)
	// Children are the rows directly in the directory dir ("" is the top), in bytewise order of their paths. A row is valid
	// until the next one; its slices stay. No other method is called, and nothing is emitted, before the iteration ends.
	Children(dir string) iter.Seq2[*index.Base, error]
	// ByInode are the present rows of files with that inode, ByContent those of that size and hash. A few are enough.
	ByInode(inode uint64) ([]index.Base, error)
	ByContent(hash [32]byte, size int64) ([]index.Base, error)
}

// A Kind is what happened to a path.
type Kind uint8

// The kinds of finding.
const (
	Created Kind = iota + 1 // there is no present row of it
	Edited                  // a file of another size or from another inode's content; another target
	Touched                 // mode, mtime, ctime or inode changed; the content perhaps: see Hash
	Renamed                 // created, and the row From went: its content is here
	Retyped                 // there is something of another type
	Deleted                 // gone, at two looks
)

var kinds = [...]string{"none", "created", "edited", "touched", "renamed", "retyped", "deleted"}

func (k Kind) String() string { return kinds[min(int(k), len(kinds)-1)] }

// A Finding is one difference between the disk and B.
type Finding struct {
	Kind   Kind
	Path   string     // in the share: NFC
	Disk   string     // as the disk spells it; "" of Deleted
	Type   index.Type // File, Dir or Symlink; of Deleted what it was
	Info   Info       // of the look; zero of Deleted
	XDev   bool       // a directory on another device than the one above it
	Target string     // of a symbolic link
	// Hash says that the content of a file must be read to know it. Else it is that of From, or of Base where From is nil.
	Hash bool
	From *index.Base // of Renamed: the row that went; else a row of the same content
	Base *index.Base // the row of Path, also one that is not present; nil for none
}

// A Problem is a path that is not shared, or could not be looked at: nothing is concluded about what is below it. Path is
// as the disk spells it, and may be no UTF-8.
type Problem struct {
	Path string
	Err  error
}

// A Report is what a scan says beside its findings.
type Report struct {
	Files, Dirs, Links int64
	Bytes              int64 // of the files
	Problems           []Problem
	MoreProblems       int      // beyond those listed
	Absent             []string // directories where a mount came or went: no findings below them
	Settling           []string // unchanged, but so young that they must be hashed after RacyTime: see LookHash
	Missing            int      // paths that wait for the second look
}

// ScanOptions is what a Scanner needs to know. Share must be set.
type ScanOptions struct {
	Share string           // text of the share's id, as in the marker
	Now   func() time.Time // time.Now when nil
	// Skip says that a path is somebody else's (the mount of a nested share): it is ignored.
	Skip func(path string) bool
	// Enter is called with each directory, as the disk spells it, just before it is listed: whoever starts to watch it then
	// misses nothing.
	Enter func(disk string)
	// DirWait is the time between the looks at a directory with files, if it is longer than SecondFile; 0 = SecondDir.
	DirWait time.Duration
}

// A Scanner finds what the user did: it compares a folder with B. It remembers what was missing between two looks. It is
// for one goroutine.
type Scanner struct {
	fs      FS
	known   Known
	opts    ScanOptions
	missing map[string]*absence // by path
	claimed map[string]bool     // rows that a rename took since the last Scan began
}

// NewScanner makes a Scanner of a folder.
func NewScanner(f FS, known Known, opts ScanOptions) *Scanner {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.DirWait == 0 {
		opts.DirWait = SecondDir
	}
	return &Scanner{fs: f, known: known, opts: opts, missing: map[string]*absence{}, claimed: map[string]bool{}}
}

// Scan looks at the paths of what, or at everything when it is nil, and calls emit with each finding: directories before
// what is in them, deleted ones after it. emit may write to B the rows of the findings it was given.
//
// A path that is missing is only noted; it is found to be Deleted by a later Scan or SecondLook, and no file sooner than
// SecondFile after the first look that missed it, no directory with files sooner than SecondDir.
//
// The error is ErrAbsent without the right marker: the folder is not there, and nothing is concluded. Findings not yet
// emitted are dropped then. Otherwise it is that of ctx, emit or Known; what could not be read is a Problem.
func (s *Scanner) Scan(ctx context.Context, what Paths, emit func(Finding) error) (Report, error) {
	clear(s.claimed)
	w := &walk{s: s, ctx: ctx, now: s.opts.Now(), emit: emit, folds: s.fs.FoldsCase()}
	if err := CheckMark(s.fs, s.opts.Share); err != nil {
		return w.report, err
	}
	err := w.top(what)
	if err == nil {
		err = w.flush()
	}
	w.report.Missing = len(s.missing)
	return w.report, err
}

// NextLook is when SecondLook has something to look at; false when nothing is missing.
func (s *Scanner) NextLook() (time.Time, bool) {
	var next time.Time
	for _, a := range s.missing {
		if next.IsZero() || a.due.Before(next) {
			next = a.due
		}
	}
	return next, !next.IsZero()
}

// SecondLook looks again at what was missing, as far as it is due by now: the caller calls it at NextLook. What is there
// again is scanned like anything else.
func (s *Scanner) SecondLook(ctx context.Context, emit func(Finding) error) (Report, error) {
	now := s.opts.Now()
	what := Paths{}
	for p, a := range s.missing {
		if !a.due.After(now) {
			what[p] = LookDeep
		}
	}
	if len(what) == 0 {
		return Report{Missing: len(s.missing)}, nil
	}
	report, err := s.Scan(ctx, what, emit)
	if err != nil {
		return report, err
	}
	for p := range what {
		// Nobody missed it this time: its directory went or cannot be read, or B does not know it any more.
		if a := s.missing[p]; a != nil && a.seen.Before(now) {
			delete(s.missing, p)
		}
	}
	report.Missing = len(s.missing)
	return report, nil
}

// Racy reports whether a file could have changed after it was read without a new mtime: read is when reading began. Such a
// file is to be hashed once more after RacyTime.
func Racy(id index.Ident, read time.Time) bool {
	age := read.UnixNano() - id.MTime
	return -int64(RacyTime) < age && age < int64(RacyTime)
}

// Row is the row of B for what was found, without its dots and caps. For a file, id and hash are what HashFile and its
// callback gave when it began at read, or of a finding without Hash f.Info.Ident and the hash of From or Base. A racy
// identity is stored with a ctime of zero, such that the next look hashes the file, whatever happens in between.
func (f *Finding) Row(id index.Ident, hash [32]byte, read time.Time) index.Base {
	row := index.Base{
		Path: f.Path, Natural: f.Path, Type: f.Type, Present: true, Ident: id, XDev: f.XDev,
		MTime: id.MTime, Mode: id.Mode, HasMode: f.Type != index.Symlink,
	}
	b := f.Base
	if f.Kind == Renamed {
		b = f.From
	}
	if b != nil && b.Present && b.Type == f.Type {
		if b.Ident.MTime == id.MTime { // a disk may keep less of it than the index says
			row.MTime = b.MTime
		}
		if b.Ident.Mode == id.Mode {
			row.Mode, row.HasMode = b.Mode, b.HasMode
		}
	}
	switch f.Type {
	case index.File:
		row.Size, row.Hash = id.Size, hash
		if f.Hash && Racy(id, read) {
			row.Ident.CTime = smudged
		}
	case index.Symlink:
		row.Value = []byte(f.Target)
	case index.Dir:
		row.MTime = 0
	}
	return row
}

// News reports whether row, which is f.Row, is worth an event. If not, the user changed nothing that others can see (a
// link was made, a directory copied), and only the identity in B changes.
func (f *Finding) News(row index.Base) bool {
	b := f.Base
	if b == nil || !b.Present || f.Kind == Renamed || b.Type != row.Type {
		return true
	}
	return b.Size != row.Size || b.Hash != row.Hash || b.Mode != row.Mode || b.HasMode != row.HasMode ||
		!slices.Equal(b.Value, row.Value) || row.Type == index.File && b.MTime != row.MTime
}
