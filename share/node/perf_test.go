package node

import (
	"bytes"
	"fmt"
	"os"
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
