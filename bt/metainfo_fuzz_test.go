package bt

import (
	"io/fs"
	"path"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

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
