package bt

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"shoal/bt/bencode"
)

// dict and list are bencode to be: see benc.
type (
	dict map[string]any
	list []any
)

func benc(v any) []byte { return appendBenc(nil, v) }

func appendBenc(b []byte, v any) []byte {
	switch v := v.(type) {
	case int:
		return bencode.AppendInt(b, int64(v))
	case string:
		return bencode.AppendString(b, v)
	case []byte: // bencode already
		return append(b, v...)
	case list:
		b = append(b, 'l')
		for _, item := range v {
			b = appendBenc(b, item)
		}
	case dict:
		b = append(b, 'd')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b = appendBenc(bencode.AppendString(b, key), v[key])
		}
	default:
		panic(fmt.Sprintf("benc of %T", v))
	}
	return append(b, 'e')
}

// with is d with other keys; a nil value removes one.
func (d dict) with(kv ...any) dict {
	d = maps.Clone(d)
	for i := 0; i < len(kv); i += 2 {
		if d[kv[i].(string)] = kv[i+1]; kv[i+1] == nil {
			delete(d, kv[i].(string))
		}
	}
	return d
}

func hashesOf(n int) string { return strings.Repeat("h", 20*n) }

var (
	single = dict{"name": "one.txt", "piece length": 16384, "pieces": hashesOf(2), "length": 20000}
	album  = dict{"name": "album", "piece length": 16384, "pieces": hashesOf(3), "files": list{
		dict{"length": 20000, "path": list{"a", "one"}, "attr": "x"},
		dict{"length": 12768, "path": list{".pad", "12768"}, "attr": "p"},
		dict{"length": 0, "path": list{"link"}, "attr": "l", "symlink path": list{"a", "one"}},
		dict{"length": 0, "path": list{"empty"}},
		dict{"length": 5, "path": list{"two"}},
	}}
	modern = dict{"name": "m", "piece length": 16384, "meta version": 2, "file tree": dict{
		"d": dict{"big": leaf(40000), "empty": dict{"": dict{"length": 0}}},
		"z": leaf(5),
	}}
	hybrid = modern.with("pieces", hashesOf(4), "files", list{
		dict{"length": 40000, "path": list{"d", "big"}},
		dict{"length": 9152, "path": list{".pad", "9152"}, "attr": "p"},
		dict{"length": 0, "path": list{"d", "empty"}},
		dict{"length": 5, "path": list{"z"}},
	})
)

func leaf(length int) dict {
	return dict{"": dict{"length": length, "pieces root": strings.Repeat(string(rune('a'+length%26)), 32)}}
}

