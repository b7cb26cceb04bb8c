package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
)

// store keeps ciphertext that it cannot read (docs/shares.md §2.3): small blobs as files blobs/ab/<id>, ab being the second
// byte of the id, and large files as sparse files data/<infohash>. What the index is made of is in the database.
//
// A row says that a blob or piece is here, and durable: files are made durable before their rows, and rows go before their
// files. A crash therefore leaves files without rows at worst; those are looked at when the store opens.
type store struct {
	e *engine

	files sync.Mutex // held while blob files come and go; taken before mu
	mu    sync.Mutex // guards what follows

	fs     disk.FS // nil while the folder is not there
	lock   *disk.Lock
	looked time.Time // when the marker was checked last
	used   int64     // bytes
	full   string    // why no more is taken; "" = there is room
	pause  time.Time // after an error nothing is asked for before this

	walked  map[blob.ID]bool // nodes below which everything was asked for
	queue   []blob.ID        // small blobs to ask for
	wanted  map[blob.ID]bool // those, and what was asked for and has not come
	out     int              // of wanted: asked for
	named   map[blob.ID]bool // of what was on the list once: whether the frontier namedOf names it
	namedOf [32]byte
	// What is on the list although the merge of the frontier needlessOf does not need it, and nobody has it.
	needless   map[blob.ID]bool
	needlessOf [32]byte
	larges     []blob.ID // infos whose data is to be fetched
	large      map[blob.ID]*largeWish
	running    int // of those

	pending []pendingBlob // came and is not durable yet
	held    map[blob.ID]bool
	bad     map[blob.ID]bool // that were damaged
	since   time.Time        // when the first of them came
}

// largeWish is a large file that is to be fetched.
type largeWish struct {
	running  bool
	after    time.Time // not before this
	unserved bool      // nobody sent anything of it for a minute
}

// defaultReserve is how many bytes stay free on the disk of a share, unless its options say otherwise: enough for the
// database to go on.
const defaultReserve = 16 << 20

// Errors of a store.
var (
	errFull     = errors.New("there is no room")
	errNoStore  = fmt.Errorf("%w: the folder of the store is not open", disk.ErrAbsent)
	errNotWhole = errors.New("some of it is not here")
)

func newStore(e *engine) *store {
	return &store{e: e, walked: map[blob.ID]bool{}, wanted: map[blob.ID]bool{}, large: map[blob.ID]*largeWish{}, held: map[blob.ID]bool{}, bad: map[blob.ID]bool{}}
}

func blobDir(id blob.ID) string { return "blobs/" + hex.EncodeToString(id[1:2]) }

// path and dataPath are where a blob and the data of a torrent are, below the folder of the store.
func (s *store) path(id blob.ID) string { return blobDir(id) + "/" + hex.EncodeToString(id[:]) }

func (s *store) dataPath(hash [20]byte) string { return "data/" + hex.EncodeToString(hash[:]) }

