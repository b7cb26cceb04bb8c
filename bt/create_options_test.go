package bt

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// paths are those of the files of a torrent of root.
func paths(t *testing.T, opts CreateOptions) (all []string) {
	t.Helper()
	m, err := Create(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		all = append(all, f.Path)
	}
	return all
}

func TestCreateGlobs(t *testing.T) {
	root := writeTree(t)
	for name, tt := range map[string]struct {
		opts CreateOptions
		want []string
	}{
		"include":           {CreateOptions{Include: []string{"*.txt", "a/**"}}, []string{"a.txt", "a/b/deep", "a/c", "a/empty too"}},
		"exclude a folder":  {CreateOptions{Exclude: []string{"a", "ä/"}}, []string{"a-x", "a.txt", "empty", "z"}},
		"exclude a path":    {CreateOptions{Exclude: []string{"**/b", "tree/ä/*", "*empty*"}}, []string{"a-x", "a.txt", "a/c", "z"}},
		"both":              {CreateOptions{Include: []string{"a/**"}, Exclude: []string{"deep"}}, []string{"a/c", "a/empty too"}},
		"hidden only":       {CreateOptions{Include: []string{".*"}, Hidden: true}, []string{".hidden"}},
		"not the .torrent":  {CreateOptions{Include: []string{"a*"}, Omit: filepath.Join(root, "a-x")}, []string{"a.txt"}},
		"another's torrent": {CreateOptions{Include: []string{"z"}, Omit: filepath.Join(root, "absent")}, []string{"z"}},
	} {
		tt.opts.Path = root
		if got := paths(t, tt.opts); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, opts := range []CreateOptions{{Include: []string{"["}}, {Exclude: []string{"{a"}}} {
		if opts.Path = root; CodeOf(second(Create(t.Context(), opts))) != Usage {
			t.Errorf("%+v is taken", opts)
		}
	}
	if err := second(Create(t.Context(), CreateOptions{Path: root, Include: []string{"nothing"}})); CodeOf(err) != BadInput {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

// Links are followed when that is wished, each as if what it leads to was there, but never a folder inside itself.
func TestCreateFollowsLinks(t *testing.T) {
	root := writeTree(t)
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "far"), []byte("far"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"a/up": "..", "a/self": ".", "twin": "a/b", "out": outside, "ä/a": "../a"} {
		if err := os.Symlink(to, filepath.Join(root, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	var said []string
	warn := func(s string) { said = append(said, s) }
	got := paths(t, CreateOptions{Path: root, FollowLinks: true, Exclude: []string{"*empty*", "*.txt", "a-x"}, Warn: warn})
	want := []string{"a/b/deep", "a/c", "link", "out/far", "twin/deep", "z", "ä/a/b/deep", "ä/a/c", "ä/ö"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	if len(said) != 1 || !strings.Contains(said[0], "leads to a folder that it is in") {
		t.Errorf("said %q", said)
	}
	if said = nil; len(paths(t, CreateOptions{Path: root, Warn: warn})) != 8 || len(said) != 1 || !strings.HasPrefix(said[0], "6 symbolic links left out") {
		t.Errorf("said %q", said)
	}
	if err := os.Symlink("nowhere", filepath.Join(root, "broken")); err != nil {
		t.Fatal(err)
	}
	if err := second(Create(t.Context(), CreateOptions{Path: root, FollowLinks: true})); CodeOf(err) != BadInput {
		t.Errorf("a link that leads nowhere: %v", err)
	}
	paths(t, CreateOptions{Path: root, FollowLinks: true, Exclude: []string{"broken"}})
}

func TestCreateWarns(t *testing.T) {
	root := writeTree(t)
	if err := os.WriteFile(filepath.Join(root, "a", "Thumbs.db"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for what, opts := range map[string]CreateOptions{
		`1 file may be junk, such as "a/Thumbs.db"`: {},
		"private and has no tracker":                {Private: true},
		"no power of two":                           {PieceLength: 3 << 14},
		"above 16 MiB":                              {PieceLength: 32 << 20},
		"2 files may be junk":                       {Hidden: true},
	} {
		var said []string
		opts.Path, opts.Warn = root, func(s string) { said = append(said, s) }
		paths(t, opts)
		if !strings.Contains(strings.Join(said, "\n"), what) {
			t.Errorf("%q is not said: %q", what, said)
		}
	}
}

// What comes from a stream makes the torrent that the file would make.
func TestCreateFromStream(t *testing.T) {
	name := filepath.Join(t.TempDir(), "one")
	for _, size := range []int{0, 1, 16384, 16385, 65536, 65537, 1 << 20, 1<<20 + 1} {
		if err := os.WriteFile(name, randomBytes(size), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
			for _, pieceLength := range []int64{blockSize, 64 << 10} {
				var last Progress
				opts := CreateOptions{Path: name, Format: format, PieceLength: pieceLength}
				want, err := Create(t.Context(), opts)
				if err != nil {
					t.Fatal(err)
				}
				opts.Path, opts.Name, opts.Reader = "", "one", iotest.HalfReader(bytes.NewReader(randomBytes(size)))
				opts.Progress = func(p Progress) { last = p }
				got, err := Create(t.Context(), opts)
				if err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
					t.Errorf("%d bytes, %s: %v", size, format, err)
				}
				if last.Done != int64(size) || last.Total != int64(size) {
					t.Errorf("last progress %+v", last)
				}
			}
		}
	}
}

func TestCreateFromStreamPieceLength(t *testing.T) {
	name := filepath.Join(t.TempDir(), "one")
	if err := os.WriteFile(name, randomBytes(100), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for want, r := range map[int64]io.Reader{blockSize: f, pipePieceLength: bytes.NewReader(nil)} {
		if m, err := Create(t.Context(), CreateOptions{Reader: r, Name: "x"}); err != nil || m.PieceLength != want {
			t.Errorf("%T: %v, %v", r, m, err)
		}
	}
	if err := second(Create(t.Context(), CreateOptions{Reader: f})); CodeOf(err) != Usage {
		t.Error(err)
	}
	broken := errors.New("broken")
	if err := second(Create(t.Context(), CreateOptions{Reader: iotest.ErrReader(broken), Name: "x"})); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// libtorrentShow prints the infohashes of a .torrent.
const libtorrentShow = `
import libtorrent as lt, sys
h = lt.torrent_info(sys.argv[1]).info_hashes()
print(h.v1 if h.has_v1() else '', h.v2 if h.has_v2() else '')
`

// Other people's programs read what Create makes, and find the data good.
func TestCreatedTorrentsAreAccepted(t *testing.T) {
	t.Parallel()
	root := writeTree(t)
	for _, path := range []string{root, filepath.Join(root, "z")} {
		for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
			t.Run(filepath.Base(path)+" "+string(format), func(t *testing.T) {
				t.Parallel()
				m, err := Create(t.Context(), CreateOptions{Path: path, Format: format, Trackers: [][]string{{"http://a/", "http://b/"}, {"udp://c:1"}},
					Webseeds: []string{"http://w/"}, Private: true, Source: "s", Comment: "c", CreatedBy: "shoal"})
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), "x.torrent")
				if err := os.WriteFile(file, m.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				v1, v2 := "", ""
				if m.HasV1() {
					v1 = m.InfoHash.String()
				}
				if m.HasV2() {
					v2 = m.InfoHashV2.String()
				}
				needPrograms(t, "libtorrent", "transmission-show", "aria2c")
				if got := output(t, "/usr/bin/python3", "-I", "-c", libtorrentShow, file); strings.TrimSpace(got) != strings.TrimSpace(v1+" "+v2) {
					t.Errorf("libtorrent says %s", got)
				}
				if format == FormatV1 { // version 3.00 does not know the others
					if got := output(t, "transmission-show", file); !strings.Contains(got, "Hash: "+v1) || !strings.Contains(got, "Private torrent") {
						t.Errorf("transmission says %s", got)
					}
				}
				if format == FormatV1 || format == FormatHybrid && !m.Dir { // 1.36 writes the pads of a hybrid folder to disk
					output(t, "aria2c", "--no-conf", "--check-integrity=true", "--hash-check-only=true", "--enable-dht=false", "--seed-time=0",
						"--enable-dht6=false", "--dir="+filepath.Dir(path), "--file-allocation=none", file)
				}
			})
		}
	}
}

func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}
