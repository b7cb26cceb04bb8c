package node

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/share/api"
)

func TestStatusCountsCopies(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "X", "big.bin": bigContent})
	b := a.joiner("b", "write", api.ShareConfig{})
	a.admitted(b)
	a.inSync()
	b.inSync()
	waitFor(t, "a copy", func() bool {
		s, err := b.Status(t.Context(), "s")
		return err == nil && s.FullCopies == 1 && s.SafeToLeave
	})
	// A node that holds a copy no longer, or never did, is no copy.
	if _, err := a.Drop(short(t, time.Minute), "s", []string{"x"}, false); err != nil {
		t.Fatal(err)
	}
	full, safe, asked, err := b.engine().promise.countCopies(t.Context())
	if err != nil || full != 0 || safe || !asked {
		t.Fatalf("%d copies, safe %v, asked %v, %v", full, safe, asked, err)
	}
}

// A store counts what others say they have, and is never safe to leave: it cannot read who they are.
func TestStoreCountsCopies(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "X", "big.bin": bigContent})
	s := a.joiner("s", "store", api.ShareConfig{})
	waitFor(t, "a copy", func() bool {
		st, err := s.Status(t.Context(), "s")
		return err == nil && st.FullCopies == 1 && !st.SafeToLeave
	})
	units, whole, err := s.engine().store.units(t.Context())
	if err != nil || !whole || len(units) != 4 { // x; recipe, info and stripe of big.bin
		t.Fatalf("%d units, whole %v, %v", len(units), whole, err)
	}
	if err := os.Remove(filepath.Join(a.dir, "x")); err != nil {
		t.Fatal(err)
	}
	full, safe, _, err := s.engine().promise.countCopies(t.Context())
	if err != nil || full != 0 || safe {
		t.Fatalf("a copy that is gone counts: %d, %v, %v", full, safe, err)
	}
	// With a policy that names another store of the same, it may go.
	o := a.joiner("o", "store", api.ShareConfig{})
	p := policy{N: 1, R: 2, Stores: map[[32]byte]int64{s.engine().pk: 1, o.engine().pk: 1}}
	if err := a.engine().setPolicy(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a copy that counts", func() bool {
		_, safe, _, err := s.engine().promise.countCopies(t.Context())
		return err == nil && safe
	})
}
