package node

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

// What is freed goes only when another node shows that it has it, goes on when nobody waits, is in no archive, and can be had
// again. A file whose other name went a moment ago is not taken for one that was changed.
func TestFree(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "X", "big.bin": bigContent, "dir/y": "Y"})
	other := filepath.Join(t.TempDir(), "other")
	if err := os.Link(filepath.Join(a.dir, "big.bin"), other); err != nil {
		t.Skip(err)
	}
	b := a.joiner("b", "write", api.ShareConfig{})
	free := func(names ...string) error { return a.Free(short(t, time.Minute), "s", names, 1) }
	wantCode(t, a.Free(t.Context(), "s", []string{"x"}, 0), bt.Usage)
	wantCode(t, free("none"), bt.NotFound)
	wantCode(t, free("dir"), bt.Usage)
	wantCode(t, free("x"), codeHeld) // b is no member yet
	a.admitted(b)
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = a.Free(ctx, "s", []string{"big.bin"}, 1)
	waitFor(t, "that it is gone", func() bool {
		if a.has("big.bin") {
			_ = free("big.bin") // b may not have had it yet
		}
		return !a.has("big.bin")
	})
	err := filepath.WalkDir(a.dir, func(p string, d os.DirEntry, err error) error {
		if info, statErr := os.Stat(p); statErr == nil && info.Mode().IsRegular() && info.Size() == int64(len(bigContent)) {
			t.Errorf("%s is left", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !a.has("x") || !b.has("big.bin") {
		t.Error("more is gone than should")
	}
	if _, err := a.Get(short(t, time.Minute), "s", []string{"big.bin"}, ""); err != nil || a.read("big.bin") != bigContent {
		t.Error(err)
	}
}
