package node

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"shoal/share/disk"
)

// readFS remembers which files of the folder were opened to be read.
type readFS struct {
	disk.FS
	mu   sync.Mutex // guards read
	read []string
}

func (f *readFS) Open(p string) (disk.File, error) {
	if !strings.HasPrefix(p, disk.Dir+"/") {
		f.mu.Lock()
		f.read = append(f.read, p)
		f.mu.Unlock()
	}
	return f.FS.Open(p)
}

// A node with 2,000 unchanged files, or with SHOAL_BIG 100,000, is started again: it looks at all of them, and reads none.
// What was changed while it was off is read, and nothing else.
func TestBigRestart(t *testing.T) {
	t.Parallel()
	count := 2000
	if os.Getenv("SHOAL_BIG") != "" {
		count = 100_000
	}
	r := newRig(t)
	for i := range count {
		name := filepath.Join(r.dir, fmt.Sprint("d", i/500), fmt.Sprint("f", i))
		if i%500 == 0 {
			if err := os.Mkdir(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(name, fmt.Appendf(nil, "content %d", i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_ = r.a.watched(nil)
	r.settle(r.a)
	home := r.a.node.home
	all := r.a.node.hashed.Load()
	files := func() int64 {
		s, err := r.a.node.Status(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		return s.Files
	}
	if n := files(); n != int64(count) || all < n {
		t.Fatalf("%d files, %d bytes hashed", n, all)
	}
	again := func() (*engine, *readFS) {
		t.Helper()
		if err := r.a.node.Close(); err != nil {
			t.Fatal(err)
		}
		seen := &readFS{}
		n := r.open(home, func(f disk.FS) disk.FS { seen.FS = f; return seen })
		r.a = n.engines["s"]
		r.settle(r.a)
		if n := files(); n != int64(count) {
			t.Errorf("%d files", n)
		}
		return r.a, seen
	}
	for range 2 {
		if e, fs := again(); e.node.hashed.Load() != 0 || len(fs.read) != 0 {
			t.Errorf("%d bytes were hashed, and read was %d files: %.200q", e.node.hashed.Load(), len(fs.read), fs.read)
		}
	}
	changed := bytes.Repeat([]byte("x"), 77)
	if err := os.WriteFile(filepath.Join(r.dir, "d1", "f777"), changed, 0o644); err != nil {
		t.Fatal(err)
	}
	if e, fs := again(); e.node.hashed.Load()%77 != 0 || e.node.hashed.Load() == 0 || strings.Trim(strings.Join(fs.read, " "), "d1/f7 ") != "" {
		t.Errorf("%d bytes were hashed, and read was %.200q", e.node.hashed.Load(), fs.read)
	}
}
