package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// pollEvery is how often a folder is looked at.
const pollEvery = 10 * time.Millisecond

// perFolder is how many files of a tree lie in one folder.
const perFolder = 1000

// A tree is files that are all of the same size and all different.
type tree struct {
	files int
	size  int
}

func (t tree) folders() int { return (t.files + perFolder - 1) / perFolder }

func (t tree) in(folder int) int { return min(perFolder, t.files-folder*perFolder) }

func (t tree) path(dir string, i int) string {
	return filepath.Join(dir, fmt.Sprintf("d%04d", i/perFolder), fmt.Sprintf("f%07d", i))
}

// write makes the tree.
func (t tree) write(dir string) error {
	b := make([]byte, t.size)
	var seed [32]byte
	for i := range t.files {
		path := t.path(dir, i)
		if i%perFolder == 0 {
			if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
				return err
			}
		}
		binary.BigEndian.PutUint64(seed[:], uint64(i))
		_, _ = rand.NewChaCha8(seed).Read(b)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// wait waits until a folder has all files by name. It looks at one folder after the other, so that looking costs little:
// a full one stays full.
func (t tree) wait(ctx context.Context, dir string) error {
	for folder := 0; folder < t.folders(); {
		all, err := os.ReadDir(filepath.Dir(t.path(dir, folder*perFolder)))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		n := 0
		for _, f := range all {
			if strings.HasPrefix(f.Name(), "f") { // what is not whole has a name that begins with a dot
				n++
			}
		}
		if n == t.in(folder) {
			folder++
			continue
		}
		if err := pause(ctx, pollEvery); err != nil {
			return fmt.Errorf("waiting for %s: %d of %d files of folder %d are there: %w", dir, n, t.in(folder), folder, err)
		}
	}
	return nil
}

// same reports whether both folders have the tree.
func (t tree) same(a, b string) error {
	for i := range t.files {
		if err := sameFile(t.path(a, i), t.path(b, i)); err != nil {
			return err
		}
	}
	return nil
}

func sameFile(a, b string) error {
	x, err := os.Open(a)
	if err != nil {
		return err
	}
	defer x.Close()
	y, err := os.Open(b)
	if err != nil {
		return err
	}
	defer y.Close()
	p, q := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(x, p)
		m, err2 := io.ReadFull(y, q)
		if !bytes.Equal(p[:n], q[:m]) {
			return fmt.Errorf("%s and %s differ", a, b)
		}
		if err != nil && err2 != nil {
			return nil
		}
	}
}

// writeRandom makes a file that cannot be compressed and repeats nothing.
func writeRandom(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(rand.NewChaCha8([32]byte{'l'}), size), make([]byte, 1<<20)); err != nil {
		return err
	}
	return f.Close()
}

// turnByte changes one byte of a file in place, and says to what.
func turnByte(path string, off int64) (now byte, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, off); err != nil {
		return 0, err
	}
	b[0]++
	_, err = f.WriteAt(b, off)
	return b[0], errors.Join(err, f.Close())
}

// waitFile waits until a file of a size is there, and has a byte.
func waitFile(ctx context.Context, path string, size, off int64, want byte) error {
	for {
		if ok, err := fileHas(path, size, off, want); ok || err != nil {
			return err
		}
		if err := pause(ctx, pollEvery); err != nil {
			return fmt.Errorf("waiting for %s: %w", path, err)
		}
	}
}

func fileHas(path string, size, off int64, want byte) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() != size {
		return false, err
	}
	b := make([]byte, 1)
	_, err = f.ReadAt(b, off)
	return err == nil && b[0] == want, err
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
