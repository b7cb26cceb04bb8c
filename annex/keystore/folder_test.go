package keystore

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
)

const (
	shareID    = "58b20f31f2aa5a80f4df3c14aa4b0b2f4b3a4c0bba9ce7bb1a07a0f0d07d6d6e"
	repository = "11111111-2222-3333-4444-555555555555"
	enc        = Key("GPGHMACSHA1--0123456789abcdef") // says no size
)

// marked is the folder of a share.
func marked(t *testing.T) (dir string, f *Folder) {
	t.Helper()
	dir = t.TempDir()
	fsys, err := disk.OpenFS(dir)
	if err == nil {
		err = errors.Join(disk.WriteMark(fsys, shareID), fsys.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, NewFolder(dir, shareID, repository)
}

func content(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// has checks whether a key is there.
func has(t *testing.T, f *Folder, key Key, want bool) {
	t.Helper()
	if here, err := f.Has(key); err != nil || here != want {
		t.Fatalf("%s is there: %v, %v, want %v", key, here, err, want)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir, f := marked(t)
	for _, size := range []int{0, 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 7} {
		data := content(size, 1)
		src, to := write(t, filepath.Join(t.TempDir(), "src"), data), filepath.Join(t.TempDir(), "to")
		has(t, f, enc, false)
		if err := f.Get(t.Context(), enc, to, nil); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("it is fetched: %v", err)
		}
		for range 2 { // the second time it is there already
			if err := f.Put(t.Context(), enc, src, nil); err != nil {
				t.Fatal(err)
			}
			has(t, f, enc, true)
		}
		// What is in the way of what comes: nothing, a part, all, more, and other bytes.
		for _, old := range [][]byte{nil, {}, data[:size/3], data, append(bytes.Clone(data), 'x'), content(size, 2), content(size+1, 3)} {
			if old != nil {
				write(t, to, old)
			}
			if err := f.Get(t.Context(), enc, to, nil); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes over %d: %d came, %v", size, len(old), len(got), err)
			}
		}
		for i := range 2 { // the second time it is not there
			if removed, err := f.Remove(enc); err != nil || removed != (i == 0) {
				t.Fatal(removed, err)
			}
		}
	}
	if names, err := os.ReadDir(filepath.Join(dir, temps)); err != nil || len(names) > 0 {
		t.Errorf("temporary files are left: %v, %v", names, err)
	}
}

// What is there is replaced by what is stored now, unless it is the same: then the file stays, for the share has nothing to
// tell.
func TestPutReplaces(t *testing.T) {
	t.Parallel()
	dir, f := marked(t)
	name := filepath.Join(dir, f.Name(enc))
	src := filepath.Join(t.TempDir(), "src")
	stat := func() os.FileInfo {
		t.Helper()
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	put := func(b []byte) os.FileInfo {
		t.Helper()
		if err := f.Put(t.Context(), enc, write(t, src, b), nil); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%q is there, %v", got, err)
		}
		return stat()
	}
	first := put([]byte("one"))
	if again := put([]byte("one")); !os.SameFile(first, again) {
		t.Error("what was there already was written anew")
	}
	put([]byte("two"))
	put([]byte("three"))
}

// Only the folder of the share says that a key is not there.
func TestFolderIsNotThere(t *testing.T) {
	t.Parallel()
	src := write(t, filepath.Join(t.TempDir(), "src"), []byte("x"))
	other := t.TempDir()
	for what, f := range map[string]*Folder{
		"no folder":   NewFolder(filepath.Join(other, "none"), shareID, repository),
		"not mounted": NewFolder(other, shareID, repository),
	} {
		if here, err := f.Has(enc); err == nil || here {
			t.Errorf("%s: a key is there: %v, %v", what, here, err)
		}
		if _, err := f.Remove(enc); err == nil {
			t.Errorf("%s: a key was removed", what)
		}
		if err := f.Put(t.Context(), enc, src, nil); err == nil {
			t.Errorf("%s: a key was stored", what)
		}
		if err := f.Get(t.Context(), enc, src+".to", nil); err == nil || errors.Is(err, fs.ErrNotExist) && what == "not mounted" {
			t.Errorf("%s: a key was fetched: %v", what, err)
		}
	}
}

// A marker that was right before is read again only when it has changed: what stands there in its place is noticed at once.
func TestFolderIsReplaced(t *testing.T) {
	t.Parallel()
	dir, f := marked(t)
	has(t, f, enc, false)
	if f.marked.Load() != nil {
		t.Error("a marker is trusted that may be written in this moment")
	}
	time.Sleep(oldMark + 100*time.Millisecond)
	has(t, f, enc, false)
	if f.marked.Load() == nil {
		t.Error("the marker is read each time")
	}
	name := filepath.Join(dir, disk.Marker)
	ours, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, bytes.Replace(ours, []byte(shareID[:4]), []byte("aaaa"), 1))
	if here, err := f.Has(enc); err == nil {
		t.Errorf("a folder of another share: %v", here)
	}
	write(t, name, ours)
	has(t, f, enc, false)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if here, err := f.Has(enc); err == nil {
		t.Errorf("a folder of no share: %v", here)
	}
}

// A size that a key says is believed: content that was cut is neither stored nor there.
func TestFolderChecksSizes(t *testing.T) {
	t.Parallel()
	dir, f := marked(t)
	key := Key("SHA256E-s10-S4-C3--abc")
	src := write(t, filepath.Join(t.TempDir(), "src"), []byte("abc"))
	if err := f.Put(t.Context(), key, src, nil); err == nil {
		t.Error("3 bytes were stored of a chunk of 2")
	}
	if err := f.Put(t.Context(), key, write(t, src, []byte("ab")), nil); err != nil {
		t.Fatal(err)
	}
	has(t, f, key, true)
	write(t, filepath.Join(dir, f.Name(key)), []byte("a"))
	has(t, f, key, false)
	if err := f.Get(t.Context(), key, src+".to", nil); err == nil {
		t.Error("what was cut was fetched")
	}
}

// Whoever else writes to the share may leave symbolic links; none leads out.
func TestFolderFollowsNoLinks(t *testing.T) {
	t.Parallel()
	dir, f := marked(t)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "annex")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(outside, "x"), []byte("secret"))
	src := write(t, filepath.Join(t.TempDir(), "src"), []byte("x"))
	if err := f.Put(t.Context(), enc, src, nil); err == nil {
		t.Error("a key was stored through a link")
	}
	if err := os.Remove(filepath.Join(dir, "annex")); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, f.Name(enc))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "x"), name); err != nil {
		t.Fatal(err)
	}
	has(t, f, enc, false)
	if err := f.Get(t.Context(), enc, src+".to", nil); err == nil {
		t.Error("a link was fetched")
	}
	if err := f.Put(t.Context(), enc, src, nil); err != nil {
		t.Fatal(err)
	}
	has(t, f, enc, true)
	if got, err := os.ReadFile(filepath.Join(outside, "x")); err != nil || string(got) != "secret" {
		t.Errorf("outside there is %q, %v", got, err)
	}
}

