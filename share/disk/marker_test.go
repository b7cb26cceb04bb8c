package disk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shoal/bt"
)

func TestMarker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := OpenFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := ReadMark(f); !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
	for _, share := range []string{"one", "two"} {
		if err := WriteMark(f, share); err != nil {
			t.Fatal(err)
		}
		m, err := ReadMark(f)
		top, _ := f.Lstat(".")
		if err != nil || m != (Mark{share, top.Ident.Dev, top.Ident.Inode}) {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	if err := CheckMark(f, "two"); err != nil {
		t.Fatal(err)
	}
	if err := CheckMark(f, "one"); !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "a b", "a\nshare b"} {
		if WriteMark(f, bad) == nil {
			t.Errorf("%q is a share id", bad)
		}
	}
	// A marker that leads elsewhere is none.
	path := filepath.Join(dir, filepath.FromSlash(Marker))
	if err := errors.Join(os.Rename(path, path+".there"), os.Symlink("id.there", path)); err != nil {
		t.Fatal(err)
	}
	if err := CheckMark(f, "two"); !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
}

// Any text is a marker or none, and what it says can be written again.
func FuzzMarker(f *testing.F) {
	f.Add("shoal share 1\nshare abc\ndevice 1\ninode 2\n")
	f.Add("shoal share 1\nshare a b\ndevice -1\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMark(text)
		if err == nil && (m.Share == "" || strings.ContainsAny(m.Share, " \n\x00")) {
			t.Fatalf("%+v", m)
		}
		if err != nil && m != (Mark{}) {
			t.Fatalf("%+v with %v", m, err)
		}
	})
}

func TestLockFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := LockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockFolder(dir); !errors.Is(err, bt.ErrLocked) {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = LockFolder(dir); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := LockFolder(filepath.Join(dir, "none")); !errors.Is(err, syscall.ENOENT) {
		t.Fatal(err)
	}
	// Dir as a link must not put the lock elsewhere.
	out, other := t.TempDir(), t.TempDir()
	if err := os.Symlink(out, filepath.Join(other, Dir)); err != nil {
		t.Fatal(err)
	}
	if l, err := LockFolder(other); err == nil {
		l.Close()
		t.Fatal("the lock is outside of the folder")
	}
}