func TestParseMetainfo(t *testing.T) {
	tests := []struct {
		name  string
		info  dict
		want  string // name, length, pieces and files
		dir   bool
		v1v2  string
		space int64
	}{
		{"single", single, "one.txt 20000 2 one.txt:0+20000", false, "v1", 20000},
		{"album", album, "album 20005 3 a/one:0+20000x empty:32768+0 two:32768+5", true, "v1", 32773},
		{"v2", modern, "m 40005 4 d/big:0+40000 d/empty:49152+0 z:49152+5", true, "v2", 0},
		{"v2 single", modern.with("file tree", dict{"m": leaf(7)}), "m 7 1 m:0+7", false, "v2", 0},
		{"v2 folder of one", modern.with("file tree", dict{"f": leaf(7)}), "m 7 1 f:0+7", true, "v2", 0},
		{"hybrid", hybrid, "m 40005 4 d/big:0+40000 d/empty:49152+0 z:49152+5", true, "v1v2", 49157},
		{"all empty", single.with("length", 0, "pieces", ""), "one.txt 0 0 one.txt:0+0", false, "v1", 0},
		{"utf-8 twins", album.with("name.utf-8", "Ä", "name", "\xc4", "files", list{
			dict{"length": 40000, "path": list{"\xe4"}, "path.utf-8": list{"ä"}},
		}), "Ä 40000 3 ä:0+40000", true, "v1", 40000},
		{"not utf-8", single.with("name", "a\xe4\xff.txt"), "a%E4%FF.txt 20000 2 a%E4%FF.txt:0+20000", false, "v1", 20000},
		{"empty components", album.with("files", list{dict{"length": 40000, "path": list{"", "etc", "", "passwd"}}}),
			"album 40000 3 etc/passwd:0+40000", true, "v1", 40000},
		{"bitcomet pads", album.with("files", list{
			dict{"length": 20000, "path": list{"a"}},
			dict{"length": 12768, "path": list{"_____padding_file_0_x____"}},
			dict{"length": 5, "path": list{"b"}},
		}), "album 20005 3 a:0+20000 b:32768+5", true, "v1", 32773},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			info := benc(tt.info)
			m, err := MetainfoFromInfo(info)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(m); got != tt.want || m.Dir != tt.dir || m.space != tt.space {
				t.Errorf("got %s, dir %v, space %d", got, m.Dir, m.space)
			}
			if got := versions(m); got != tt.v1v2 || !bytes.Equal(m.InfoBytes, info) {
				t.Errorf("versions %s", got)
			}
			if m.HasV1() && m.InfoHash != sha1.Sum(info) || m.HasV2() && m.InfoHashV2 != sha256.Sum256(info) {
				t.Error("the infohash is wrong")
			}
		})
	}
}

func describe(m *Metainfo) string {
	s := fmt.Sprintf("%s %d %d", m.Name, m.Length, m.NumPieces)
	for _, f := range m.Files {
		s += fmt.Sprintf(" %s:%d+%d", f.Path, f.Offset, f.Length)
		if f.Executable {
			s += "x"
		}
	}
	return s
}

func versions(m *Metainfo) (s string) {
	if m.HasV1() {
		s = "v1"
	}
	if m.HasV2() {
		s += "v2"
	}
	return s
}

