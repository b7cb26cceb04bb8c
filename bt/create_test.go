package bt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// writeTree makes a folder to create torrents of, and returns its path.
func writeTree(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "tree")
	for name, size := range map[string]int{
		"a/b/deep": 100000, "a/c": 16384, "a-x": 40000, "a.txt": 1, "empty": 0, "ä/ö": 70000, "a/empty too": 0, "z": 300000,
		".hidden": 5, ".git/config": 7,
	} {
		p := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := fs.FileMode(0o644)
		if name == "a/c" {
			mode = 0o755
		}
		if err := os.WriteFile(p, randomBytes(size), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("z", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestCreate(t *testing.T) {
	root := writeTree(t)
	for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
		t.Run(string(format), func(t *testing.T) {
			var last Progress
			opts := CreateOptions{
				Path: root, Format: format, PieceLength: 32 << 10, Trackers: [][]string{{"HTTP://a/"}, {}}, Webseeds: []string{"http://w/"},
				Private: true, Source: "src", Comment: "c", CreatedBy: "me", Date: time.Unix(86400, 0).UTC(),
				Progress: func(p Progress) { last = p },
			}
			m, err := Create(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			checkMetainfo(t, m)
			checkData(t, m, root)
			if last.Done != m.Length || last.Total != m.Length || last.State != "hashing" {
				t.Errorf("last progress: %+v", last)
			}
			if m.Length != 526385 || len(m.Files) != 8 || !m.Private || m.Source != "src" || m.Name != "tree" || m.Trackers[0][0] != "http://a/" {
				t.Errorf("got %+v", m)
			}
			again, err := ParseMetainfo(m.Bytes())
			if err != nil || !reflect.DeepEqual(again, m) {
				t.Errorf("what was written is read as %+v, %v", again, err)
			}
			if twin, err := Create(t.Context(), opts); err != nil || !bytes.Equal(twin.Bytes(), m.Bytes()) {
				t.Errorf("the second time it is another: %v", err)
			}
		})
	}
}

// checkData verifies each piece against the files.
func checkData(t *testing.T, m *Metainfo, root string) {
	t.Helper()
	data := make([][]byte, len(m.Files))
	for i, f := range m.Files {
		name := root
		if m.Dir {
			name = filepath.Join(root, filepath.FromSlash(f.Path))
		}
		var err error
		if data[i], err = os.ReadFile(name); err != nil || int64(len(data[i])) != f.Length {
			t.Fatalf("%s: %v", f.Path, err)
		}
		if info, _ := os.Stat(name); info.Mode()&0o100 != 0 != f.Executable {
			t.Errorf("%s: executable is %v", f.Path, f.Executable)
		}
	}
	space := pieceSpace(m, data)
	for i := range m.NumPieces {
		if piece := space[int64(i)*m.PieceLength:][:m.PieceSize(i)]; !m.VerifyPiece(i, piece) {
			t.Errorf("piece %d is wrong", i)
		}
	}
}

func TestCreateOneFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "one")
	for _, size := range []int{0, 1, 16384, 16385, 1 << 20, 1<<20 + 1} {
		if err := os.WriteFile(name, randomBytes(size), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
			m, err := Create(t.Context(), CreateOptions{Path: name, Format: format, Name: "other"})
			if err != nil {
				t.Errorf("%d bytes, %s: %v", size, format, err)
				continue
			}
			checkData(t, m, name)
			if m.Dir || m.Name != "other" || len(m.Files) != 1 || m.Files[0].Path != "other" {
				t.Errorf("%d bytes, %s: %+v", size, format, m)
			}
		}
	}
}

func TestCreateHidden(t *testing.T) {
	root := writeTree(t)
	m, err := Create(t.Context(), CreateOptions{Path: root, Hidden: true})
	if err != nil || len(m.Files) != 10 || m.Files[0].Path != ".git/config" {
		t.Errorf("%v, %v", m, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	root := writeTree(t)
	none := t.TempDir()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		ctx  context.Context
		opts CreateOptions
		code Code
	}{
		{t.Context(), CreateOptions{Path: filepath.Join(root, "absent")}, BadInput},
		{t.Context(), CreateOptions{Path: none}, BadInput},
		{t.Context(), CreateOptions{Path: os.DevNull}, BadInput},
		{t.Context(), CreateOptions{Path: root, Name: "../x"}, BadInput},
		{t.Context(), CreateOptions{Path: root, Trackers: [][]string{{"x"}}}, BadInput},
		{t.Context(), CreateOptions{Path: root, Webseeds: []string{"udp://x:1"}}, BadInput},
		{t.Context(), CreateOptions{Path: root, Format: "v3"}, Usage},
		{t.Context(), CreateOptions{Path: root, PieceLength: 1000}, Usage},
		{t.Context(), CreateOptions{Path: root, PieceLength: 3 << 14, Format: FormatV2}, Usage},
		{t.Context(), CreateOptions{Path: "/"}, Usage},
		{canceled, CreateOptions{Path: filepath.Join(root, "z")}, Failed},
	} {
		if tt.opts.Path == "/" {
			continue // it would read everything there is: baseName has its own test
		}
		if m, err := Create(tt.ctx, tt.opts); CodeOf(err) != tt.code {
			t.Errorf("%+v: %v, %v (%s), want %s", tt.opts, m, err, CodeOf(err), tt.code)
		}
	}
	if _, err := baseName("/"); CodeOf(err) != Usage {
		t.Errorf("the root has the name %v", err)
	}
}

func TestCreateNoticesChanges(t *testing.T) {
	root := writeTree(t)
	name := filepath.Join(root, "z")
	for what, change := range map[string]func() error{
		"grown":   func() error { return os.WriteFile(name, randomBytes(300001), 0o644) },
		"shrunk":  func() error { return os.Truncate(name, 1000) },
		"touched": func() error { return os.Chtimes(name, time.Time{}, time.Unix(1, 0)) },
	} {
		tree, err := scan(t.Context(), &CreateOptions{Path: root, Format: FormatV1})
		if err != nil {
			t.Fatal(err)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		h := newPieceHasher(tree, CreateOptions{PieceLength: blockSize, Format: FormatV1})
		if err := h.run(t.Context(), nil); !errors.Is(err, errChanged) || CodeOf(err) != Failed {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAutoPieceLength(t *testing.T) {
	for size, want := range map[int64]int64{
		0: 16 << 10, 32 << 20: 16 << 10, 32<<20 + 1: 32 << 10, 1 << 30: 512 << 10, 32 << 30: 16 << 20, 1 << 50: 16 << 20,
	} {
		if got := AutoPieceLength(size, 20_000, FormatV1); got != want {
			t.Errorf("%d bytes: %d, want %d", size, got, want)
		}
	}
	for files, want := range map[int]int64{1: 256 << 10, 2048: 256 << 10, 4096: 128 << 10, 20_000: 32 << 10, 1 << 20: 16 << 10} {
		for _, format := range []Format{FormatV2, FormatHybrid} {
			if got := AutoPieceLength(512<<20, files, format); got != want {
				t.Errorf("%d files, %s: %d, want %d", files, format, got, want)
			}
		}
	}
}

// needPrograms skips the test unless they are installed; where a skip would hide that nothing is tested, it fails.
func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		var err error
		if name == "libtorrent" {
			err = exec.Command("/usr/bin/python3", "-I", "-c", "import libtorrent").Run()
		} else {
			_, err = exec.LookPath(name)
		}
		switch {
		case err == nil:
		case os.Getenv("SHOAL_REQUIRE_PEERS") == "1":
			t.Fatalf("%s: %v", name, err)
		default:
			t.Skipf("%s: %v", name, err)
		}
	}
}

// libtorrentMake makes a .torrent of a path with libtorrent, of the files in our order.
const libtorrentMake = `
import libtorrent as lt, os, sys
path, piece, flags, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
files = lt.file_storage()
top = os.path.basename(path)
if os.path.isdir(path):
    names = []
    for d, dirs, fs in os.walk(path):
        dirs[:] = [x for x in dirs if not x.startswith('.')]
        names += [os.path.relpath(os.path.join(d, f), path) for f in fs if not f.startswith('.')]
    names = [n for n in names if not os.path.islink(os.path.join(path, n))]
    key = (lambda n: n.encode()) if flags == 64 else (lambda n: [p.encode() for p in n.split('/')])
    for n in sorted(names, key=key):
        full = os.path.join(path, n)
        x = lt.file_flags_t.flag_executable if os.access(full, os.X_OK) else 0
        files.add_file(os.path.join(top, n), os.path.getsize(full), x)
else:
    files.add_file(top, os.path.getsize(path), 0)
t = lt.create_torrent(files, piece, flags=flags)
t.set_creator('x')
lt.set_piece_hashes(t, os.path.dirname(path))
open(out, 'wb').write(lt.bencode(t.generate()))
`

func TestInfohashesAreThoseOfLibtorrent(t *testing.T) {
	t.Parallel()
	needPrograms(t, "libtorrent")
	root := writeTree(t)
	for _, path := range []string{root, filepath.Join(root, "z"), filepath.Join(root, "a.txt")} {
		for format, flags := range map[Format]int{FormatV1: 64, FormatV2: 32, FormatHybrid: 0} {
			for _, pieceLength := range []int64{16 << 10, 64 << 10} {
				t.Run(fmt.Sprintf("%s %s %d", filepath.Base(path), format, pieceLength), func(t *testing.T) {
					t.Parallel()
					file := filepath.Join(t.TempDir(), "x.torrent")
					cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-I", "-c", libtorrentMake, path, fmt.Sprint(pieceLength), fmt.Sprint(flags), file)
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
					compareWithPeer(t, file, CreateOptions{Path: path, Format: format, PieceLength: pieceLength})
				})
			}
		}
	}
}

// compareWithPeer reads what another program made, and makes the same with Create.
func compareWithPeer(t *testing.T, file string, opts CreateOptions) {
	t.Helper()
	theirs := readTorrent(t, file)
	checkMetainfo(t, theirs)
	checkData(t, theirs, opts.Path)
	ours, err := Create(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if ours.InfoHash != theirs.InfoHash || ours.InfoHashV2 != theirs.InfoHashV2 || !reflect.DeepEqual(ours.Files, theirs.Files) ||
		!reflect.DeepEqual(ours.PieceLayers, theirs.PieceLayers) {
		t.Errorf("another infohash\nours   %s\ntheirs %s", printable(ours.InfoBytes), printable(theirs.InfoBytes))
	}
}

func printable(b []byte) string {
	s := fmt.Sprintf("%+q", regexp.MustCompile(`[0-9]+:[^ -~][^e]{20,}`).ReplaceAll(b, []byte("…")))
	return s[:min(len(s), 3000)]
}

func TestInfohashesAreThoseOfMktorrent(t *testing.T) {
	root := writeTree(t)
	if err := os.Chmod(filepath.Join(root, "a", "c"), 0o644); err != nil { // it does not know attr
		t.Fatal(err)
	}
	for _, name := range []string{".hidden", ".git", "link"} { // it takes them
		if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{root, filepath.Join(root, "z")} {
		file := makeWith(t, path, "mktorrent", "-l", "15", "-o")
		compareWithPeer(t, file, CreateOptions{Path: path, PieceLength: 32 << 10})
	}
}

// makeWith runs a program that makes a .torrent, and returns the file.
func makeWith(t *testing.T, path, program string, args ...string) string {
	t.Helper()
	needPrograms(t, program)
	file := filepath.Join(t.TempDir(), "x.torrent")
	if out, err := exec.CommandContext(t.Context(), program, append(args, file, path)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// transmission-create leaves empty files out, orders them in its own way, and writes that a torrent is not private.
func TestTorrentsOfTransmission(t *testing.T) {
	root := writeTree(t)
	if err := os.Chmod(filepath.Join(root, "a", "c"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{root, filepath.Join(root, "z")} {
		m := readTorrent(t, makeWith(t, path, "transmission-create", "-t", "http://127.0.0.1:1/announce", "-s", "32", "-o"))
		checkMetainfo(t, m)
		checkData(t, m, path)
		if m.Private || m.Trackers[0][0] != "http://127.0.0.1:1/announce" || m.CreationDate.IsZero() || m.CreatedBy == "" {
			t.Errorf("got %+v", m)
		}
	}
}

func readTorrent(t *testing.T, file string) *Metainfo {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMetainfo(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMktorrentOfOddNames(t *testing.T) {
	needPrograms(t, "mktorrent")
	root := filepath.Join(t.TempDir(), "odd")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"caf\xe9", `back\slash`, "new\nline", strings.Repeat("x", 255)} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(name), 0o644); err != nil {
			t.Skip(err) // not every file system takes them
		}
	}
	m := readTorrent(t, makeWith(t, root, "mktorrent", "-o"))
	checkMetainfo(t, m)
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	want := []string{`back\slash`, "caf%E9", "new\nline", strings.Repeat("x", 255)}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("got %q", names)
	}
	if _, err := Create(t.Context(), CreateOptions{Path: root}); CodeOf(err) != BadInput {
		t.Errorf("a name that is not UTF-8: %v", err)
	}
}

func BenchmarkCreate(b *testing.B) {
	name := filepath.Join(b.TempDir(), "big")
	if err := os.WriteFile(name, randomBytes(256<<20), 0o644); err != nil {
		b.Fatal(err)
	}
	for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
		b.Run(string(format), func(b *testing.B) {
			b.SetBytes(256 << 20)
			for b.Loop() {
				if _, err := Create(b.Context(), CreateOptions{Path: name, Format: format}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
