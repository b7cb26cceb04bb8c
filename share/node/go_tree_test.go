package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tree of a real project, that of Go's own source, goes through three nodes in a row and is the same at the end, with
// modes, times and symbolic links; some of it in each run, all of it by make big. Then a branch is changed at the far end.
func TestBigGoTree(t *testing.T) {
	t.Parallel()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("there is no Go here:", err)
	}
	src, dirs := filepath.Join(strings.TrimSpace(string(root)), "src"), []string{"go/doc", "archive", "embed"}
	if os.Getenv("SHOAL_BIG") != "" {
		dirs = []string{"."}
	}
	a, b, c := newMachine(t, "a"), newMachine(t, "b"), newMachine(t, "c")
	for _, dir := range dirs {
		if err := os.CopyFS(filepath.Join(a.dir, dir), os.DirFS(filepath.Join(src, dir))); err != nil {
			t.Skip("there is no source of Go here:", err)
		}
	}
	odd(t, a.dir)
	a.create()
	b.join(a, "write", a)
	c.join(a, "write", b)
	c.synced()
	alike(t, a, c)
	if n := len(shape(t, c.dir)); os.Getenv("SHOAL_BIG") != "" && n < 10_000 {
		t.Errorf("only %d names", n)
	}
	first := filepath.Join(c.dir, dirs[0])
	if dirs[0] == "." {
		first = filepath.Join(c.dir, "go")
	}
	if err := os.Rename(first, filepath.Join(c.dir, "moved")); err != nil {
		t.Fatal(err)
	}
	alike(t, c, a)
}

// odd adds what Go's source does not have.
func odd(t *testing.T, dir string) {
	t.Helper()
	for _, err := range []error{
		os.Symlink("odd/script", filepath.Join(dir, "link")), os.Symlink("nowhere/at/all", filepath.Join(dir, "dangling")),
		os.Mkdir(filepath.Join(dir, "odd"), 0o700), os.Mkdir(filepath.Join(dir, "empty"), 0o755),
		os.WriteFile(filepath.Join(dir, "odd", "script"), []byte("#!/bin/sh\n"), 0o755),
		os.WriteFile(filepath.Join(dir, "odd", "nothing"), nil, 0o400),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// alike waits until the folder of another machine is as that of the first in everything.
func alike(t *testing.T, a, b *machine) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(300 * time.Millisecond) {
		d := differ(shape(t, a.dir), shape(t, b.dir))
		if len(d) == 0 {
			return
		}
		if time.Now().After(end) {
			slices.Sort(d)
			t.Fatalf("%d differences, such as %q", len(d), d[:min(len(d), 5)])
		}
	}
}
