package node

import (
	"fmt"
	"os"
	"testing"
	"time"

	"shoal/share/api"
	"shoal/share/blob"
)

// A store with many blobs: SHOAL_PERF says how many. Figures are for make bench: nothing is asserted here.
func TestPerfStore(t *testing.T) {
	count := 0
	fmt.Sscan(os.Getenv("SHOAL_PERF"), &count)
	if count == 0 {
		t.Skip("SHOAL_PERF says how many blobs")
	}
	r := newRig(t)
	home, dir := t.TempDir(), t.TempDir()
	s := r.join(r.open(home, nil), dir, "store", api.ShareConfig{})
	r.step(s)
	began := time.Now()
	lap := func(what string) { t.Log(what, time.Since(began)); began = time.Now() }
	content := noise(1, 4096)
	for i := range count {
		c, b := blob.Seal([32]byte{1}, blob.Data, nil, append([]byte(fmt.Sprint(i, " ")), content...))
		s.store.wantBlob(c.ID)
		if err := s.store.take(c.ID, b); err != nil {
			t.Fatal(err)
		}
	}
	r.step(s)
	lap("stored in")
	s.node.Close()
	s = r.open(home, nil).engines["s"]
	r.step(s)
	lap("opened again in")
	if _, err := s.node.collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	lap("collected, all of it garbage, in")
	if _, err := s.node.collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	lap("collected again in")
}
