package keystore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shoal/share/api"
)

func (f *fake) Free(_ context.Context, _ string, paths []string, copies int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.freed = append(f.freed, paths...)
	if copies < 1 {
		return errors.New("nobody was to have it")
	}
	return nil
}

func (f *fake) Status(context.Context, string) (*api.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.promises++ // it arrives while somebody looks
	return &api.Status{Sent: int64(f.promises)}, nil
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	return os.SameFile(infoA, infoB)
}

// A thin store has no second copy, is done when others have theirs, counts nothing else, and tells the node at its end what
// git-annex has dropped, of this time and, after it stored something, of those before.
func TestThin(t *testing.T) {
	t.Parallel()
	s, f := storeOf(t, func(o *Options, f *fake) { o.Thin, f.info.Config.OnDemand = true, true })
	dir := f.info.Dir
	object := write(t, filepath.Join(t.TempDir(), "object"), []byte("abc"))
	if err := s.Put(t.Context(), enc, object, nil); !errors.Is(err, errWritable) {
		t.Fatalf("what can be written to was shared: %v", err)
	}
	if err := os.Chmod(object, 0o444); err != nil {
		t.Fatal(err)
	}
	name := enc.Path(repository)
	// A copy that is there makes way, and what is stored again stays.
	write(t, filepath.Join(mkdirs(t, dir, name), filepath.Base(name)), []byte("abc"))
	for range 2 {
		f.promises = 0
		if err := s.Put(t.Context(), enc, object, nil); err != nil || f.promises == 0 {
			t.Fatal(err)
		}
		if !sameFile(t, object, filepath.Join(dir, name)) {
			t.Fatal("it is there twice")
		}
	}
	f.promises = 0
	is(t, s, "unknown") // what is here is the annex's own
	f.promises = 1
	is(t, s, "yes")
	left := enc + "left"
	write(t, filepath.Join(mkdirs(t, dir, left.Path(repository)), string(left)), []byte("of before"))
	if err := os.Remove(object); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if want := []string{name, left.Path(repository)}; len(f.freed) != 2 || !slices.Contains(f.freed, want[0]) || !slices.Contains(f.freed, want[1]) {
		t.Errorf("%v was given up, want %v", f.freed, want)
	}
}

func mkdirs(t *testing.T, dir, name string) string {
	t.Helper()
	p := filepath.Join(dir, filepath.Dir(name))
	if err := os.MkdirAll(p, 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

// Without storing, what is given up is of what git-annex asked for.
func TestThinGivesUpWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	s, f := storeOf(t, func(o *Options, f *fake) { o.Thin, f.info.Config.OnDemand, f.promises = true, true, 5 })
	for _, key := range []Key{enc, enc + "other"} {
		name := key.Path(repository)
		write(t, filepath.Join(mkdirs(t, f.info.Dir, name), string(key)), []byte("abc"))
	}
	is(t, s, "yes")
	if err := s.Close(); err != nil || !slices.Equal(f.freed, []string{enc.Path(repository)}) {
		t.Errorf("%v was given up, %v", f.freed, err)
	}
}

// A share that keeps everything here would keep second copies.
func TestThinWantsOnDemand(t *testing.T) {
	t.Parallel()
	s, _ := storeOf(t, func(o *Options, _ *fake) { o.Thin = true })
	if err := s.Put(t.Context(), enc, "/dev/null", nil); err == nil || !strings.Contains(err.Error(), "--on-demand") {
		t.Error(err)
	}
}