// Two nodes that store an encrypted key at once make a conflict; with the key its copies go, and nothing else.
func TestRemoveTakesConflictCopies(t *testing.T) {
	t.Parallel()
	dir, f := marked(t)
	name := filepath.Join(dir, f.Name(enc))
	if err := f.Put(t.Context(), enc, write(t, filepath.Join(t.TempDir(), "src"), []byte("x")), nil); err != nil {
		t.Fatal(err)
	}
	write(t, name+".conflict-0123abcd", []byte("y"))
	write(t, name+".conflict-0123", []byte("z"))
	write(t, name+"0.conflict-0123abcd", []byte("z"))
	if _, err := f.Remove(enc); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(names) != 2 || names[0].Name() != filepath.Base(name)+".conflict-0123" {
		t.Errorf("%v is left, %v", names, err)
	}
}

// Many at once, of one key and of others: whoever looks sees whole content or none.
func TestFolderAtOnce(t *testing.T) {
	t.Parallel()
	dir, _ := marked(t)
	data := content(300<<10, 1)
	src := write(t, filepath.Join(t.TempDir(), "src"), data)
	out := t.TempDir()
	var wg sync.WaitGroup
	for i := range 8 {
		f := NewFolder(dir, shareID, repository) // as in a process of its own
		wg.Go(func() {
			for j := range 20 {
				key := Key("SHA256E-s307200--" + string(rune('a'+(i+j)%3)))
				err := f.Put(t.Context(), key, src, nil)
				to := filepath.Join(out, string(rune('a'+i)))
				if getErr := f.Get(t.Context(), key, to, nil); getErr == nil {
					if got, readErr := os.ReadFile(to); readErr != nil || !bytes.Equal(got, data) {
						t.Errorf("%d bytes came, %v", len(got), readErr)
					}
				} else if !errors.Is(getErr, fs.ErrNotExist) {
					t.Error(getErr)
				}
				if j%3 == 0 {
					_, removeErr := f.Remove(key)
					err = errors.Join(err, removeErr)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// Who stops in the middle leaves no name, and no temporary file.
func TestPutStops(t *testing.T) {
	t.Parallel()
	dir, f := marked(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Put(ctx, enc, write(t, filepath.Join(t.TempDir(), "src"), []byte("x")), nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	has(t, f, enc, false)
	if names, err := os.ReadDir(filepath.Join(dir, temps)); err != nil || len(names) > 0 {
		t.Errorf("temporary files are left: %v, %v", names, err)
	}
}

// TestPutSurvivesPowerCuts cuts the power after each operation of Put: what has the name is whole, and once Put has
// returned it is there.
func TestPutSurvivesPowerCuts(t *testing.T) {
	t.Parallel()
	data := content(2000, 1)
	src := write(t, filepath.Join(t.TempDir(), "src"), data)
	cut := errors.New("the power is cut")
	for seed := range uint64(20) {
		for step, stored := 0, false; !stored; step++ {
			if step > 100 {
				t.Fatal("Put never ends")
			}
			fsys := memfs.New(memfs.Options{NoExchange: seed%2 == 0})
			if err := disk.WriteMark(fsys, shareID); err != nil {
				t.Fatal(err)
			}
			f := NewFolder("", shareID, repository)
			if seed%3 == 0 { // over content that was cut
				if err := putIn(f, fsys, write(t, src+".short", data[:10])); err != nil {
					t.Fatal(err)
				}
			}
			left := step
			failing := fsys.User()
			failing.SetFault(func(string, string) error {
				if left--; left < 0 {
					return cut
				}
				return nil
			})
			err := putIn(f, failing, src)
			stored = err == nil
			fsys.Crash(rand.New(rand.NewPCG(seed, uint64(step))))
			f.open = func(string) (disk.FS, error) { return fsys.User(), nil }
			to := filepath.Join(t.TempDir(), "to")
			err = f.Get(t.Context(), enc, to, nil)
			got, _ := os.ReadFile(to)
			switch {
			case err == nil && (bytes.Equal(got, data) || !stored && seed%3 == 0 && bytes.Equal(got, data[:10])):
			case err != nil && !stored && errors.Is(err, fs.ErrNotExist):
			default:
				t.Fatalf("seed %d, step %d, stored %v: %d bytes, %v", seed, step, stored, len(got), err)
			}
		}
	}
}

// putIn stores a key in a folder in memory.
func putIn(f *Folder, fsys disk.FS, src string) error {
	f.open = func(string) (disk.FS, error) { return fsys, nil }
	return f.Put(context.Background(), enc, src, nil)
}
