package node

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The first sync of many small files; SHOAL_PERF says how many. Figures are for make bench: nothing is asserted here.
func TestPerfMany(t *testing.T) {
	count := 0
	fmt.Sscan(os.Getenv("SHOAL_PERF"), &count)
	if count == 0 {
		t.Skip("SHOAL_PERF says how many files")
	}
	a, b := newMachine(t, "a"), newMachine(t, "b")
	content := bytes.Repeat([]byte("x"), 16<<10)
	for i := range count {
		write(t, a.dir, fmt.Sprintf("d%d/f%d", i/1000, i), append([]byte(fmt.Sprint(i)), content...))
	}
	began := time.Now()
	a.create()
	for a.n.all()[0].view.State != "in-sync" {
		time.Sleep(10 * time.Millisecond)
	}
	t.Log("indexed in", time.Since(began))
	began = time.Now()
	b.join(a, "write", a)
	b.synced()
	t.Log("synced in", time.Since(began))
}

// The first sync of one large file, and of a byte changed in it; SHOAL_PERF_LARGE says how many MiB.
func TestPerfLarge(t *testing.T) {
	mib := 0
	fmt.Sscan(os.Getenv("SHOAL_PERF_LARGE"), &mib)
	if mib == 0 {
		t.Skip("SHOAL_PERF_LARGE says how many MiB")
	}
	a, b := newMachine(t, "a"), newMachine(t, "b")
	content := make([]byte, mib<<20)
	rand.NewChaCha8([32]byte{1}).Read(content)
	write(t, a.dir, "large", content)
	began := time.Now()
	a.create()
	for a.n.all()[0].view.State != "in-sync" {
		time.Sleep(10 * time.Millisecond)
	}
	t.Log("indexed in", time.Since(began))
	began = time.Now()
	b.join(a, "write", a)
	b.synced()
	t.Log("synced in", time.Since(began), "sent", a.n.written.Load())
	began = time.Now()
	f, err := os.OpenFile(filepath.Join(a.dir, "large"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte{content[len(content)/2] + 1}, int64(len(content)/2))
	f.Close()
	content[len(content)/2]++
	waitFor(t, "the byte", func() bool {
		got := make([]byte, 1)
		f, err := os.Open(filepath.Join(b.dir, "large"))
		if err != nil {
			return false
		}
		defer f.Close()
		f.ReadAt(got, int64(len(content)/2))
		return got[0] == content[len(content)/2]
	})
	t.Log("a byte took", time.Since(began))
}
