package bt

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// verifyTree is a torrent of three files, in pieces of 16 KiB, and the folder that holds them. In v1 b and c share
// piece 6 and piece 4 is a's and b's.
func verifyTree(t *testing.T, format Format) (m *Metainfo, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, size := range map[string]int{"a": 70000, "b": 40000, "sub/c": 1000, "empty": 0} {
		name = filepath.Join(dir, "tree", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, randomBytes(size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Create(t.Context(), CreateOptions{Path: filepath.Join(dir, "tree"), Format: format, PieceLength: blockSize})
	if err != nil {
		t.Fatal(err)
	}
	return m, dir
}

// verified is the result by path; states alone where that is all there is to say.
func verified(t *testing.T, m *Metainfo, dir string) (*VerifyResult, map[string]FileState) {
	t.Helper()
	var last Progress
	r, err := Verify(t.Context(), m, VerifyOptions{Dir: dir, Progress: func(p Progress) { last = p }})
	if err != nil {
		t.Fatal(err)
	}
	if last.Done != m.Length || last.Total != m.Length || last.State != "checking" {
		t.Errorf("last progress: %+v", last)
	}
	states := map[string]FileState{}
	var good int64
	for _, f := range r.Files {
		states[f.Path] = f.State
		good += f.Bytes - f.DamagedBytes - f.UnverifiedBytes
	}
	if good != r.GoodBytes || r.Bytes != m.Length {
		t.Errorf("%d good bytes, want %d", r.GoodBytes, good)
	}
	return r, states
}

func TestVerify(t *testing.T) {
	for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
		t.Run(string(format), func(t *testing.T) {
			m, dir := verifyTree(t, format)
			at := func(name string) string { return filepath.Join(dir, "tree", name) }
			want := map[string]FileState{"tree/a": FileOK, "tree/b": FileOK, "tree/sub/c": FileOK, "tree/empty": FileOK}
			r, got := verified(t, m, dir)
			if !maps.Equal(got, want) || r.Err() != nil || r.GoodPieces != m.NumPieces || r.GoodBytes != m.Length {
				t.Errorf("untouched: %v, %v", got, r.Err())
			}

			flip(t, at("a"), 20000) // in piece 1, which is a's alone
			want["tree/a"] = FileDamaged
			r, got = verified(t, m, dir)
			if !maps.Equal(got, want) || CodeOf(r.Err()) != Damaged || r.GoodPieces != m.NumPieces-1 {
				t.Errorf("a flipped bit: %v, %v", got, r.Err())
			}
			if f := fileOf(r, "tree/a"); f.DamagedBytes != blockSize || !reflect.DeepEqual(f.DamagedPieces, []PieceRange{{1, 1}}) || f.SharedPieces != nil {
				t.Errorf("a flipped bit: %+v", f)
			}
			flip(t, at("a"), 20000)

			if err := os.Truncate(at("b"), 10); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(at("empty")); err != nil {
				t.Fatal(err)
			}
			r, got = verified(t, m, dir)
			want = map[string]FileState{"tree/a": FileOK, "tree/b": FileWrongSize, "tree/sub/c": FileOK, "tree/empty": FileMissing}
			if format == FormatV1 {
				want["tree/a"], want["tree/sub/c"] = FileUnverified, FileUnverified
			}
			if !maps.Equal(got, want) || fileOf(r, "tree/b").DamagedBytes != 40000 || fileOf(r, "tree/b").FoundBytes != 10 {
				t.Errorf("cut: %v, %+v", got, fileOf(r, "tree/b"))
			}

			if r, _ = verified(t, m, t.TempDir()); r.GoodBytes != 0 || CodeOf(r.Err()) != Damaged || r.Err().(*Error).Advice == "" {
				t.Errorf("nothing there: %v", r.Err())
			}
		})
	}
}

// What is longer than it should be is told from what is damaged, and a bad piece of two files counts for both.
func TestVerifyLongAndShared(t *testing.T) {
	m, dir := verifyTree(t, FormatV1)
	b := filepath.Join(dir, "tree", "b")
	f, err := os.OpenFile(b, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("more"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	r, got := verified(t, m, dir)
	if got["tree/b"] != FileWrongSize || r.GoodBytes != m.Length || r.Err() == nil {
		t.Errorf("a longer file: %v, %d good bytes", got, r.GoodBytes)
	}
	flip(t, b, 39999)
	r, got = verified(t, m, dir)
	if c := fileOf(r, "tree/sub/c"); got["tree/sub/c"] != FileDamaged || !reflect.DeepEqual(c.SharedPieces, []PieceRange{{6, 6}}) || r.GoodPieces != m.NumPieces-1 {
		t.Errorf("a shared piece: %+v", c)
	}
}

// The piece layers of v2 may be unknown: the root of a file still says whether all of it is good.
func TestVerifyWithoutLayers(t *testing.T) {
	m, dir := verifyTree(t, FormatV2)
	bare, err := MetainfoFromInfo(m.InfoBytes)
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := verified(t, bare, dir); r.Err() != nil {
		t.Error(r.Err())
	}
	flip(t, filepath.Join(dir, "tree", "a"), 20000)
	if r, got := verified(t, bare, dir); got["tree/a"] != FileDamaged || got["tree/b"] != FileOK || fileOf(r, "tree/a").DamagedBytes != 70000 {
		t.Errorf("%v", got)
	}
}

// What is left of such a file cannot be told good from bad.
func TestVerifyWithoutLayersCut(t *testing.T) {
	m, dir := verifyTree(t, FormatV2)
	bare, err := MetainfoFromInfo(m.InfoBytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "tree", "a"), 3*blockSize+1); err != nil {
		t.Fatal(err)
	}
	r, got := verified(t, bare, dir)
	if f := fileOf(r, "tree/a"); got["tree/a"] != FileWrongSize || f.UnverifiedBytes != 3*blockSize || f.DamagedBytes != 70000-3*blockSize {
		t.Errorf("%+v", f)
	}
}

// Whatever a metainfo says, what is not there is not good.
func FuzzVerify(f *testing.F) {
	for _, info := range []dict{single, album, modern, hybrid} {
		f.Add(benc(dict{"info": info}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMetainfo(b)
		if err != nil || m.NumPieces > 1<<12 {
			return
		}
		dir := t.TempDir()
		if len(m.Files) > 0 && !m.Dir {
			if err := os.WriteFile(filepath.Join(dir, m.Name), make([]byte, min(m.Length, 1<<16)/2), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Verify(t.Context(), m, VerifyOptions{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, f := range r.Files {
			if f.DamagedBytes < 0 || f.UnverifiedBytes < 0 || f.DamagedBytes+f.UnverifiedBytes > f.Bytes || f.State == FileOK && f.FoundBytes != f.Bytes {
				t.Fatalf("%+v", f)
			}
			sum += f.Bytes - f.DamagedBytes - f.UnverifiedBytes
		}
		if r.GoodBytes != sum || sum > 0 && m.Dir {
			t.Fatalf("%d good bytes of %d", r.GoodBytes, m.Length)
		}
	})
}

func TestVerifyUnreadable(t *testing.T) {
	m, dir := verifyTree(t, FormatV1)
	a := filepath.Join(dir, "tree", "a")
	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", a); err != nil { // a loop: the disk says no to anybody, root included
		t.Fatal(err)
	}
	r, got := verified(t, m, dir)
	if got["tree/a"] != FileUnreadable || CodeOf(r.Err()) != IO || fileOf(r, "tree/a").Message == "" {
		t.Errorf("%v, %v", got, r.Err())
	}
	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(a, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, got := verified(t, m, dir); got["tree/a"] != FileMissing {
		t.Errorf("a folder in its place: %v", got)
	}
}

func TestVerifyStops(t *testing.T) {
	m, dir := verifyTree(t, FormatV1)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := Verify(ctx, m, VerifyOptions{Dir: dir}); !errors.Is(err, cause) {
		t.Error(err)
	}
}

func fileOf(r *VerifyResult, path string) *VerifiedFile {
	for i := range r.Files {
		if r.Files[i].Path == path {
			return &r.Files[i]
		}
	}
	return &VerifiedFile{}
}

// flip turns a bit over.
func flip(t *testing.T, name string, off int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Clone(b)
	b[off] ^= 1
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
