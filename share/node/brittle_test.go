package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"shoal/share/disk"
)

// brittle is a file system that dies at a certain step: from then on everything fails, and of files that were not made
// durable before nothing, or half, is left.
type brittle struct {
	disk.FS
	b *breaking
}

type breaking struct {
	mu    sync.Mutex // guards what follows
	steps int        // until it dies; < 0 = never
	done  int
	fresh map[string]disk.File
	root  string
	opens int
}

var errPower = errors.New("the power is gone")

func (b *breaking) step() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	if b.steps >= 0 && b.done > b.steps {
		return errPower
	}
	return nil
}

func (b *breaking) synced(p string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p == "" {
		clear(b.fresh)
	}
	delete(b.fresh, p)
}

// cut makes files that were not made durable what a power cut leaves of them.
func (b *breaking) cut(t testing.TB) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p := range b.fresh {
		full := filepath.Join(b.root, p)
		if info, err := os.Stat(full); err == nil {
			if err := os.Truncate(full, info.Size()/2); err != nil {
				t.Fatal(err)
			}
		}
	}
	clear(b.fresh)
	b.steps = -1
}

func (f brittle) Create(p string) (disk.File, error) {
	if err := f.b.step(); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(p)
	f.b.mu.Lock()
	f.b.fresh[p] = file
	f.b.mu.Unlock()
	return brittleFile{file, f.b, p}, err
}

func (f brittle) Open(p string) (disk.File, error) {
	f.b.mu.Lock()
	if strings.HasPrefix(p, "blobs/") {
		f.b.opens++
	}
	f.b.mu.Unlock()
	file, err := f.FS.Open(p)
	if err != nil {
		return nil, err
	}
	return brittleFile{file, f.b, p}, nil
}

func (f brittle) Write(p string) (disk.File, error) {
	if err := f.b.step(); err != nil {
		return nil, err
	}
	file, err := f.FS.Write(p)
	if err != nil {
		return nil, err
	}
	return brittleFile{file, f.b, p}, nil
}

func (f brittle) Remove(p string) error {
	if err := f.b.step(); err != nil {
		return err
	}
	return f.FS.Remove(p)
}

func (f brittle) SyncAll(p string) error {
	if err := f.b.step(); err != nil {
		return err
	}
	f.b.synced("")
	return nil
}

func (f brittle) SyncDir(p string) error {
	if err := f.b.step(); err != nil {
		return err
	}
	return nil
}

type brittleFile struct {
	disk.File
	b *breaking
	p string
}

func (f brittleFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.b.step(); err != nil {
		return 0, err
	}
	f.b.mu.Lock()
	f.b.fresh[f.p] = f.File
	f.b.mu.Unlock()
	return f.File.WriteAt(p, off)
}

func (f brittleFile) Sync() error {
	if err := f.b.step(); err != nil {
		return err
	}
	f.b.synced(f.p)
	return nil
}
