package keystore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync/atomic"
	"time"

	"shoal/share/disk"
)

// Put stores the content of a key that is in the file from. When it returns the content is durable under its name. Content
// that is there already, and is the same, stays as it is: for the share nothing has changed then. progress is told the
// bytes that are done; nil tells nobody.
func (f *Folder) Put(ctx context.Context, key Key, from string, progress func(done int64)) error {
	src, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("storing a key: %w", err)
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return fmt.Errorf("storing a key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("storing a key: %s is no file", from)
	}
	if size, known := key.Size(); known && size != info.Size() {
		return fmt.Errorf("storing a key: %s has %d bytes, and the key says %d", from, info.Size(), size)
	}
	return f.with("storing a key", func(fsys disk.FS) error {
		if err := f.checkMark(fsys); err != nil {
			return err
		}
		if f.clean() {
			removeStale(fsys)
		}
		buffers := f.buffers.Get().(*[2 * chunk]byte)
		defer f.buffers.Put(buffers)
		p := &putting{ctx: ctx, fs: fsys, src: src, size: info.Size(), name: f.Name(key), meter: newMeter(progress),
			open: f.fixed != "", buf: buffers[:chunk], other: buffers[chunk:]}
		return p.run()
	})
}

// putting is one Put.
type putting struct {
	ctx   context.Context
	fs    disk.FS
	src   io.ReaderAt
	size  int64
	name  string
	open  bool // to read for whoever can reach it, as files of a tree are
	temp  string
	meter *meter

	buf, other []byte
}

func (p *putting) run() error {
	same, err := p.isThere()
	if err != nil || same {
		return err
	}
	if err := p.write(); err != nil {
		return err
	}
	if p.open {
		if err := p.fs.Chmod(p.temp, 0o644); err != nil {
			return errors.Join(err, p.fs.Remove(p.temp))
		}
	}
	if err := p.place(); err != nil {
		_ = p.fs.Remove(p.temp)
		return err
	}
	return nil
}

// isThere reports whether the content has its name already, durably.
func (p *putting) isThere() (bool, error) {
	old, err := p.fs.Open(p.name)
	if err != nil {
		return false, nil // nothing is there, or what is to be replaced
	}
	defer old.Close()
	if info, err := old.Stat(); err != nil || info.Ident.Size != p.size {
		return false, nil
	}
	ours, theirs := p.buf, p.other
	for off := int64(0); off < p.size; off += chunk {
		if err := stopped(p.ctx); err != nil {
			return false, err
		}
		n := min(chunk, p.size-off)
		if _, err := readAt(p.src, ours[:n], off); err != nil {
			return false, err
		}
		if _, err := readAt(old, theirs[:n], off); err != nil || !bytes.Equal(ours[:n], theirs[:n]) {
			return false, nil
		}
		p.meter.at(off + n)
	}
	return true, p.fs.SyncDir(path.Dir(p.name)) // who put it may have been killed before that
}

// readAt is io.ReaderAt.ReadAt that takes the end of a file for what it is when all was read.
func readAt(r io.ReaderAt, b []byte, off int64) (int, error) {
	n, err := r.ReadAt(b, off)
	switch {
	case n == len(b):
		return n, nil
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

func newTemp() string { return temps + "/" + rand.Text() }

// write writes the content to a temporary file, durably.
func (p *putting) write() (err error) {
	p.temp = newTemp()
	dst, err := p.fs.Create(p.temp)
	if missing(err) {
		if err = makeDir(p.fs, temps); err == nil {
			dst, err = p.fs.Create(p.temp)
		}
	}
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, dst.Close()); err != nil {
			_ = p.fs.Remove(p.temp)
		}
	}()
	for off := int64(0); off < p.size; {
		if err := stopped(p.ctx); err != nil {
			return err
		}
		n, err := readAt(p.src, p.buf[:min(chunk, p.size-off)], off)
		if err != nil {
			return fmt.Errorf("reading the content: %w", err)
		}
		if _, err := dst.WriteAt(p.buf[:n], off); err != nil {
			return err
		}
		off += int64(n)
		p.meter.at(off)
	}
	return dst.Sync()
}

// placeTries is how often a name is given when others store and remove the same key all the time.
const placeTries = 100

// place gives the temporary file its name, durably.
func (p *putting) place() error {
	dir := path.Dir(p.name)
	err := fs.ErrNotExist
	for range placeTries {
		err = p.fs.RenameNew(p.temp, p.name)
		switch {
		case missing(err):
			if dirErr := makeDirs(p.fs, dir); dirErr != nil {
				err = dirErr
			}
		case errors.Is(err, fs.ErrExist):
			err = p.replace()
		}
		if !missing(err) {
			break
		}
	}
	if err != nil {
		return err
	}
	return p.fs.SyncDir(dir)
}

// replace puts the content in the place of another: what was there was cut, or another process has just stored it.
func (p *putting) replace() error {
	err := p.fs.Exchange(p.temp, p.name)
	if errors.Is(err, disk.ErrNoExchange) {
		return p.fs.Rename(p.temp, p.name)
	}
	if err == nil {
		err = p.fs.Remove(p.temp)
	}
	return err
}

// makeDirs makes a directory of keys and those above it, durably.
func makeDirs(fsys disk.FS, dir string) error {
	if dir == "." {
		return nil
	}
	err := makeDir(fsys, dir)
	if missing(err) {
		if err = makeDirs(fsys, path.Dir(dir)); err == nil {
			err = makeDir(fsys, dir)
		}
	}
	if err == nil {
		err = fsys.SyncDir(path.Dir(dir))
	}
	return err
}

// makeDir makes a directory, if it is not there.
func makeDir(fsys disk.FS, dir string) error {
	if err := fsys.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// removeStale removes temporary files that were left by processes that were killed.
func removeStale(fsys disk.FS) {
	names, err := fsys.ReadDir(temps)
	if err != nil {
		return
	}
	for _, name := range names {
		temp := temps + "/" + name
		info, err := fsys.Lstat(temp)
		if err == nil && info.Type == 0 && time.Since(time.Unix(0, info.Ident.MTime)) > staleFor {
			_ = fsys.Remove(temp)
		}
	}
}

// once is true the first time.
func once() func() bool {
	var done atomic.Bool
	return func() bool { return !done.Swap(true) }
}
