package bt

import (
	"context"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// FileOptions say where the files of one torrent lie and what may be done to what is there already.
type FileOptions struct {
	Root   string   // folder that holds everything; made when missing
	Paths  []string // for each File its slash-separated path below Root, "" = not selected (see Layout)
	Record string   // path of the resume record; "" = none is kept
	Check  bool     // hash what is on disk again, whatever the record says, and repair what is damaged
	Force  bool     // replace files that are in the way

	// Progress is called while what is on disk is hashed, with bytes; from OpenFiles' own goroutine.
	Progress func(done, total int64)
	// OnFile is called, from a goroutine of the storage, with the index of each file that has become complete and has
	// its final name. It must not call the storage's Close or Flush.
	OnFile func(index int)

	step func(name string) // tests stop the process at each step
}

// A FileStorage keeps a torrent in plain files.
//
// A file's data lies under a hidden name beside the final one until every piece that touches it is verified; then it
// gets its final name, and is never written again. A file that was found under its final name is only read. Bytes of
// a piece that belong neither to a selected file nor to a gap, and those that a file under its final name claims to
// have already, are kept aside in one hidden file, the edges, until the selection is complete:
//
//	nowhere ──first write──► inPart ──all pieces verified──► atFinal
//	                            ▲                               │
//	                            └── a verified piece differs ───┘ (with Force or Check only)
type FileStorage struct {
	m     *Metainfo
	opts  FileOptions
	root  *os.Root
	lock  *fileLock
	pool  *handlePool
	files []*diskFile // as m.Files
	spans []*diskFile // those with bytes, by offset
	edges string      // name of the edges file
	made  []string    // folders made above and at Root, outermost first

	work     sync.WaitGroup        // the finishing goroutine
	lost     atomic.Pointer[Error] // the first complete file that changed; nil = none did
	youngest time.Time             // the last modification of what was found

	mu       sync.RWMutex // held for reading around I/O, for writing around changes of what is below
	closed   bool
	complete bitset
	wanted   bitset // pieces that a selected file still needs or needed in this session
	done     int64  // verified bytes of the selected files
	madeIn   []string
	queue    []*diskFile // complete, waiting for their final names
	busy     bool        // the finishing goroutine runs
	idle     *sync.Cond  // on mu: busy became false
	failure  error       // the first one of the finishing goroutine
	recorded bitset      // pieces that the record on disk vouches for; nil = there is none
	flushed  time.Time
}

// A place is where the bytes of a file lie.
type place uint8

const (
	nowhere place = iota // nothing is stored
	inPart               // under the hidden name
	atFinal              // under its own name; only read
)

// A diskFile is one file of the torrent. Its fields from place on are guarded by FileStorage.mu, the others do not change.
type diskFile struct {
	index       int
	off, length int64
	path, part  string // path "" = not selected
	perm        fs.FileMode

	place   place
	replace bool  // what has the final name may be replaced
	spare   bool  // partial data lies beside the final file
	vouched bool  // the record says that it is complete; some of its pieces cannot be read because a neighbour is not here
	told    bool  // OnFile was called
	missing int   // pieces that touch it and are not complete
	have    int64 // bytes in complete pieces
	seen    stamp // of the final file, as it was found or made
	stamp   stamp // the same; zero = not to be recorded
	dirty   int64 // verified bytes since the disk was told to write
}

// complete reports whether all of the file is verified.
func (d *diskFile) complete() bool { return d.vouched || d.missing == 0 }

// OpenFiles opens the storage of m. What is on disk is believed when it is what the record says, else it is hashed. It
// fails with code Exists, touching nothing, when a file in the way differs and may not be replaced; with Busy when
// another process stores the same.
func OpenFiles(ctx context.Context, m *Metainfo, opts FileOptions) (*FileStorage, error) {
	s, err := newFileStorage(m, opts)
	if err != nil {
		return nil, err
	}
	if s.made, err = makeDirs(opts.Root); err != nil {
		return nil, err
	}
	if err = s.open(ctx); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

func newFileStorage(m *Metainfo, opts FileOptions) (*FileStorage, error) {
	if opts.step == nil {
		opts.step = func(string) {}
	}
	s := &FileStorage{m: m, opts: opts, complete: newBitset(m.NumPieces), wanted: newBitset(m.NumPieces), flushed: time.Now()}
	s.idle = sync.NewCond(&s.mu)
	if err := s.plan(); err != nil {
		return nil, err
	}
	return s, nil
}

// open does what OpenFiles promises. What it opened is released by release, also when it fails.
func (s *FileStorage) open(ctx context.Context) (err error) {
	if s.root, err = os.OpenRoot(s.opts.Root); err != nil {
		return err
	}
	s.pool = newHandlePool(s.root, maxHandles)
	if s.lock, err = s.takeLock(); err != nil {
		return err
	}
	if err = s.survey(); err != nil {
		return err
	}
	if err = rest(ctx, s.youngest); err != nil {
		return err
	}
	rec := s.readRecord()
	if err = s.judge(ctx, rec); err != nil {
		return err
	}
	if err = s.makeEmptyFiles(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.files {
		if d.path != "" && d.missing == 0 && d.place == inPart {
			s.enqueue(d)
		}
	}
	return nil
}

// Wanted reports whether a selected file needs the piece. A piece that only touches files which are known to be complete
// is not wanted, though the storage may be unable to read all of it back.
func (s *FileStorage) Wanted(piece int) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return piece >= 0 && piece < s.m.NumPieces && s.wanted.has(piece)
}

// Missing lists the pieces that are wanted and not complete.
func (s *FileStorage) Missing() (pieces []int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range s.m.NumPieces {
		if s.wanted.has(i) && !s.complete.has(i) {
			pieces = append(pieces, i)
		}
	}
	return pieces
}

// BytesDone is how many bytes of the selected files are verified.
func (s *FileStorage) BytesDone() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.done
}

// Total is how many bytes the selected files have.
func (s *FileStorage) Total() (n int64) {
	for _, d := range s.files {
		if d.path != "" {
			n += d.length
		}
	}
	return n
}

// Complete reports whether the piece is here, verified and readable.
func (s *FileStorage) Complete(piece int) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return piece >= 0 && piece < s.m.NumPieces && s.complete.has(piece)
}
