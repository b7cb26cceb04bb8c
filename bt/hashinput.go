package bt

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// hashChunk is how much is hashed at once: whole blocks, and small enough to stay in the processor's cache.
const hashChunk = 256 << 10

// A hashInput reads the files that are to be hashed. It keeps the last one open, since a piece begins where the one
// before it ended.
type hashInput struct {
	file   hashFile
	opened int    // its number; -1 = none is open
	buf    []byte // made when it is needed
}

// errChanged is why a file that is being written cannot be hashed.
var errChanged = errors.New("it changed while it was read")

// open opens file i, if it is another than the last, and reports whether it is.
func (in *hashInput) open(i int, name string) (opened bool, err error) {
	if in.opened == i {
		return false, nil
	}
	in.close()
	if in.file, err = openHashFile(name); err != nil {
		return false, err
	}
	in.opened = i
	return true, nil
}

func (in *hashInput) close() {
	if in.opened >= 0 {
		in.file.close()
	}
	in.opened = -1
}

// each hands n bytes of the file at off to sum, in order, in whole chunks but for the last. Of a file that is shorter
// the error is errChanged. sum must not keep what it gets.
func (in *hashInput) each(ctx context.Context, off, n int64, sum func([]byte)) error {
	for n > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		done, err := in.file.mapped(off, n, sum)
		if err == nil && done == 0 {
			done, err = in.read(off, n, sum)
		}
		if err != nil {
			return err
		}
		off, n = off+done, n-done
	}
	return nil
}

// read hands on a chunk by way of a buffer.
func (in *hashInput) read(off, n int64, sum func([]byte)) (int64, error) {
	n = min(n, hashChunk)
	if int64(len(in.buf)) < n {
		in.buf = make([]byte, n)
	}
	if _, err := in.file.ReadAt(in.buf[:n], off); errors.Is(err, io.EOF) {
		return 0, errChanged
	} else if err != nil {
		return 0, err
	}
	sum(in.buf[:n])
	return n, nil
}

// chunks hands b to sum.
func chunks(b []byte, sum func([]byte)) {
	for len(b) > 0 {
		n := min(hashChunk, len(b))
		sum(b[:n])
		b = b[n:]
	}
}

// A hashStat is what is looked at to see whether a file has changed.
type hashStat struct {
	size       int64
	mtime      int64 // nanoseconds since 1970
	regular    bool
	executable bool // by its owner
}

func hashStatOf(info fs.FileInfo) hashStat {
	return hashStat{info.Size(), info.ModTime().UnixNano(), info.Mode().IsRegular(), info.Mode()&0o100 != 0}
}
