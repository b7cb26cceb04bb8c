package disk_test

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
)

func TestHashFile(t *testing.T) {
	t.Parallel()
	broken := errors.New("no room for the result")
	for _, test := range []struct {
		name  string
		times int // that read is called
		on    func(x *bench, call int)
		err   error
		is    error
	}{
		{"quiet", 1, func(*bench, int) {}, nil, nil},
		{"an error of read", 1, func(*bench, int) {}, broken, broken},
		{"written once", 2, func(x *bench, call int) {
			if call == 1 {
				x.write("a", "other content")
			}
		}, nil, nil},
		{"written, and read fails for it", 2, func(x *bench, call int) {
			if call == 1 {
				x.write("a", "")
			}
		}, nil, nil},
		{"written all the time", 3, func(x *bench, call int) { x.write("a", "onf") }, nil, disk.ErrUnstable},
		{"replaced once", 2, func(x *bench, call int) {
			if call == 1 {
				x.write("b~", "another file")
				x.rename("b~", "a")
			}
		}, nil, nil},
		{"removed", 1, func(x *bench, call int) { x.remove("a") }, nil, syscall.ENOENT},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			x := tree(t, memfs.Options{})
			calls := 0
			var got []byte
			id, err := disk.HashFile(x.fs, "a", func(r io.ReaderAt, size int64) error {
				calls++
				x.pass(time.Second)
				test.on(x, calls)
				got = make([]byte, size)
				if n, err := r.ReadAt(got, 0); n < len(got) {
					return err
				}
				return test.err
			})
			if calls != test.times || !errors.Is(err, test.is) {
				t.Fatalf("read %d times, %v", calls, err)
			}
			if err == nil {
				info, statErr := x.fs.Lstat("a")
				if x.ok(statErr); id != info.Ident || int(id.Size) != len(got) {
					t.Fatalf("%+v is not what the file is", id)
				}
			}
		})
	}
}

// A large file that changes is not read to its end.
func TestHashFileStopsEarly(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	f, err := x.fs.User().Write("a")
	x.ok(err)
	x.ok(f.Truncate(256 << 20))
	var read int64
	_, err = disk.HashFile(x.fs, "a", func(r io.ReaderAt, size int64) error {
		x.pass(time.Second)
		x.ok(f.Truncate(size + 1))
		buf := make([]byte, 8<<20)
		for off := int64(0); off < size; off += int64(len(buf)) {
			n, err := r.ReadAt(buf, off)
			if read += int64(n); err != nil {
				return err
			}
		}
		return nil
	})
	if !errors.Is(err, disk.ErrUnstable) || read > 3*64<<20 {
		t.Fatalf("%d bytes read, %v", read, err)
	}
}

func TestHashFileOfNoFile(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	for _, p := range []string{"s", "d", "none", "s/x"} {
		if _, err := disk.HashFile(x.fs, p, func(io.ReaderAt, int64) error { return nil }); err == nil {
			t.Errorf("%s was read", p)
		}
	}
}
