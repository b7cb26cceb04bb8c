package bt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFilesFinishAndSecondRun(t *testing.T) {
	sm := newSample(t, 16, "a=40", "d/b=3", "d/empty=0", "=5", "d/c=33")
	opts := sm.options(t)
	var finished []int
	opts.OnFile = func(i int) { finished = append(finished, i) }
	s := mustOpen(t, sm, opts)
	if got := s.Total(); got != 76 {
		t.Errorf("total %d", got)
	}
	for p := range sm.NumPieces {
		for name := range tree(t, opts.Root) {
			if name == "a" && p < 3 || name == "d/c" && p < 6 {
				t.Errorf("%s has its final name before piece %d", name, p)
			}
		}
		fetch(t, s, sm, p)
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	checkPieces(t, s, sm)
	mustClose(t, s)
	mustClose(t, s)
	checkDisk(t, sm, opts)
	slices.Sort(finished)
	if !slices.Equal(finished, []int{0, 1, 2, 3}) {
		t.Errorf("OnFile: %v", finished)
	}

	finished, opts.Progress = nil, func(done, total int64) { t.Errorf("hashing %d of %d in the second run", done, total) }
	s = mustOpen(t, sm, opts)
	if missing := s.Missing(); missing != nil || s.BytesDone() != 76 || !s.Complete(0) || finished != nil {
		t.Errorf("second run: missing %v, done %d, finished %v", missing, s.BytesDone(), finished)
	}
	checkPieces(t, s, sm)
	mustClose(t, s)
	checkDisk(t, sm, opts)
}

func TestFilesSelection(t *testing.T) {
	sm := newSample(t, 16, "a=20", "b=20", "c=20", "e=40")
	opts := sm.options(t, "b")
	s := mustOpen(t, sm, opts)
	if got := s.Missing(); !slices.Equal(got, []int{1, 2}) || s.Total() != 20 || s.Wanted(0) {
		t.Fatalf("missing %v, total %d", got, s.Total())
	}
	fetch(t, s, sm, 1)
	mustClose(t, s)

	// The bytes of a that piece 1 has are kept aside.
	s = mustOpen(t, sm, opts)
	if got := s.Missing(); !slices.Equal(got, []int{2}) {
		t.Fatalf("missing after reopening: %v", got)
	}
	fetch(t, s, sm, 2)
	checkPieces(t, s, sm)
	if !s.Complete(1) {
		t.Error("piece 1 cannot be served while seeding")
	}
	mustClose(t, s)
	checkDisk(t, sm, opts)

	// The edges are gone: the record vouches for b though its first piece cannot be read.
	s = mustOpen(t, sm, opts)
	if s.Missing() != nil || s.BytesDone() != 20 || s.Complete(1) {
		t.Errorf("second run: missing %v, done %d", s.Missing(), s.BytesDone())
	}
	mustClose(t, s)
	opts.Check = true
	s = mustOpen(t, sm, opts)
	if s.Missing() != nil {
		t.Errorf("check: missing %v", s.Missing())
	}
	mustClose(t, s)

	// Now c as well: what b has is compared, not written.
	opts.Check, opts.Paths[2] = false, "c"
	s = mustOpen(t, sm, opts)
	if got := s.Missing(); !slices.Equal(got, []int{2, 3}) {
		t.Fatalf("missing with c: %v", got)
	}
	fetch(t, s, sm, 3, 2)
	mustClose(t, s)
	checkDisk(t, sm, opts)
}

func TestFilesExisting(t *testing.T) {
	sm := newSample(t, 16, "a=40", "b=40")
	good := sm.bytesOf(0)
	bad := bytes.Clone(good)
	bad[20] ^= 1 // piece 1, which is a's alone
	tests := []struct {
		name         string
		a            []byte
		force, check bool
		code         Code
		missing      []int
	}{
		{"good", good, false, false, OK, []int{2, 3, 4}},
		{"differs", bad, false, false, Exists, nil},
		{"differs, check", bad, false, true, OK, []int{1, 2, 3, 4}},
		{"differs, force", bad, true, false, OK, []int{1, 2, 3, 4}},
		{"nothing good", make([]byte, 40), false, false, Exists, nil},
		{"nothing good, check", make([]byte, 40), false, true, Exists, nil},
		{"nothing good, force", make([]byte, 40), true, false, OK, []int{0, 1, 2, 3, 4}},
		{"short", good[:39], false, false, Exists, nil},
		{"short, check", good[:39], false, true, Exists, nil},
		{"short, force", good[:39], true, false, OK, []int{0, 1, 2, 3, 4}},
		{"empty", []byte{}, false, false, Exists, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			opts := sm.options(t)
			opts.Force, opts.Check = test.force, test.check
			writeFile(t, filepath.Join(opts.Root, "a"), test.a)
			s, err := OpenFiles(t.Context(), sm.Metainfo, opts)
			wantCode(t, err, test.code)
			if err != nil {
				if got := tree(t, opts.Root); len(got) != 1 || !bytes.Equal(got["a"], test.a) {
					t.Fatalf("touched: %v", names(got))
				}
				return
			}
			defer s.Close()
			if got := s.Missing(); !slices.Equal(got, test.missing) {
				t.Fatalf("missing %v, want %v", got, test.missing)
			}
			fetch(t, s, sm, test.missing...)
			checkPieces(t, s, sm)
			mustClose(t, s)
			checkDisk(t, sm, opts)
		})
	}
}

