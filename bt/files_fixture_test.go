package bt

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A sample is a torrent with its bytes.
type sample struct {
	*Metainfo
	data []byte // the piece space
}

// newSample makes a v1 folder torrent "t". Each file is "path=length", or "=length" for a pad.
func newSample(t testing.TB, pieceLength int64, files ...string) sample {
	t.Helper()
	m := &Metainfo{Name: "t", Dir: true, PieceLength: pieceLength}
	rng := rand.New(rand.NewPCG(1, uint64(len(files))))
	var data []byte
	for _, spec := range files {
		name, length, _ := strings.Cut(spec, "=")
		var n int64
		if _, err := fmt.Sscan(length, &n); err != nil {
			t.Fatal(err)
		}
		bytes := make([]byte, n)
		if name != "" {
			for i := range bytes {
				bytes[i] = byte(rng.Uint32())
			}
			m.Files = append(m.Files, File{Path: name, Length: n, Offset: int64(len(data))})
			m.Length += n
		}
		data = append(data, bytes...)
	}
	for piece := range slices.Chunk(data, int(pieceLength)) {
		sum := sha1.Sum(piece)
		m.hashes = append(m.hashes, sum[:]...)
		m.NumPieces++
	}
	m.InfoHash, m.space = sha1.Sum(m.hashes), int64(len(data))
	return sample{m, data}
}

// piece is the bytes of piece i.
func (sm sample) piece(i int) []byte {
	lo := int64(i) * sm.PieceLength
	return sm.data[lo:min(lo+sm.PieceLength, int64(len(sm.data)))]
}

// bytesOf is the content of file i.
func (sm sample) bytesOf(i int) []byte {
	f := sm.Files[i]
	return sm.data[f.Offset : f.Offset+f.Length]
}

// options store the files that are named (none = all) in a folder of the test.
func (sm sample) options(t testing.TB, only ...string) FileOptions {
	t.Helper()
	dir := t.TempDir()
	opts := FileOptions{Root: filepath.Join(dir, "root"), Record: filepath.Join(dir, "state", "record")}
	for _, f := range sm.Files {
		name := f.Path
		if len(only) > 0 && !slices.Contains(only, name) {
			name = ""
		}
		opts.Paths = append(opts.Paths, name)
	}
	return opts
}

func mustOpen(t testing.TB, sm sample, opts FileOptions) *FileStorage {
	t.Helper()
	s, err := OpenFiles(t.Context(), sm.Metainfo, opts)
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustClose(t testing.TB, s *FileStorage) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
}

// fetch stores pieces as the engine does: writes, reads back, marks.
func fetch(t testing.TB, s *FileStorage, sm sample, pieces ...int) {
	t.Helper()
	for _, p := range pieces {
		if err := store(s, sm, p); err != nil {
			t.Fatalf("piece %d: %v", p, err)
		}
	}
}

func store(s *FileStorage, sm sample, p int) error {
	want := sm.piece(p)
	off := int64(p) * sm.PieceLength
	if _, err := s.WriteAt(want, off); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := s.ReadAt(got, off); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("reads back otherwise")
	}
	return s.MarkComplete(p)
}

// checkPieces makes sure that what is complete is right.
func checkPieces(t rapid.TB, s *FileStorage, sm sample) {
	t.Helper()
	for p := range sm.NumPieces {
		if !s.Complete(p) {
			continue
		}
		got := make([]byte, len(sm.piece(p)))
		if _, err := s.ReadAt(got, int64(p)*sm.PieceLength); err != nil {
			t.Fatalf("reading complete piece %d: %v", p, err)
		}
		if !bytes.Equal(got, sm.piece(p)) {
			t.Fatalf("piece %d is complete and wrong", p)
		}
	}
}

// checkDisk makes sure that the selected files and nothing else are in the root.
func checkDisk(t testing.TB, sm sample, opts FileOptions) {
	t.Helper()
	want := make(map[string][]byte)
	for i, p := range opts.Paths {
		if p != "" {
			want[p] = sm.bytesOf(i)
		}
	}
	got := tree(t, opts.Root)
	for name, data := range got {
		if !bytes.Equal(data, want[name]) || want[name] == nil {
			t.Errorf("%s has %d bytes that it should not have", name, len(data))
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is not there", name)
	}
	if opts.Record != "" {
		if left := names(tree(t, filepath.Dir(opts.Record))); !slices.Equal(left, []string{"record"}) {
			t.Errorf("beside the record: %v", left)
		}
	}
}

// tree reads all files below dir.
func tree(t rapid.TB, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		files[filepath.ToSlash(rel)], err = os.ReadFile(p)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return files
}

func names[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func writeFile(t rapid.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, code Code) {
	t.Helper()
	if CodeOf(err) != code {
		t.Fatalf("error is %v (%s), want code %s", err, CodeOf(err), code)
	}
}