func TestParseMetainfoRefuses(t *testing.T) {
	withPath := func(parts ...any) dict {
		return album.with("files", list{dict{"length": 40000, "path": list(parts)}})
	}
	file := func(d dict) dict { return album.with("files", list{d}) }
	twice := func(s string) []byte { return []byte(strings.TrimSuffix(string(benc(single)), "e") + s + "e") }
	tests := []struct {
		info any
		want string
	}{
		{"x", "info is not a dictionary"},
		{single.with("pieces", nil), "it has no pieces"},
		{single.with("pieces", 7), `"pieces" is of the wrong type`},
		{single.with("pieces", "short"), "pieces is 5 bytes long, no multiple of 20"},
		{single.with("pieces", hashesOf(1)), "20000 bytes make 2 pieces of 16384, but it has hashes of 1"},
		{single.with("pieces", hashesOf(3)), "20000 bytes make 2 pieces of 16384, but it has hashes of 3"},
		{single.with("length", -1), "length -1"},
		{single.with("length", nil), "it has neither files nor a length"},
		{single.with("piece length", 0), "piece length 0"},
		{single.with("piece length", -5), "piece length -5"},
		{single.with("piece length", 1<<40), "piece length 1099511627776"},
		{single.with("piece length", "x"), `"piece length" is of the wrong type`},
		{single.with("name", "../evil"), "contains a slash"},
		{single.with("name", ".."), "leads elsewhere"},
		{single.with("meta version", 3), "meta version 3 is not known"},
		{single.with("meta version", 2), "it has no file tree"},
		{twice("6:lengthi1e"), `"length" is there twice`},
		{withPath("..", "x"), `the path component ".." leads elsewhere`},
		{withPath("."), `the path component "." leads elsewhere`},
		{withPath("a/b"), "contains a slash"},
		{withPath("a\x00"), "contains a slash or NUL"},
		{withPath(`..\..\x`), "leads elsewhere"},
		{withPath(`a\..`), "leads elsewhere"},
		{withPath(), "it has no path"},
		{withPath("", ""), "its path is empty"},
		{withPath(7), "its path is not a list of strings"},
		{withPath(slices.Repeat(list{strings.Repeat("x", 200)}, 30)...), "is longer than 4096 bytes"},
		{album.with("files", list{7}), "file 1: it is not a dictionary"},
		{album.with("files", dict{}), `"files" is of the wrong type`},
		{file(dict{"length": "x", "path": list{"a"}}), "its length is no integer"},
		{file(dict{"path": list{"a"}}), "file 1: it has no length"},
		{album.with("files", list{
			dict{"length": 1<<63 - 1, "path": list{"a"}}, dict{"length": 1, "path": list{"b"}},
		}), "the files are too large together"},
		{modern.with("piece length", 16383), "is not a power of two"},
		{modern.with("piece length", 8192), "is not a power of two"},
		{modern.with("file tree", dict{"..": leaf(1)}), "leads elsewhere"},
		{modern.with("file tree", dict{"": dict{"length": 1}}), "there is a file without a name"},
		{modern.with("file tree", dict{"a": dict{"": dict{"length": 0}, "b": leaf(1)}}), `"a" is a file and a folder`},
		{modern.with("file tree", dict{"a": dict{"": dict{"length": 1}}}), "its root has 0 bytes, not 32"},
		{modern.with("file tree", dict{"a": leaf(1 << 60)}), "there are more than 4194304 pieces"},
		{modern.with("file tree", dict{"a": leaf(-1)}), "length -1"},
		{modern.with("file tree", dict{"a": 1}), `"a" is not a dictionary`},
		{hybrid.with("file tree", dict{"d": dict{"big": leaf(40000)}, "z": leaf(5)}), "v1 part has 3 files, its v2 part 2"},
		{hybrid.with("file tree", dict{"d": dict{"big": leaf(40001), "empty": dict{"": dict{"length": 0}}}, "z": leaf(5)}),
			`"d/big" has 40000 bytes in its v1 part, 40001 in its v2 part`},
		{hybrid.with("file tree", dict{"d": dict{"big": leaf(40000), "empti": dict{"": dict{"length": 0}}}, "z": leaf(5)}),
			`file 2 is "d/empty" in its v1 part, "d/empti" in its v2 part`},
		{hybrid.with("pieces", hashesOf(3), "files", list{
			dict{"length": 40000, "path": list{"d", "big"}}, dict{"length": 0, "path": list{"d", "empty"}}, dict{"length": 5, "path": list{"z"}},
		}), `"z" does not begin at the same piece`},
	}
	for _, tt := range tests {
		_, err := ParseMetainfo(benc(dict{"info": tt.info}))
		if CodeOf(err) != BadInput || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v (%s), want %q", err, CodeOf(err), tt.want)
		}
		if _, err := MetainfoFromInfo(benc(tt.info)); CodeOf(err) != BadInput {
			t.Errorf("MetainfoFromInfo: %v, want %q", err, tt.want)
		}
	}
}

func TestParseMetainfoRefusesWhatIsNone(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "not a metainfo file: it is empty",
		"le":                      "not a metainfo file: it is not a dictionary",
		"de":                      "not a metainfo file: it has no info dictionary",
		"not bencod":              `not a metainfo file: byte 0: want a value, got "n"`,
		"d4:infodee garbage":      `not a metainfo file: byte 10: want the end of the input, got " "`,
		strings.Repeat("l", 5000): "not a metainfo file: byte 200: want at most 200 levels",
	} {
		if _, err := ParseMetainfo([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", in, err, want)
		}
	}
	_, err := ParseMetainfo([]byte("\n<!doctype html>"))
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint(), "web page") {
		t.Errorf("no hint at a web page: %v", err)
	}
	boom := errors.New("boom")
	if _, err := ReadMetainfo(iotest.ErrReader(boom)); !errors.Is(err, boom) || CodeOf(err) == BadInput {
		t.Errorf("an error of the reader became %v", err)
	}
}