// The piece that a shares with b cannot be judged before it comes.
func TestFilesUnjudgedPiece(t *testing.T) {
	sm := newSample(t, 16, "a=40", "b=40")
	bad := bytes.Clone(sm.bytesOf(0))
	bad[39] ^= 1 // piece 2
	for _, force := range []bool{false, true} {
		for _, links := range []bool{false, true} {
			opts := sm.options(t)
			opts.Force = force
			a := filepath.Join(opts.Root, "a")
			writeFile(t, a, bad)
			other := filepath.Join(t.TempDir(), "other")
			if links {
				if err := os.Link(a, other); err != nil {
					t.Skip(err)
				}
			}
			s := mustOpen(t, sm, opts)
			fetch(t, s, sm, 3, 4)
			// A peer sends garbage: no reason to give up.
			garbage := make([]byte, 16)
			if _, err := s.WriteAt(garbage, 32); err != nil {
				t.Fatal(err)
			}
			err := store(s, sm, 2)
			if !force {
				wantCode(t, err, Exists)
				if got, _ := os.ReadFile(a); !bytes.Equal(got, bad) || s.Complete(2) {
					t.Error("a was touched")
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			checkPieces(t, s, sm)
			mustClose(t, s)
			checkDisk(t, sm, opts)
			if got, err := os.ReadFile(other); links && !bytes.Equal(got, bad) {
				t.Errorf("another name of the file has changed: %v", err)
			}
		}
	}
}

func TestFilesCheckRepairs(t *testing.T) {
	sm := newSample(t, 16, "a=160")
	opts := sm.options(t)
	s := mustOpen(t, sm, opts)
	fetch(t, s, sm, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	mustClose(t, s)
	a := filepath.Join(opts.Root, "a")
	info, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	bad := sm.bytesOf(0)
	bad = append(append(bytes.Clone(bad[:50]), '?'), bad[51:]...)
	writeFile(t, a, bad)
	if err := os.Chtimes(a, info.ModTime(), info.ModTime()); err != nil { // silent damage
		t.Fatal(err)
	}
	opts.Check = true
	s = mustOpen(t, sm, opts)
	if got := s.Missing(); !slices.Equal(got, []int{3}) {
		t.Fatalf("missing %v", got)
	}
	if _, err := os.Stat(a); !os.IsNotExist(err) {
		t.Error("a half-repaired file has the final name")
	}
	mustClose(t, s)
	s = mustOpen(t, sm, opts)
	fetch(t, s, sm, 3)
	mustClose(t, s)
	checkDisk(t, sm, opts)
}

func TestFilesDamageWhileSeeding(t *testing.T) {
	sm := newSample(t, 16, "a=64")
	opts := sm.options(t)
	s := mustOpen(t, sm, opts)
	fetch(t, s, sm, 0, 1, 2, 3)
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	edited := bytes.Clone(sm.data)
	edited[20]++
	writeFile(t, filepath.Join(opts.Root, "a"), edited)
	if err := s.MarkIncomplete(1); err != nil {
		t.Fatal(err)
	}
	if got := s.BytesDone(); got != 48 {
		t.Errorf("done %d", got)
	}
	wantCode(t, store(s, sm, 1), Exists)
	mustClose(t, s)
	if got, _ := os.ReadFile(filepath.Join(opts.Root, "a")); !bytes.Equal(got, edited) {
		t.Error("the user's edit is gone")
	}
}

// Two selections of a torrent in one folder share partial data, so only one of them is stored at a time (issue 2).
func TestFilesLockOfOtherSelection(t *testing.T) {
	m, _, _ := seedAlbum(t, FormatV1)
	root, state := t.TempDir(), t.TempDir()
	open := func(record string, picks ...int) (*FileStorage, error) {
		paths := make([]string, len(m.Files))
		for _, i := range picks {
			paths[i] = m.Files[i].Path
		}
		return OpenFiles(t.Context(), m, FileOptions{Root: root, Paths: paths, Record: filepath.Join(state, record)})
	}
	first, err := open("a", 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = open("b", 0, 3)
	wantCode(t, err, Busy)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := open("b", 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

// Who has given --check is not told to give it (issue 2).
func TestFilesCheckOfAnotherFile(t *testing.T) {
	m, _, _ := seedAlbum(t, FormatV2)
	root, paths := t.TempDir(), make([]string, len(m.Files))
	last := len(m.Files) - 1
	paths[last] = m.Files[last].Path
	if err := os.WriteFile(filepath.Join(root, paths[last]), make([]byte, m.Files[last].Length), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := OpenFiles(t.Context(), m, FileOptions{Root: root, Paths: paths, Check: true})
	wantCode(t, err, Exists)
	var e *Error
	if !errors.As(err, &e) || strings.Contains(e.Hint(), "--check") {
		t.Errorf("the hint is %q", e.Hint())
	}
}

// What was complete and is changed is not given out, and Check and Changed say so.
func TestFilesGuard(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(name string) error{
		"written": func(name string) error { return os.WriteFile(name, randomBytes(100_001), 0o644) },
		"cut":     func(name string) error { return os.Truncate(name, 10) },
		"gone":    os.Remove,
		"touched": func(name string) error { return os.Chtimes(name, time.Time{}, time.Unix(1, 0)) },
	} {
		for _, by := range []string{"read", "check"} {
			dir := t.TempDir()
			name := filepath.Join(dir, "file")
			data := randomBytes(100_001)
			if err := os.WriteFile(name, data, 0o644); err != nil {
				t.Fatal(err)
			}
			m, err := Create(t.Context(), CreateOptions{Path: name})
			if err != nil {
				t.Fatal(err)
			}
			s, err := OpenFiles(t.Context(), m, FileOptions{Root: dir, Paths: []string{"file"}})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(data))
			if _, err := s.ReadAt(got, 0); err != nil || !bytes.Equal(got, data) || s.Check() != nil {
				t.Fatalf("%s: before it: %v, %v", what, err, s.Check())
			}
			if err := change(name); err != nil {
				t.Fatal(err)
			}
			if by == "check" {
				wantCode(t, s.Check(), Damaged)
			} else if _, err := s.ReadAt(got, 0); what != "gone" { // what is open is still what was verified
				wantCode(t, err, Damaged)
			} else if err != nil || !bytes.Equal(got, data) {
				t.Errorf("gone: %v", err)
			}
			if by == "check" || what != "gone" {
				wantCode(t, s.Changed(), Damaged)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
