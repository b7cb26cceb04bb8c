package bt

import (
	"bytes"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// seedOf is the storage of a folder that was made for the test, and the bytes of its piece space.
func seedOf(t *testing.T, format Format, changed func(error)) (s *seedFiles, space []byte) {
	t.Helper()
	dir := t.TempDir()
	writeSizes(t, dir, map[string]int{"album/a.bin": 100_001, "album/b/c.bin": 50_000, "album/empty": 0, "album/z.bin": 40_000})
	m, err := Create(t.Context(), CreateOptions{Path: filepath.Join(dir, "album"), Format: format, PieceLength: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	root, paths, err := Layout(m, &DownloadOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	names, err := namesBelow(root, paths)
	if err != nil {
		t.Fatal(err)
	}
	space = make([]byte, int64(m.NumPieces)*m.PieceLength)
	for i, f := range m.Files {
		past := time.Now().Add(-time.Hour)
		if err := os.Chtimes(names[i], past, past); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(names[i])
		if err != nil {
			t.Fatal(err)
		}
		copy(space[f.Offset:], b)
	}
	if s, err = newSeedFiles(m, names, newHandlePool(os.OpenFile, 2), changed); err != nil {
		t.Fatal(err)
	}
	if err := s.verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return s, space
}

func TestSeedFilesReadAt(t *testing.T) {
	for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
		s, space := seedOf(t, format, nil)
		for off := 0; off < len(space); off += 7919 {
			for _, n := range []int{1, 16 << 10, 70_000, len(space)} {
				got := bytes.Repeat([]byte{0xff}, n)
				read, err := s.ReadAt(got, int64(off))
				want := space[off:min(off+n, len(space))]
				if read != len(want) || !bytes.Equal(got[:read], want) || (err != nil) != (read < n) {
					t.Fatalf("%s: %d bytes at %d: read %d, %v", format, n, off, read, err)
				}
			}
		}
	}
}

func TestSeedFilesWithdraws(t *testing.T) {
	write := func(name string, at int64, b string) error {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteAt([]byte(b), at)
		return err
	}
	for what, change := range map[string]func(name string) error{
		"a byte is written": func(name string) error { return write(name, 1, "x") },
		"it grows":          func(name string) error { return write(name, 100_001, "x") },
		"it shrinks":        func(name string) error { return os.Truncate(name, 100_000) },
		"it is removed":     os.Remove,
		"it is a folder now": func(name string) error {
			if err := os.Remove(name); err != nil {
				return err
			}
			return os.Mkdir(name, 0o755)
		},
		"another of its size and time took its name": func(name string) error {
			info, err := os.Stat(name)
			if err != nil {
				return err
			}
			if err := os.WriteFile(name+".new", make([]byte, info.Size()), 0o644); err != nil {
				return err
			}
			if err := os.Chtimes(name+".new", info.ModTime(), info.ModTime()); err != nil {
				return err
			}
			return os.Rename(name+".new", name)
		},
	} {
		for _, by := range []string{"read", "check"} {
			t.Run(what+"/"+by, func(t *testing.T) {
				var told atomic.Int32
				s, _ := seedOf(t, FormatV1, func(err error) {
					told.Add(1)
					wantCode(t, err, Damaged)
				})
				old, err := os.ReadFile(s.names[0])
				if err != nil {
					t.Fatal(err)
				}
				if err := change(s.names[0]); err != nil {
					t.Fatal(err)
				}
				if by == "check" {
					wantCode(t, s.check(), Damaged)
				}
				buf := make([]byte, 10)
				_, err = s.ReadAt(buf, 0)
				wantCode(t, err, Damaged)
				if s.Complete(0) {
					t.Error("pieces are still complete")
				}
				// For good, and all of it: also files that are as they were.
				_ = os.RemoveAll(s.names[0])
				if err := os.WriteFile(s.names[0], old, 0o644); err != nil {
					t.Fatal(err)
				}
				_, err = s.ReadAt(buf, 120_000)
				wantCode(t, err, Damaged)
				if told.Load() != 1 {
					t.Errorf("told %d times", told.Load())
				}
			})
		}
	}
}

// Whatever a writer does, a read gives what was hashed or fails.
func TestSeedFilesUnderAWriter(t *testing.T) {
	for range 20 {
		s, space := seedOf(t, FormatV1, nil)
		over := make(chan error, 1)
		go func() { over <- os.WriteFile(s.names[0], make([]byte, 100_001), 0o644) }()
		buf := make([]byte, 64<<10)
		for s.gone.Load() == nil {
			if n, err := s.ReadAt(buf, 0); err == nil && !bytes.Equal(buf[:n], space[:n]) {
				t.Fatal("a byte came out that was not hashed")
			}
		}
		if err := <-over; err != nil {
			t.Fatal(err)
		}
	}
}

func TestSeedDamaged(t *testing.T) {
	s, _ := seedOf(t, FormatV1, nil)
	dir := filepath.Dir(filepath.Dir(s.names[0]))
	f, err := os.OpenFile(s.names[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte("not what it was"), 70_000)
	f.Close()
	_, err = local(t).Seed(t.Context(), s.m, SeedOptions{Dir: dir})
	wantCode(t, err, Damaged)
	if err := os.Truncate(s.names[0], 5); err != nil {
		t.Fatal(err)
	}
	_, err = local(t).Seed(t.Context(), s.m, SeedOptions{Dir: dir})
	wantCode(t, err, Damaged)
}

func TestSeedRecord(t *testing.T) {
	stamps := []stamp{{1, 2, 3}, {4, 5, 6}}
	names := []string{"/a", "/b"}
	path := filepath.Join(t.TempDir(), "serve", "x")
	if err := writeSeedRecord(path, &seedRecord{InfoHash: "aa", Info: []byte{0, 255}}, names, stamps); err != nil {
		t.Fatal(err)
	}
	r := readSeedRecord(path)
	if !r.vouches("aa", names, stamps) || !bytes.Equal(r.Info, []byte{0, 255}) {
		t.Fatalf("%+v", r)
	}
	for _, other := range [][]stamp{{{1, 2, 3}, {4, 5, 7}}, {{1, 2, 3}}, {{1, 9, 3}, {4, 5, 6}}} {
		if r.vouches("aa", names[:len(other)], other) {
			t.Errorf("vouches for %v", other)
		}
	}
	if r.vouches("bb", names, stamps) || (*seedRecord)(nil).vouches("", nil, nil) {
		t.Error("vouches for another")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, err := parseSeedRecord(bad); err == nil {
			t.Fatalf("a record with byte %d damaged is read", i)
		}
	}
	old := time.Now().Add(-2 * seedRecordAge)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if readSeedRecord(path) == nil { // and now it is in use again
		t.Fatal("not read")
	}
	if pruneSeedRecords(filepath.Dir(path)); readSeedRecord(path) == nil {
		t.Error("a record in use was removed")
	}
	os.Chtimes(path, old, old)
	if pruneSeedRecords(filepath.Dir(path)); readSeedRecord(path) != nil {
		t.Error("an old record was kept")
	}
}
