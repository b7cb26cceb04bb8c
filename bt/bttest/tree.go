package bttest

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// RandomBytes are n bytes that are always the same for a seed.
func RandomBytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// RandomFile writes a new file of n random bytes and returns its path.
func RandomFile(t T, dir, name string, n int) string {
	t.Helper()
	path := filepath.Join(dir, name)
	writeFile(t, path, RandomBytes(uint64(n), n))
	return path
}

// SparseFile makes a file of zeros but for a few bytes at both ends and in the middle, which takes no room on disk.
func SparseFile(t T, dir, name string, size int64) string {
	t.Helper()
	path := filepath.Join(dir, name)
	writeFile(t, path, nil)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatalf("making sparse file: %v", err)
	}
	defer f.Close()
	for i, off := range []int64{0, size / 2, size - 4} {
		if _, err := f.WriteAt(fmt.Appendf(nil, "pt %d", i)[:4], off); err != nil {
			t.Fatalf("making sparse file: %v", err)
		}
	}
	return path
}

// ManyFiles makes a folder of n small files in subfolders of a hundred.
func ManyFiles(t T, dir, name string, n int) string {
	t.Helper()
	root := filepath.Join(dir, name)
	for i := range n {
		writeFile(t, filepath.Join(root, fmt.Sprintf("%03d", i/100), fmt.Sprintf("%05d.txt", i)), RandomBytes(uint64(i), i%97))
	}
	return root
}

// OddNames are names of files that programs stumble over, though each client here keeps them as they are.
func OddNames() []string {
	return []string{
		"empty", " leading and trailing ", "-dash", "--", "#hash %41 100%", "quote'\"`", "colon:star*?<>|", "ünïcödé",
		"日本語.txt", "\U0001f980", "e\u0301 is not \u00e9", "...", "CON", "aux.txt", "trailing dot.",
		strings.Repeat("long", 60) + ".bin", filepath.Join("a", "b", "c", "deep"),
	}
}

// WildNames are legal names on Linux that libtorrent replaces: a torrent of them needs another maker and another seed.
func WildNames() []string {
	return []string{
		"new\nline", "tab\tand\x1b[31mescape", "back\\slash", "right\u202eto-left", "case", "Case", filepath.Join("CASE", "x"),
		"latin \xe9.txt",
	}
}

// Tree makes a folder of files of those names; one called empty is, the others have up to 100 KB.
func Tree(t T, dir, name string, names []string) string {
	t.Helper()
	root := filepath.Join(dir, name)
	for i, odd := range names {
		n := 0
		if odd != "empty" {
			n = 1 + i*i*i*7%100_000
		}
		writeFile(t, filepath.Join(root, odd), RandomBytes(uint64(i), n))
	}
	return root
}

// CompareTrees fails the test unless two files or folders hold the same files with the same bytes, and nothing else;
// empty folders do not count.
func CompareTrees(t T, got, want string) {
	t.Helper()
	a, b := listFiles(t, want), listFiles(t, got)
	for path := range b {
		if !a[path] {
			t.Fatalf("%s: there is a %q that should not be", got, path)
		}
	}
	for path := range a {
		if !b[path] {
			t.Fatalf("%s: %q is missing", got, path)
		}
		if err := sameFile(filepath.Join(got, path), filepath.Join(want, path)); err != nil {
			t.Fatalf("%v", err)
		}
	}
}

func listFiles(t T, root string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		found[rel] = true
		return err
	})
	if err != nil {
		t.Fatalf("listing %s: %v", root, err)
	}
	return found
}

// sameFile compares piece by piece: a file may be larger than memory.
func sameFile(got, want string) error {
	f, err := os.Open(got)
	if err != nil {
		return err
	}
	defer f.Close()
	g, err := os.Open(want)
	if err != nil {
		return err
	}
	defer g.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	gi, err := g.Stat()
	if err != nil {
		return err
	}
	if fi.Size() != gi.Size() {
		return fmt.Errorf("%s has %d bytes, want %d", got, fi.Size(), gi.Size())
	}
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for off := int64(0); off < fi.Size(); off += int64(len(a)) {
		n, err := f.ReadAt(a, off)
		m, err2 := g.ReadAt(b, off)
		if !bytes.Equal(a[:n], b[:m]) {
			return fmt.Errorf("%s differs within the MiB at %d (%v, %v)", got, off, err, err2)
		}
	}
	return nil
}

func writeFile(t T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatalf("writing %s: %v", path, err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatalf("writing %s: %v", path, err)
	}
}

// worldReadableDir is a temporary folder that a program without rights can enter.
func worldReadableDir(t T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bttest")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatalf("making a folder: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
