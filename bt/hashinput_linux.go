package bt

import (
	"cmp"
	"errors"
	"io"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// A hashFile is a bare descriptor: to open what package os opens takes more system calls than a small file does to be
// read.
type hashFile int

// openHashFile opens a file to read. It does not wait for one that has become a pipe.
func openHashFile(name string) (hashFile, error) {
	for {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		switch {
		case err == nil:
			return hashFile(fd), nil
		case !errors.Is(err, unix.EINTR):
			return -1, &os.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

func (f hashFile) close() { _ = unix.Close(int(f)) }

func (f hashFile) stat() (hashStat, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f), &st)
	return hashStatFrom(&st), err
}

// statHashFile looks at a file by its name.
func statHashFile(name string) (hashStat, error) {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return hashStat{}, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	return hashStatFrom(&st), nil
}

func hashStatFrom(st *unix.Stat_t) hashStat {
	return hashStat{st.Size, unix.TimespecToNsec(st.Mtim), st.Mode&unix.S_IFMT == unix.S_IFREG, st.Mode&unix.S_IXUSR != 0}
}

// ReadAt fills b, unless the file ends before that.
func (f hashFile) ReadAt(b []byte, off int64) (done int, err error) {
	for done < len(b) {
		n, err := unix.Pread(int(f), b[done:], off+int64(done))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return done, os.NewSyscallError("read", err)
		case n == 0:
			return done, io.EOF
		}
		done += max(n, 0)
	}
	return done, nil
}

const (
	mapLeast = 64 << 10 // to map less costs more than to copy it
	mapMost  = 4 << 20  // what is mapped counts as memory of the process
)

// mapped hands bytes at off, at most n, to sum as they lie in the page cache: to copy them would cost a fifth of the
// time that it takes to hash them. It does nothing when they are few, or when the file cannot be mapped.
func (f hashFile) mapped(off, n int64, sum func([]byte)) (done int64, err error) {
	if n < mapLeast {
		return 0, nil
	}
	n = min(n, mapMost)
	lead := off % int64(os.Getpagesize())
	b, err := unix.Mmap(int(f), off-lead, int(lead+n), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, nil // some file systems cannot
	}
	defer unix.Munmap(b)
	// What lies beyond the end of a file that has been cut, or what the disk does not give, is a fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			if _, ok := v.(interface{ Addr() uintptr }); !ok {
				panic(v)
			}
			done, err = 0, f.fault(off, n)
		}
	}()
	chunks(b[lead:], sum)
	// The rest of the last page of a file is zeros, and no fault.
	if st, err := f.stat(); err != nil || st.size < off+n {
		return 0, cmp.Or(err, errChanged)
	}
	return n, nil
}

// fault says why bytes cannot be had.
func (f hashFile) fault(off, n int64) error {
	buf := make([]byte, hashChunk)
	for end := off + n; off < end; off += hashChunk {
		if _, err := f.ReadAt(buf[:min(hashChunk, end-off)], off); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return errChanged
}