func TestRootOfTheRealWorld(t *testing.T) {
	tests := []struct {
		name string
		root dict
		want Metainfo
	}{
		{"plain", dict{"announce": "http://a/"}, Metainfo{Trackers: [][]string{{"http://a/"}}}},
		{"list wins", dict{"announce": "http://a/", "announce-list": list{list{"b", "c"}, list{}, list{"d"}}},
			Metainfo{Trackers: [][]string{{"b", "c"}, {"d"}}}},
		{"empty string as list", dict{"announce": "http://a/", "announce-list": ""}, Metainfo{Trackers: [][]string{{"http://a/"}}}},
		{"flat list", dict{"announce-list": list{"b", " ", "c"}}, Metainfo{Trackers: [][]string{{"b"}, {"c"}}}},
		{"wrong types", dict{"announce": 7, "announce-list": 7, "url-list": dict{}, "creation date": "x", "nodes": 1, "comment": list{}}, Metainfo{}},
		{"webseed as string", dict{"url-list": "http://w/"}, Metainfo{Webseeds: []string{"http://w/"}}},
		{"webseeds", dict{"url-list": list{"http://w/", "", 3, "http://x/"}}, Metainfo{Webseeds: []string{"http://w/", "http://x/"}}},
		{"no webseed", dict{"url-list": ""}, Metainfo{}},
		{"nodes", dict{"nodes": list{list{"h", 1}, list{"::1", 6881, 7}, list{"h", 0}, "x", list{}, list{"", 5}}},
			Metainfo{Nodes: []string{"h:1", "[::1]:6881"}}},
		{"texts", dict{"comment": "x\xff", "comment.utf-8": "xÿ", "created by": "me", "creation date": 86400},
			Metainfo{Comment: "xÿ", CreatedBy: "me", CreationDate: time.Unix(86400, 0).UTC()}},
		{"odd dates", dict{"creation date": -5}, Metainfo{}},
		{"layers without v2", dict{"piece layers": dict{"x": "y"}}, Metainfo{}},
	}
	for _, tt := range tests {
		m, err := ParseMetainfo(benc(tt.root.with("info", single)))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := Metainfo{Trackers: m.Trackers, Webseeds: m.Webseeds, Nodes: m.Nodes, Comment: m.Comment, CreatedBy: m.CreatedBy,
			CreationDate: m.CreationDate, PieceLayers: m.PieceLayers}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
}

func TestUnsortedKeysAreFine(t *testing.T) {
	info := "d6:pieces40:" + hashesOf(2) + "12:piece lengthi016384e4:name1:a6:lengthi20000ee"
	m, err := ParseMetainfo([]byte("d4:info" + info + "8:announce1:xe"))
	if err != nil || m.InfoHash != sha1.Sum([]byte(info)) || m.Trackers[0][0] != "x" {
		t.Fatalf("%+v, %v", m, err)
	}
}

func TestMetainfoBytes(t *testing.T) {
	root := dict{
		"announce": "http://a/", "announce-list": list{list{"http://a/", "http://b/"}, list{"http://c/"}}, "comment": "c", "created by": "me",
		"creation date": 86400, "info": single, "nodes": list{list{"::1", 6881}}, "url-list": list{"http://w/"},
	}
	for _, root := range []dict{root, {"info": album}, {"info": modern, "piece layers": dict{}}, {"info": single, "announce": "x"}} {
		want := benc(root)
		m, err := ParseMetainfo(want)
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if n, err := m.WriteTo(&buf); err != nil || n != int64(len(want)) || !bytes.Equal(buf.Bytes(), want) {
			t.Errorf("got %q, %v, want %q", buf.Bytes(), err, want)
		}
	}
}

// The hashes of a tree, the plain way.
func slowRoot(data []byte, leaves int) [32]byte {
	level := make([][32]byte, leaves)
	for i := range level {
		if from := i * blockSize; from < len(data) {
			level[i] = sha256.Sum256(data[from:min(len(data), from+blockSize)])
		}
	}
	for len(level) > 1 {
		for i := range len(level) / 2 {
			level[i] = sha256.Sum256(append(level[2*i][:], level[2*i+1][:]...))
		}
		level = level[:len(level)/2]
	}
	return level[0]
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func TestMerkle(t *testing.T) {
	for _, size := range []int{1, blockSize, blockSize + 1, 3 * blockSize, 5*blockSize - 7, 8 * blockSize, 13 * blockSize} {
		data := randomBytes(size)
		blocks := (size + blockSize - 1) / blockSize
		for levels := levelsFor(int64(blocks)); levels < 6; levels++ {
			var m merkle
			m.addBlocks(data)
			if m.root(levels, [32]byte{}) != slowRoot(data, 1<<levels) {
				t.Errorf("wrong root of %d bytes, %d levels", size, levels)
			}
		}
		const pieceLength = 2 * blockSize
		var layer []byte
		for at := 0; at < size; at += pieceLength {
			h := slowRoot(data[at:min(size, at+pieceLength)], 2)
			layer = append(layer, h[:]...)
		}
		if size > pieceLength && layerRoot(string(layer), pieceLength) != slowRoot(data, 1<<levelsFor(int64(blocks))) {
			t.Errorf("wrong root from the layer of %d bytes", size)
		}
	}
}

// made is a torrent of three files over pieces of 32 KiB, in three formats, and its data by file.
func made(t *testing.T, format string) (*Metainfo, [][]byte) {
	const pieceLength = 32 << 10
	data := [][]byte{randomBytes(100000), nil, randomBytes(pieceLength), randomBytes(777)}
	names := []string{"big", "empty", "exact", "small"}
	tree, files, layers := dict{}, list{}, dict{}
	var space, pieces []byte
	for i, d := range data {
		props := dict{"length": len(d)}
		if len(d) > 0 {
			root := slowRoot(d, 1<<levelsFor(int64(len(d)+blockSize-1)/blockSize))
			props["pieces root"] = string(root[:])
		}
		tree[names[i]] = dict{"": props}
		layer := ""
		for at := 0; at < len(d); at += pieceLength {
			h := slowRoot(d[at:min(len(d), at+pieceLength)], 2)
			layer += string(h[:])
		}
		if len(d) > pieceLength {
			layers[props["pieces root"].(string)] = layer
		}
		if pad := -len(space) & (pieceLength - 1); format != "v1" && len(d) > 0 && pad > 0 {
			files = append(files, dict{"length": pad, "path": list{".pad", fmt.Sprint(pad)}, "attr": "p"})
			space = append(space, make([]byte, pad)...)
		}
		files = append(files, dict{"length": len(d), "path": list{names[i]}})
		space = append(space, d...)
	}
	for at := 0; at < len(space); at += pieceLength {
		h := sha1.Sum(space[at:min(len(space), at+pieceLength)])
		pieces = append(pieces, h[:]...)
	}
	info := dict{"name": "made", "piece length": pieceLength}
	if format != "v2" {
		info = info.with("pieces", string(pieces), "files", files)
	}
	root := dict{}
	if format != "v1" {
		info = info.with("meta version", 2, "file tree", tree)
		root["piece layers"] = layers
	}
	m, err := ParseMetainfo(benc(root.with("info", info)))
	if err != nil {
		t.Fatal(err)
	}
	return m, data
}

// pieceSpace is the data at the offsets of the files.
func pieceSpace(m *Metainfo, data [][]byte) []byte {
	space := make([]byte, int64(m.NumPieces)*m.PieceLength)
	for i, f := range m.Files {
		copy(space[f.Offset:], data[i])
	}
	return space
}

func TestVerifyPiece(t *testing.T) {
	for _, format := range []string{"v1", "v2", "v1v2"} {
		t.Run(format, func(t *testing.T) {
			m, data := made(t, format)
			if versions(m) != format {
				t.Fatal(versions(m))
			}
			space := pieceSpace(m, data)
			for i := range m.NumPieces {
				size, end := m.PieceSize(i), m.dataEnd(i)
				piece := space[int64(i)*m.PieceLength:][:size]
				if !m.VerifyPiece(i, piece) || !m.VerifyPiece(i, piece[:end]) {
					t.Errorf("piece %d of %d bytes is refused", i, size)
				}
				for _, at := range []int64{0, end / 2, end - 1} {
					bad := bytes.Clone(piece)
					bad[at] ^= 1
					if m.VerifyPiece(i, bad) {
						t.Errorf("piece %d is accepted with byte %d changed", i, at)
					}
				}
				if m.VerifyPiece(i, piece[:end-1]) || m.VerifyPiece(i, nil) || m.VerifyPiece(i, append(bytes.Clone(piece), 0)) {
					t.Errorf("piece %d is accepted with another length", i)
				}
				if raceOff := testing.AllocsPerRun(20, func() { m.VerifyPiece(i, piece[:end]) }); raceOff > 0 {
					t.Errorf("piece %d: %v allocations", i, raceOff)
				}
			}
			if m.VerifyPiece(-1, nil) || m.VerifyPiece(m.NumPieces, nil) || m.PieceSize(m.NumPieces) != 0 {
				t.Error("a piece that is none is accepted")
			}
		})
	}
}

func TestPieceLayers(t *testing.T) {
	whole, data := made(t, "v2")
	bare, err := MetainfoFromInfo(whole.InfoBytes)
	if err != nil {
		t.Fatal(err)
	}
	space := pieceSpace(bare, data)
	piece := space[:bare.PieceLength]
	if bare.VerifyPiece(0, piece) {
		t.Error("a piece without a known hash is accepted")
	}
	if last := bare.NumPieces - 1; !bare.VerifyPiece(last, data[3]) {
		t.Error("a file of one piece needs no layer")
	}
	full, err := bare.WithPieceLayers(whole.PieceLayers)
	if err != nil || !full.VerifyPiece(0, piece) || !reflect.DeepEqual(full.PieceLayers, whole.PieceLayers) {
		t.Errorf("the layers are not taken: %v", err)
	}
	if len(bare.PieceLayers) != 0 {
		t.Error("the original was changed")
	}
	for root, layer := range whole.PieceLayers {
		for _, wrong := range []string{layer[:32], layer + layer, strings.Repeat("x", len(layer))} {
			if _, err := bare.WithPieceLayers(map[string]string{root: wrong}); CodeOf(err) != BadInput {
				t.Errorf("a wrong layer is accepted: %v", err)
			}
		}
	}
}

func TestFilesIn(t *testing.T) {
	m, _ := made(t, "v1") // big 0+100000, empty 100000+0, exact 100000+32768, small 132768+777
	for _, tt := range []struct{ off, n, first, end int }{
		{0, 1, 0, 1}, {99999, 1, 0, 1}, {99999, 2, 0, 3}, {100000, 1, 2, 3}, {0, 1 << 30, 0, 4}, {133544, 1, 3, 4}, {133545, 9, 4, 4},
	} {
		if first, end := m.FilesIn(int64(tt.off), int64(tt.n)); first != tt.first || end != tt.end {
			t.Errorf("FilesIn(%d, %d) = %d, %d", tt.off, tt.n, first, end)
		}
	}
}

// manyFiles is a .torrent of n files.
func manyFiles(n int) []byte {
	files := make(list, n)
	for i := range files {
		files[i] = dict{"length": 1000, "path": list{fmt.Sprint("folder ", i/1000), fmt.Sprint("file number ", i)}}
	}
	return benc(dict{"info": album.with("files", files, "pieces", hashesOf((1000*n+16383)/16384))})
}

func TestLargeMetainfo(t *testing.T) {
	m, err := ParseMetainfo(manyFiles(100000))
	if err != nil || len(m.Files) != 100000 {
		t.Fatal(err)
	}
	m, err = ParseMetainfo(benc(dict{"info": single.with("length", 16384*1500000, "pieces", hashesOf(1500000))}))
	if err != nil || m.NumPieces != 1500000 {
		t.Fatal(err)
	}
}

func BenchmarkParseMetainfo(b *testing.B) {
	in := manyFiles(100000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMetainfo(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyPiece(b *testing.B) {
	piece := randomBytes(1 << 20)
	sum := sha1.Sum(piece)
	m, err := MetainfoFromInfo(benc(single.with("length", 1<<20, "piece length", 1<<20, "pieces", string(sum[:]))))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1 << 20)
	for b.Loop() {
		m.VerifyPiece(0, piece)
	}
}

// checkMetainfo checks what is promised of every Metainfo.
func checkMetainfo(t *testing.T, m *Metainfo) {
	t.Helper()
	paths := map[string]bool{}
	var length, end int64
	for i, f := range m.Files {
		if !fs.ValidPath(f.Path) || f.Path == "." || !utf8.ValidString(f.Path) || paths[f.Path] || strings.Contains(f.Path, "\x00") {
			t.Errorf("file %d: path %q", i, f.Path)
		}
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if paths[dir] {
				t.Errorf("%q is a file and a folder", dir)
			}
		}
		for part := range strings.SplitSeq(f.Path, "/") {
			if len(part) > maxComponent {
				t.Errorf("file %d: long component %q", i, part)
			}
		}
		if f.Length < 0 || f.Offset < end {
			t.Errorf("file %d: %d+%d after %d", i, f.Offset, f.Length, end)
		}
		paths[f.Path] = true
		length += f.Length
		end = f.Offset + f.Length
	}
	if length != m.Length || end > int64(m.NumPieces)*m.PieceLength || m.Length < 0 {
		t.Errorf("length %d of %d, %d pieces of %d", m.Length, length, m.NumPieces, m.PieceLength)
	}
	if m.Name == "" || strings.Contains(m.Name, "/") || !fs.ValidPath(m.Name) || m.Name == "." {
		t.Errorf("name %q", m.Name)
	}
}

func FuzzParseMetainfo(f *testing.F) {
	for _, info := range []dict{single, album, modern, hybrid} {
		f.Add(benc(dict{"info": info, "announce": "http://a/", "announce-list": list{list{"b"}, "c"}, "nodes": list{list{"h", 1}}, "url-list": "w"}))
	}
	f.Add(manyFiles(3))
	f.Add(benc(dict{"info": album.with("files", list{
		dict{"length": 1, "path": list{"a"}}, dict{"length": 1, "path": list{"a", "b"}}, dict{"length": 1, "path": list{"a"}},
	}, "pieces", hashesOf(1))}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMetainfo(b)
		if err != nil {
			if CodeOf(err) != BadInput {
				t.Fatalf("%v is %s", err, CodeOf(err))
			}
			return
		}
		checkMetainfo(t, m)
		again, err := ParseMetainfo(m.Bytes())
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		if again.InfoHash != m.InfoHash || again.InfoHashV2 != m.InfoHashV2 || !reflect.DeepEqual(again.Files, m.Files) {
			t.Fatal("what was written says something else")
		}
		for i := range min(m.NumPieces, 4) {
			if s := m.PieceSize(i); s < 0 || s > m.PieceLength {
				t.Fatalf("piece %d has %d bytes", i, s)
			}
			m.VerifyPiece(i, make([]byte, min(m.PieceSize(i), 1<<20)))
		}
	})
}
