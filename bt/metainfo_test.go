package bt

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

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
