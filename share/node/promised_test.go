package node

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

// Others are asked for the promise to keep a file by those who have it, and by those who have not; strangers do not count.
func TestPromised(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "X", "big.bin": bigContent, "empty": "", "dir/y": "Y"})
	b := a.joiner("b", "write", api.ShareConfig{OnDemand: true})
	for _, name := range []string{"x", "big.bin", "empty"} {
		p, err := b.Promised(short(t, time.Minute), "s", name, 1)
		if err != nil || p.Copies != 1 {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		_, err = b.Promised(short(t, time.Minute), "s", name, 2)
		wantCode(t, err, codeHeld)
	}
	// a has promised them, and b is not listed.
	_, err := a.Drop(short(t, time.Minute), "s", []string{"x"}, false)
	wantCode(t, err, codeHeld)
	_, err = a.Promised(short(t, time.Minute), "s", "x", 1)
	wantCode(t, err, codeHeld)
	// It is listed, and has nothing; then it has.
	a.admitted(b)
	_, err = a.Promised(short(t, time.Minute), "s", "big.bin", 1)
	wantCode(t, err, codeHeld)
	if _, err := b.Get(short(t, time.Minute), "s", []string{"big.bin"}, ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a promise", func() bool {
		_, err := a.Promised(short(t, time.Minute), "s", "big.bin", 1)
		return err == nil
	})
	_, err = a.Promised(t.Context(), "s", "dir", 1)
	wantCode(t, err, bt.Usage)
	_, err = a.Promised(t.Context(), "s", "none", 1)
	wantCode(t, err, bt.NotFound)
	_, err = a.Promised(t.Context(), "s", "x", 0)
	wantCode(t, err, bt.Usage)
}

// boaster is the ledger of a node that says it has everything.
type boaster struct{ ledger }

func (b boaster) holds(_ context.Context, units []unit, _ bool) ([]bool, error) {
	have := make([]bool, len(units))
	for i := range have {
		have[i] = true
	}
	return have, nil
}

// A promise counts only when content is shown with it, whether who asks has the content or not. One that has what a large
// file is made of, and not the file, does not count.
func TestPromisesAreShown(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "X", "big.bin": bigContent})
	b := a.joiner("b", "write", api.ShareConfig{OnDemand: true})
	c := a.joiner("c", "write", api.ShareConfig{OnDemand: true})
	a.admitted(b)
	a.admitted(c)
	waitFor(t, "b and c to meet", func() bool { return len(b.engine().net.all()) == 2 && len(c.engine().net.all()) == 2 })
	k := b.engine().promise.keeper
	k.ledger = boaster{k.ledger}
	for _, name := range []string{"x", "big.bin"} {
		for _, m := range []*testMember{b, c} { // of whom none has it, and a does; b now knows what the file is made of
			if _, err := m.Promised(short(t, time.Minute), "s", name, 1); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for range 5 {
			_, err := a.Promised(short(t, time.Minute), "s", name, 1)
			wantCode(t, err, codeHeld)
			_, err = c.Promised(short(t, time.Minute), "s", name, 2)
			wantCode(t, err, codeHeld)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "that a is gone", func() bool { return len(c.engine().net.all()) == 1 })
	for _, name := range []string{"x", "big.bin"} {
		_, err := c.Promised(short(t, time.Minute), "s", name, 1)
		wantCode(t, err, codeHeld)
	}
}

// Who waits for files is told how much of them has come.
func TestGetTells(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"big.bin": bigContent})
	b := a.joiner("b", "write", api.ShareConfig{OnDemand: true})
	items := func() []item {
		t.Helper()
		_, tree, err := b.reading("s")
		if err != nil {
			t.Fatal(err)
		}
		all, err := tree.items(t.Context(), []string{"big.bin"})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	told := make(chan api.Progress, 100)
	ctx := api.WithProgress(short(t, time.Minute), func(p api.Progress) {
		select {
		case told <- p:
		default:
		}
	})
	stop := b.engine().tellGetting(ctx, items())
	if p := <-told; p.Path != "big.bin" || p.Done != 0 || p.Total != int64(len(bigContent)) {
		t.Errorf("before: %+v", p)
	}
	if _, err := b.Get(ctx, "s", []string{"big.bin"}, ""); err != nil {
		t.Fatal(err)
	}
	for p := range told {
		if p.Done == p.Total {
			break
		}
	}
	stop()
	if _, err := b.Get(ctx, "s", []string{"big.bin"}, filepath.Join(t.TempDir(), "out")); err != nil {
		t.Fatal(err)
	}
}
