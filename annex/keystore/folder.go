package keystore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shoal/share/disk"
	"shoal/share/index"
)

const (
	temps    = disk.Dir + "/annex" // where files are written before they have their names
	staleFor = 24 * time.Hour      // nobody writes to a temporary file any more that was not touched for so long
)

// A Folder is the keys of one repository in the folder of a share. Its methods may be called concurrently, by several
// processes, too.
type Folder struct {
	dir        string // of the share
	share      string // its id, as the marker has it
	repository string
	open       func(dir string) (disk.FS, error)
	fixed      string                       // the name of whatever key, in a tree; "" = each has its own
	clean      func() bool                  // true once: temporary files of processes that were killed may be looked for
	marked     *atomic.Pointer[index.Ident] // the marker that was found right last; nil = none was
	buffers    *sync.Pool                   // of *[2 * chunk]byte: thousands of operations after each other would be mostly garbage
}

// chunk is how much is read, and written, at once.
const chunk = 256 << 10

// NewFolder is the keys of the repository with a UUID in the folder dir of the share with an id, in hex. It looks at
// nothing.
func NewFolder(dir, share, repository string) *Folder {
	return &Folder{dir: dir, share: share, repository: repository, open: disk.OpenFS, clean: once(),
		marked: &atomic.Pointer[index.Ident]{}, buffers: &sync.Pool{New: func() any { return new([2 * chunk]byte) }}}
}

// Name is the path of a key in the share.
func (f *Folder) Name(key Key) string {
	if f.fixed != "" {
		return f.fixed
	}
	return key.Path(f.repository)
}

// with calls do on the share's folder. It is opened each time: a disk that is taken away is not kept busy, and one that
// comes back is seen.
func (f *Folder) with(what string, do func(fsys disk.FS) error) error {
	fsys, err := f.open(f.dir)
	if err == nil {
		err = errors.Join(do(fsys), fsys.Close())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// oldMark is how old a marker must be, so that one that was written in its place is another by its identity.
const oldMark = 2 * time.Second

// checkMark is disk.CheckMark, which reads the marker only if it is not the one of the last time.
func (f *Folder) checkMark(fsys disk.FS) error {
	now, err := fsys.Lstat(disk.Marker)
	if last := f.marked.Load(); err == nil && last != nil && *last == now.Ident {
		return nil
	}
	if err := disk.CheckMark(fsys, f.share); err != nil {
		return err
	}
	if err == nil && time.Since(time.Unix(0, now.Ident.CTime)) >= oldMark {
		f.marked.Store(&now.Ident)
	}
	return nil
}

// Has reports whether the content of a key is here: whole, as far as its size says. Only a folder that is marked as that of
// the share says no; of another, as an empty mount point, that is an error.
func (f *Folder) Has(key Key) (here bool, err error) {
	err = f.with("looking for a key", func(fsys disk.FS) error {
		info, err := fsys.Lstat(f.Name(key))
		if missing(err) {
			return f.checkMark(fsys)
		}
		size, known := key.Size()
		here = err == nil && info.Type == 0 && (!known || size == info.Ident.Size)
		return err
	})
	return here, err
}

// Ready is nil when the folder is there, and is that of the share.
func (f *Folder) Ready() error {
	return f.with("looking at the folder", func(fsys disk.FS) error { return f.checkMark(fsys) })
}

// missing reports whether an error says that nothing has a name.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// Remove removes the content of a key from the folder, and with that from the share, once a node has seen it. removed: it
// was here. What two nodes stored at once under one name, as they do of a key that is encrypted twice, goes with it.
func (f *Folder) Remove(key Key) (removed bool, err error) {
	err = f.with("removing a key", func(fsys disk.FS) error {
		name := f.Name(key)
		if f.fixed != "" && f.replaced(fsys, key) {
			return nil
		}
		err := fsys.Remove(name)
		if missing(err) {
			return f.checkMark(fsys)
		}
		if err != nil {
			return err
		}
		removed = true
		if f.fixed != "" {
			return nil // a conflict copy in a tree is what somebody else wrote
		}
		return removeCopies(fsys, name)
	})
	return removed, err
}

// removeCopies removes the conflict copies of a file.
func removeCopies(fsys disk.FS, name string) error {
	dir := path.Dir(name)
	names, err := fsys.ReadDir(dir)
	if missing(err) {
		return nil
	}
	for _, other := range names {
		other = path.Join(dir, other)
		if other == name || !slices.Contains(index.Touches(other), name) {
			continue
		}
		if removeErr := fsys.Remove(other); removeErr != nil && !missing(removeErr) {
			err = errors.Join(err, removeErr)
		}
	}
	return err
}

// A meter tells how many bytes are done, from the beginning of the file, not too often.
type meter struct {
	tell func(done int64)
	last time.Time
}

// tellEvery is how often progress is told: git-annex takes less than once a second for a stall.
const tellEvery = 200 * time.Millisecond

func newMeter(tell func(int64)) *meter { return &meter{tell, time.Now()} }

func (m *meter) at(done int64) {
	if now := time.Now(); m.tell != nil && now.Sub(m.last) >= tellEvery {
		m.tell(done)
		m.last = now
	}
}

// stopped is why a context is done; nil while it is not.
func stopped(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
