package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"shoal/share/disk"
)

// Get writes the content of a key to the file to, from the front and in order: git-annex hashes it while it grows. What is
// there already, and is the beginning of the content, stays. fs.ErrNotExist: it is not here. progress is told the bytes
// that are done; nil tells nobody.
func (f *Folder) Get(ctx context.Context, key Key, to string, progress func(done int64)) error {
	return f.with("fetching a key", func(fsys disk.FS) error {
		src, err := fsys.Open(f.Name(key))
		if err != nil {
			if missing(err) {
				if markErr := f.checkMark(fsys); markErr != nil {
					return markErr
				}
			}
			return err
		}
		defer src.Close()
		info, err := src.Stat()
		if err != nil {
			return err
		}
		if size, known := key.Size(); known && size != info.Ident.Size {
			return fmt.Errorf("%s has %d bytes, and the key says %d", f.Name(key), info.Ident.Size, size)
		}
		buffers := f.buffers.Get().(*[2 * chunk]byte)
		defer f.buffers.Put(buffers)
		return deliver(ctx, src, info.Ident.Size, to, newMeter(progress), buffers)
	})
}

// deliver makes the file to what src is, in order.
func deliver(ctx context.Context, src io.ReaderAt, size int64, to string, m *meter, buffers *[2 * chunk]byte) (err error) {
	dst, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	buf := buffers[:chunk]
	off, there, err := agreed(ctx, src, size, dst, buf, buffers[chunk:])
	if err != nil {
		return err
	}
	if there > off { // the call costs a file system something even if nothing is cut
		if err := dst.Truncate(off); err != nil {
			return err
		}
	}
	for off < size {
		if err := stopped(ctx); err != nil {
			return err
		}
		n, err := readAt(src, buf[:min(chunk, size-off)], off)
		if err != nil {
			return fmt.Errorf("reading the content: %w", err)
		}
		if _, err := dst.WriteAt(buf[:n], off); err != nil {
			return err
		}
		off += int64(n)
		m.at(off)
	}
	return nil
}

// agreed is how many bytes at the front of dst are those of src, and how many dst has.
func agreed(ctx context.Context, src io.ReaderAt, size int64, dst *os.File, buf, there []byte) (off, has int64, err error) {
	info, err := dst.Stat()
	if err != nil || info.Size() == 0 {
		return 0, 0, err
	}
	has = info.Size()
	end := min(size, has)
	for off < end {
		if err := stopped(ctx); err != nil {
			return off, has, err
		}
		n := min(chunk, end-off)
		if _, err := readAt(src, buf[:n], off); err != nil {
			return off, has, fmt.Errorf("reading the content: %w", err)
		}
		if _, err := readAt(dst, there[:n], off); err != nil {
			return off, has, err
		}
		if !bytes.Equal(buf[:n], there[:n]) {
			return off, has, nil
		}
		off += n
	}
	return off, has, nil
}
