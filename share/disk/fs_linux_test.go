package disk

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestFSWalks is the way without openat2: links and pipes are refused by it too.
func TestFSWalks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := OpenFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.(*realFS).walk.Store(true)
	for _, err := range []error{f.Mkdir("a", 0o755), f.Mkdir("a/b", 0o755), f.Mkdir("a/b/c", 0o755), f.Symlink("a", "l"),
		unix.Mkfifo(dir+"/a/pipe", 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	file, err := f.Create("a/b/c/d")
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if names, err := f.ReadDir("a/b/c"); err != nil || len(names) != 1 {
		t.Errorf("%q, %v", names, err)
	}
	for _, name := range []string{"l/b/c/d", "l", "a/pipe", "../x", "a/b/c/d/e", "a/none/c"} {
		if file, err := f.Open(name); err == nil {
			file.Close()
			t.Errorf("%s was opened", name)
		}
	}
	if info, err := f.Lstat("a/b/c/d"); err != nil || info.Type != 0 {
		t.Errorf("%+v, %v", info, err)
	}
}