// folder is the file system of the store.
func (s *store) folder() (disk.FS, error) {
	if s == nil {
		return nil, errNoStore
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fs == nil {
		return nil, errNoStore
	}
	return s.fs, nil
}

// open opens the folder, if it is not open, and sees to it that it is still there. The control goroutine calls it.
func (s *store) open() error {
	s.mu.Lock()
	fs, now := s.fs, s.e.node.now()
	fresh := now.Sub(s.looked).Abs() < idleLook
	s.mu.Unlock()
	if fs == nil {
		return s.openNew()
	}
	if fresh {
		return nil
	}
	s.mu.Lock()
	s.looked = now
	s.mu.Unlock()
	err := disk.CheckMark(fs, s.e.idText())
	if err != nil {
		s.close()
	}
	return err
}

func (s *store) openNew() (err error) {
	fs, err := s.e.node.openFS(s.e.row.Dir)
	if err != nil {
		return fmt.Errorf("%w: %w", disk.ErrAbsent, err)
	}
	defer func() {
		if err != nil {
			fs.Close()
		}
	}()
	if err := disk.CheckMark(fs, s.e.idText()); err != nil {
		return err
	}
	lock, err := disk.LockFolder(s.e.row.Dir)
	if err != nil {
		return err
	}
	var used int64
	err = s.e.node.db.View(s.e.ctx, func(t *db.Tx) error {
		blobs, err := t.BlobBytes(s.e.n)
		if err != nil {
			return err
		}
		if used, err = t.DataBytes(s.e.n); err != nil {
			return err
		}
		used += blobs
		return s.loadBad(t)
	})
	if err == nil {
		s.mu.Lock()
		s.fs, s.lock, s.used, s.looked = fs, lock, used, s.e.node.now()
		s.mu.Unlock()
		if err = s.adopt(s.e.ctx); err == nil {
			return nil
		}
		s.mu.Lock()
		s.fs, s.lock = nil, nil
		s.mu.Unlock()
	}
	lock.Close()
	return err
}

// close lets the folder go. What others have open they keep.
func (s *store) close() {
	s.mu.Lock()
	fs, lock := s.fs, s.lock
	s.fs, s.lock = nil, nil
	s.mu.Unlock()
	if fs != nil {
		fs.Close()
		lock.Close()
	}
}

// shut closes the folder at the end of the engine, after all that came was made durable.
func (s *store) shut() {
	if err := s.flush(context.WithoutCancel(s.e.ctx)); err != nil {
		s.e.log.Debug("what came last is fetched again", "why", err)
	}
	s.close()
}

// makeDir makes a directory of the store and those above it.
func makeDir(fs disk.FS, dir string) error {
	if _, err := fs.Lstat(dir); err == nil {
		return nil
	}
	if up := path.Dir(dir); up != "." {
		if err := makeDir(fs, up); err != nil {
			return err
		}
	}
	err := fs.Mkdir(dir, 0o700)
	if err != nil {
		if _, there := fs.Lstat(dir); there == nil {
			return nil
		}
		return err
	}
	return fs.SyncDir(path.Dir(dir))
}

// room is nil when so many more bytes may be kept: neither the quota of the share nor the reserve of the disk is in the way.
func (s *store) room(size int64) error {
	v, _ := s.e.look()
	s.mu.Lock()
	fs, used := s.fs, s.used
	s.mu.Unlock()
	if fs == nil {
		return errNoStore
	}
	q, err := s.e.quota(&v.Config)
	if err != nil {
		return err
	}
	if q > 0 && used+size > q {
		return fmt.Errorf("%w: %d bytes of the quota of %d are used", errFull, used, q)
	}
	free, err := fs.Free(".")
	if err != nil {
		return err
	}
	if reserve := reserveOf(v.Config.Reserve); free-size < reserve {
		return fmt.Errorf("%w: %d bytes are free, %d are needed, %d stay free", errFull, free, size, reserve)
	}
	return nil
}

func reserveOf(configured int64) int64 {
	if configured == 0 {
		return defaultReserve
	}
	return max(0, configured)
}

// refused notes that something could not be written. When there is no room nothing more is asked for until there is;
// after another error for a while.
func (s *store) refused(err error) {
	if s.e.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if isFull(err) {
		if s.full == "" {
			s.e.log.Warn("the store is full: it goes on to serve what it has", "why", err)
		}
		s.full = err.Error()
		s.e.setFull(s.full)
		s.e.node.minder.tight()
		return
	}
	s.pause = s.e.node.now().Add(retryAfter)
	s.e.log.Error("the store cannot write", "why", err)
}

func isFull(err error) bool { return errors.Is(err, errFull) || disk.IsFull(err) }

// roomToGo is how much room a full store must have before it takes more.
const roomToGo = blob.MaxBlob

// mayAsk reports whether more may be asked for.
func (s *store) mayAsk() bool {
	s.mu.Lock()
	full, wait := s.full != "", s.e.node.now().Before(s.pause)
	s.mu.Unlock()
	if full {
		if s.room(roomToGo) != nil {
			return false
		}
		s.mu.Lock()
		s.full = ""
		s.e.setFull("")
		s.mu.Unlock()
	}
	return !wait
}

// usage is how many bytes are used.
func (s *store) usage() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// asked reports whether the data of all complete heads has been asked for.
func (s *store) asked(l headList) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range l.all {
		if h.Complete && !s.walked[h.Root] {
			return false
		}
	}
	return true
}

// forget lets the trees of all heads be walked again: a collection begins.
func (s *store) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.walked)
}

// loadBad reads which blobs were found to be damaged.
func (s *store) loadBad(t *db.Tx) error {
	all, err := t.Problems(s.e.n)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range all {
		if id, ok := parseBlobName(path.Base(all[i].Path)); ok && all[i].Kind == "store" {
			s.bad[id] = true
		}
	}
	return nil
}

// recount counts what is used, from the database.
func (s *store) recount(ctx context.Context) error {
	s.files.Lock()
	defer s.files.Unlock()
	var used int64
	err := s.e.node.db.View(ctx, func(t *db.Tx) error {
		blobs, err := t.BlobBytes(s.e.n)
		if err != nil {
			return err
		}
		used, err = t.DataBytes(s.e.n)
		used += blobs
		return err
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.pending {
		used += s.pending[i].size
	}
	s.used = used
	return nil
}
