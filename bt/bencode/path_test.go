package bencode_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"

	"shoal/bt/bencode"
)

// document is b as a file would be, or as a pipe.
func document(b []byte) (*bencode.Document, error) {
	var r io.Reader = bytes.NewReader(b)
	if len(b)%2 == 1 {
		r = struct{ io.Reader }{r}
	}
	return bencode.NewDocument(r, bencode.Limits{})
}

// raw is a node as it stands, nil for none.
func raw(t testing.TB, n bencode.Node) []byte {
	if !n.Exists() {
		return nil
	}
	b, err := io.ReadAll(n.Reader())
	if err != nil {
		t.Error(err)
	}
	return b
}

func find(p bencode.Path, b []byte) ([]byte, error) {
	doc, err := document(b)
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	node, err := p.Find(doc.Root())
	if err != nil {
		return nil, err
	}
	return io.ReadAll(node.Reader())
}

// differences are all of them. The documents need no closing as they are small.
func differences(t testing.TB, a, b []byte) (all []bencode.Difference) {
	t.Helper()
	docA, err := document(a)
	if err != nil {
		t.Fatal(err)
	}
	docB, err := document(b)
	if err != nil {
		t.Fatal(err)
	}
	err = bencode.Diff(docA.Root(), docB.Root(), func(d bencode.Difference) error {
		all = append(all, d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const sample = "d4:info" + "d5:filesld4:pathl1:a1:beed0:i7eee4:name1:n10:name.utf-81:u1:xde" + "e3:a/b1:s1:\xff1:h5:str:xi1ee"

func TestFind(t *testing.T) {
	for path, want := range map[string]string{
		"": sample, "info.name": "1:n", "info.name.utf-8": "1:u", `info["name.utf-8"]`: "1:u", "/info/name.utf-8": "1:u",
		"info.files[0].path[1]": "1:b", "/info/files/0/path/1": "1:b", "/info/files/1/": "i7e", `info.files[1][""]`: "i7e",
		"/a~1b": "1:s", "a/b": "1:s", "hex:ff": "1:h", "base64:/w==": "1:h", "str:str:x": "i1e", "info.x": "de",
		// no such thing
		"info.files[2]": "info.files[2]: info.files has no such item", "nope": "nope: the value has no such key",
		"info.name.x":    "info.name.x: info.name has no such part, for it is a string",
		"info[0]":        "info[0]: info has no such key",
		"info.files.one": "info.files.one: info.files has no such item",
		"/info/files/-1": "info.files.-1: info.files has no such item",
		"info.x.y.z":     "info.x.y: info.x has no such key",
		`["info"].name`:  "1:n", `info["na\\me"]`: "info.na\\me: info has no such key",
		// no paths
		".a": `path ".a": a key is missing before ".a"`, "a.": `path "a.": a key is missing before ""`, "a[": `path "a[": "[" is no index such as [0]`,
		"a[1": `path "a[1": "[1" is no index such as [0]`, `a["b`: `path "a[\"b": "[\"b" has no end`, "hex:0": `path "hex:0": key "hex:0": it is not what its prefix says`,
	} {
		p, err := bencode.ParsePath(path)
		var got []byte
		if err == nil {
			got, err = find(p, []byte(sample))
		}
		if err != nil {
			got = []byte(err.Error())
		}
		if string(got) != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestDiff(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want []string
	}{
		{sample, sample, nil},
		{"i1e", "i2e", []string{`: "i1e" "i2e"`}},
		{"i1e", "1:1", []string{`: "i1e" "1:1"`}},
		{"i1e", "i01e", []string{`: "i1e" "i01e" form`}},
		{"d1:ai1e1:bi2ee", "d1:bi2e1:ai1ee", []string{`: "d1:ai1e1:bi2ee" "d1:bi2e1:ai1ee" form`}},
		{"d1:ai1e1:bi2ee", "d1:bi3e1:ai1ee", []string{`b: "i2e" "i3e"`}},
		{"d1:ai1e1:ai2ee", "d1:ai1ee", []string{`a: "i2e" ""`}},
		{"d1:ai1e1:ci1ee", "d1:bi1e1:ci1ee", []string{`a: "i1e" ""`, `b: "" "i1e"`}},
		{"d1:ali1eli2eeee", "d1:ali1eli3eei4eee", []string{`a[1][0]: "i2e" "i3e"`, `a[2]: "" "i4e"`}},
		{"d1:\xffi1e3:a.bi1ee", "d1:\xffi2e3:a.bi2ee", []string{`["a.b"]: "i1e" "i2e"`, `hex:ff: "i1e" "i2e"`}},
		{"d6:pieces1:xe", "d6:pieces1:ye", []string{`pieces: "1:x" "1:y"`}},
		{"d6:pieces40:aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbe", "d6:pieces20:aaaaaaaaaaaaaaaaaaaae",
			[]string{`pieces: "40:aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb" "20:aaaaaaaaaaaaaaaaaaaa" 1 of 2`}},
		{"d12:piece layersd1:r32:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaee", "d12:piece layersd1:r32:baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaee",
			[]string{`piece layers.r: "32:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" "32:baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" 1 of 1`}},
	} {
		var got []string
		for _, d := range differences(t, []byte(tt.a), []byte(tt.b)) {
			s := fmt.Sprintf("%s: %q %q", d.Path, raw(t, d.A), raw(t, d.B))
			if d.Form {
				s += " form"
			}
			if d.Pieces > 0 {
				s += fmt.Sprintf(" %d of %d", d.PiecesDiffer, d.Pieces)
			}
			got = append(got, s)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q, %q: got %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
}

// FuzzPath checks that what Diff calls a place is found there.
func FuzzPath(f *testing.F) {
	f.Add([]byte(sample), []byte("d1:ali1eee"), "info.files[0]")
	for _, tt := range pairs {
		f.Add([]byte(tt.benc), []byte("d1:ad5:filesd2:abi1eee1:$0:e"), "/a~1b/"+tt.json)
	}
	f.Fuzz(func(t *testing.T, a, b []byte, path string) {
		lim := bencode.Limits{Depth: 60, Size: 1 << 16, Count: 1000}
		if bencode.Check(a, lim) != nil || bencode.Check(b, lim) != nil {
			return
		}
		if p, err := bencode.ParsePath(path); err == nil {
			if node, err := find(p, a); err == nil {
				if err := bencode.Check(node, lim); err != nil {
					t.Fatalf("%q in %q is %q: %v", path, a, node, err)
				}
			}
		}
		all := differences(t, a, b)
		if (len(all) == 0) != (string(a) == string(b)) {
			t.Fatalf("%q, %q: %d differences", a, b, len(all))
		}
		for _, d := range all {
			again, err := bencode.ParsePath(d.Path.String())
			if err != nil {
				t.Fatal(err)
			}
			if d.A.Exists() {
				node, err := find(d.Path, a)
				same, err2 := find(again, a)
				if err != nil || err2 != nil || string(node) != string(same) {
					t.Fatalf("%s in %q: %q, %v, then %q, %v", d.Path, a, node, err, same, err2)
				}
			}
		}
	})
}
