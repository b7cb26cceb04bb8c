package bt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

// hashing reports how many bytes OpenFiles hashes.
func hashing(opts *FileOptions) *int64 {
	var n int64
	opts.Progress = func(done, _ int64) { n = done }
	return &n
}

func TestRecordStale(t *testing.T) {
	sm := newSample(t, 16, "a=64", "b=64")
	part := partName(sm.Metainfo, "b")
	editRecord := func(edit func(*record)) func(*testing.T, FileOptions) {
		return func(t *testing.T, opts FileOptions) {
			data, err := os.ReadFile(opts.Record)
			if err != nil {
				t.Fatal(err)
			}
			rec, err := parseRecord(data, sm.Metainfo)
			if err != nil {
				t.Fatal(err)
			}
			edit(rec)
			if data, err = encodeRecord(rec); err != nil {
				t.Fatal(err)
			}
			writeFile(t, opts.Record, data)
		}
	}
	tests := []struct {
		name    string
		disturb func(t *testing.T, opts FileOptions)
		hashed  int64 // b's part has a hole of one piece
	}{
		{"nothing", func(*testing.T, FileOptions) {}, 0},
		{"final touched", func(t *testing.T, opts FileOptions) { touch(t, filepath.Join(opts.Root, "a")) }, 64},
		{"part touched", func(t *testing.T, opts FileOptions) { touch(t, filepath.Join(opts.Root, part)) }, 64},
		{"no record", func(t *testing.T, opts FileOptions) { _ = os.Remove(opts.Record) }, 128},
		{"damaged record", func(t *testing.T, opts FileOptions) {
			data, _ := os.ReadFile(opts.Record)
			data[len(data)-3] ^= 1
			writeFile(t, opts.Record, data)
		}, 128},
		{"empty record", func(t *testing.T, opts FileOptions) { writeFile(t, opts.Record, nil) }, 128},
		{"other boot", editRecord(func(r *record) { r.Boot = "other" }), 64}, // only what was synced is believed
		{"unknown boot", editRecord(func(r *record) { r.Boot = "" }), 64},
		{"other inode", editRecord(func(r *record) { r.Files[0].Inode++ }), 64},
		{"other torrent", editRecord(func(r *record) { r.InfoHash = InfoHash{}.String() }), 128},
		{"other name", editRecord(func(r *record) { r.Files[1].Name += "x" }), 64},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			opts := sm.options(t)
			s := mustOpen(t, sm, opts)
			fetch(t, s, sm, 0, 1, 2, 3, 4, 6, 7)
			mustClose(t, s)
			test.disturb(t, opts)
			n := hashing(&opts)
			s = mustOpen(t, sm, opts)
			if *n != test.hashed {
				t.Errorf("hashed %d bytes, want %d", *n, test.hashed)
			}
			if got := s.Missing(); !slices.Equal(got, []int{5}) {
				t.Errorf("missing %v", got)
			}
			mustClose(t, s)
			*n = 0
			mustClose(t, mustOpen(t, sm, opts))
			if test.name != "final touched" && test.name != "no record" && *n != 0 {
				t.Errorf("the run after it hashed %d bytes", *n)
			}
		})
	}
}

func touch(t *testing.T, name string) {
	t.Helper()
	if err := os.Chtimes(name, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
}

// A file that someone changed a moment before it was hashed may be changed again within the same tick of the clock: it is
// not recorded.
func TestRecordRacyFile(t *testing.T) {
	sm := newSample(t, 16, "a=64")
	opts := sm.options(t)
	n := hashing(&opts)
	name := filepath.Join(opts.Root, "a")
	writeFile(t, name, sm.data)
	mustClose(t, mustOpen(t, sm, opts))
	*n = 0
	mustClose(t, mustOpen(t, sm, opts))
	if *n != 64 {
		t.Error("a racy stamp is believed")
	}
	past := time.Now().Add(-time.Minute)
	if err := os.Chtimes(name, past, past); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, sm, opts))
	*n = 0
	mustClose(t, mustOpen(t, sm, opts))
	if *n != 0 {
		t.Error("a file that lies still is hashed again")
	}
}

// What a record says of a piece goes before the piece is overwritten.
func TestRecordUnmarksFirst(t *testing.T) {
	sm := newSample(t, 16, "a=64")
	opts := sm.options(t)
	s := mustOpen(t, sm, opts)
	fetch(t, s, sm, 0, 1)
	mustClose(t, s)
	s = mustOpen(t, sm, opts)
	if err := s.MarkIncomplete(1); err != nil {
		t.Fatal(err)
	}
	if rec := s.readRecord(); rec != nil && bitset(rec.Pieces).has(1) {
		t.Error("the record on disk still has the piece")
	}
}

func TestRecordOfNothingIsRemoved(t *testing.T) {
	sm := newSample(t, 16, "a=64")
	opts := sm.options(t)
	mustClose(t, mustOpen(t, sm, opts))
	if left := names(tree(t, filepath.Dir(opts.Record))); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func FuzzParseRecord(f *testing.F) {
	sm := newSample(f, 16, "a=64", "b=64")
	full := &record{InfoHash: sm.Short().String(), Boot: "b", Pieces: []byte{0xff}, Selected: []byte{0xc0},
		Files: []recordedFile{{0, "a", true, true, stamp{64, 1, 2}}, {edgesIndex, "e", false, false, stamp{}}}}
	body, err := json.Marshal(full)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"files":[{"index":-2}]}`))
	f.Add([]byte(`{"pieces":"AA==","selected":"AA==","files":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := parseRecord(body, sm.Metainfo); err == nil && !bytes.HasPrefix(body, []byte(recordHeader)) {
			t.Fatal("accepted without a checksum")
		}
		sum := sha256.Sum256(body)
		rec, err := parseRecord(slices.Concat([]byte(recordHeader+hex.EncodeToString(sum[:])+"\n"), body), sm.Metainfo)
		if err != nil {
			return
		}
		s, err := newFileStorage(sm.Metainfo, FileOptions{Root: t.TempDir(), Paths: []string{"a", "b"}})
		if err != nil {
			t.Fatal(err)
		}
		if s.root, err = os.OpenRoot(s.opts.Root); err != nil {
			t.Fatal(err)
		}
		defer s.root.Close()
		trust := s.compareRecord(rec)
		if slices.Contains(trust.files, true) {
			t.Fatal("a file that does not exist is trusted")
		}
		data, err := encodeRecord(rec)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseRecord(data, sm.Metainfo)
		if err != nil || !reflect.DeepEqual(again, rec) {
			t.Fatalf("reads back as %v, %v", again, err)
		}
	})
}

// The edges have bytes only of files that were not selected: another selection asks for others.
func TestRecordOfAnotherSelection(t *testing.T) {
	sm := newSample(t, 16, "a=40", "b=20", "c=20", "e=20")
	opts := sm.options(t, "a", "b", "e")
	s := mustOpen(t, sm, opts)
	fetch(t, s, sm, 2, 3)
	mustClose(t, s)
	opts.Paths[0] = ""
	s = mustOpen(t, sm, opts)
	checkPieces(t, s, sm)
	if s.Complete(2) || !s.Complete(3) {
		t.Errorf("complete: %v and %v, want 3 alone", s.Complete(2), s.Complete(3))
	}
}
