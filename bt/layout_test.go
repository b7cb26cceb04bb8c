package bt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLayout(t *testing.T) {
	folder := &Metainfo{Name: "album", Dir: true, Files: []File{{Path: "one.txt"}, {Path: "cd1/two.txt"}, {Path: "cd1/x/three.txt"}}}
	single := &Metainfo{Name: "a.iso", Files: []File{{Path: "a.iso"}}}
	second := Selection{Indexes: []IndexRange{{2, 2}}}
	tests := []struct {
		name  string
		m     *Metainfo
		opts  DownloadOptions
		root  string // below the test's folder
		paths string // space-separated, - = ""
		code  Code
	}{
		{"default", folder, DownloadOptions{}, ".", "album/one.txt album/cd1/two.txt album/cd1/x/three.txt", OK},
		{"single", single, DownloadOptions{}, ".", "a.iso", OK},
		{"dir", single, DownloadOptions{Dir: "d"}, "d", "a.iso", OK},
		{"selected", folder, DownloadOptions{Select: second}, ".", "- album/cd1/two.txt -", OK},
		{"strip", folder, DownloadOptions{StripComponents: 2}, ".", "one.txt two.txt x/three.txt", OK},
		{"strip single", single, DownloadOptions{StripComponents: 3}, ".", "a.iso", OK},
		{"exact file", single, DownloadOptions{Output: "x/b.iso"}, "x", "b.iso", OK},
		{"exact file below dir", single, DownloadOptions{Dir: "d", Output: "x/b.iso"}, "d/x", "b.iso", OK},
		{"existing file", single, DownloadOptions{Output: "file"}, ".", "file", OK},
		{"into existing", single, DownloadOptions{Output: "empty"}, "empty", "a.iso", OK},
		{"into slash", single, DownloadOptions{Output: "new/"}, "new", "a.iso", OK},
		{"exact of one selected", folder, DownloadOptions{Output: "b", Select: second}, ".", "- b -", OK},
		{"one selected into", folder, DownloadOptions{Output: "empty", Select: second}, "empty", "- album/cd1/two.txt -", OK},
		{"exact folder", folder, DownloadOptions{Output: "new"}, "new", "one.txt cd1/two.txt cd1/x/three.txt", OK},
		{"exact folder stripped", folder, DownloadOptions{Output: "new", StripComponents: 1}, "new", "one.txt cd1/two.txt cd1/x/three.txt", OK},
		{"folder into existing", folder, DownloadOptions{Output: "empty"}, "empty", "album/one.txt album/cd1/two.txt album/cd1/x/three.txt", OK},
		{"exact folder, again", folder, DownloadOptions{Output: "used"}, "used", "one.txt cd1/two.txt cd1/x/three.txt", OK},
		{"exact folder, interrupted", folder, DownloadOptions{Output: "begun"}, "begun", "one.txt cd1/two.txt cd1/x/three.txt", OK},
		{"folder over a file", folder, DownloadOptions{Output: "file"}, "", "", Exists},
		{"nothing selected", folder, DownloadOptions{Select: Selection{Include: []string{"*.mp3"}}}, "", "", NotFound},
		{"collision", &Metainfo{Name: "n", Dir: true, Files: []File{{Path: "a/x"}, {Path: "b/x"}}}, DownloadOptions{StripComponents: 2}, "", "", Usage},
		{"file and folder", &Metainfo{Name: "n", Dir: true, Files: []File{{Path: "a/x"}, {Path: "x/y"}}}, DownloadOptions{StripComponents: 2}, ".", "x y", OK},
		{"file is a folder", &Metainfo{Name: "n", Dir: true, Files: []File{{Path: "a/x"}, {Path: "b/x/y"}}}, DownloadOptions{StripComponents: 2}, "", "", Usage},
		{"escape", &Metainfo{Name: "..", Dir: true, Files: []File{{Path: "x"}}}, DownloadOptions{}, "", "", BadInput},
		{"absolute", &Metainfo{Files: []File{{Path: "/etc/x"}}}, DownloadOptions{}, "", "", BadInput},
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("empty", 0o777); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "file", nil)
	writeFile(t, "used/cd1/two.txt", nil)
	writeFile(t, filepath.FromSlash("begun/"+partName(folder, "one.txt")), nil)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root, paths, err := Layout(test.m, &test.opts)
			wantCode(t, err, test.code)
			if err != nil {
				return
			}
			want := strings.Split(strings.ReplaceAll(test.paths, "-", ""), " ")
			if filepath.Clean(root) != filepath.FromSlash(test.root) || !slices.Equal(paths, want) {
				t.Errorf("got %s and %q, want %s and %q", root, paths, test.root, want)
			}
		})
	}
}

func TestSelectionMatch(t *testing.T) {
	m := &Metainfo{Name: "t", Dir: true, Files: []File{{Path: "a.txt"}, {Path: "d/a.txt"}, {Path: "d/e/b.mp3"}, {Path: "c.mp3"}}}
	tests := []struct {
		name string
		sel  Selection
		want string // the indexes picked
		code Code
	}{
		{"all", Selection{}, "1234", OK},
		{"range", Selection{Indexes: []IndexRange{{1, 2}, {4, 4}}}, "124", OK},
		{"base name", Selection{Include: []string{"*.txt"}}, "12", OK},
		{"path", Selection{Include: []string{"d/*.txt"}}, "2", OK},
		{"deep", Selection{Include: []string{"**/*.mp3"}}, "34", OK},
		{"with the name", Selection{Include: []string{"t/d/**"}}, "23", OK},
		{"folder", Selection{Include: []string{"d/"}}, "23", OK},
		{"braces", Selection{Include: []string{"{a,b}.*"}}, "123", OK},
		{"exclude", Selection{Exclude: []string{"*.mp3"}}, "12", OK},
		{"index or glob, not excluded", Selection{Indexes: []IndexRange{{1, 1}}, Include: []string{"*.mp3"}, Exclude: []string{"d/**"}}, "14", OK},
		{"out of range", Selection{Indexes: []IndexRange{{3, 5}}}, "", NotFound},
		{"zero", Selection{Indexes: []IndexRange{{0, 1}}}, "", NotFound},
		{"nothing", Selection{Include: []string{"x"}}, "", NotFound},
		{"malformed", Selection{Exclude: []string{"[a"}}, "", Usage},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			picked, err := test.sel.Match(m)
			wantCode(t, err, test.code)
			got := ""
			for i, p := range picked {
				if p {
					got += string(rune('1' + i))
				}
			}
			if got != test.want {
				t.Errorf("picked %q, want %q", got, test.want)
			}
		})
	}
}

func TestParseIndexes(t *testing.T) {
	got, err := ParseIndexes("1-3, 8")
	if err != nil || !slices.Equal(got, []IndexRange{{1, 3}, {8, 8}}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, s := range []string{"", "0", "3-1", "-1", "1-", "+1", "1,,2", "a", "1-2-3", "99999999999999999999", "０"} {
		_, err := ParseIndexes(s)
		if CodeOf(err) != Usage {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzParseIndexes(f *testing.F) {
	for _, s := range []string{"1-3,8", "1", " 2 , 3-3", "0", "-", "1-2-3", ",", "18446744073709551616"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ranges, err := ParseIndexes(s)
		if err != nil {
			return
		}
		var printed []string
		for _, r := range ranges {
			if r.First < 1 || r.Last < r.First {
				t.Fatalf("%q has range %v", s, r)
			}
			printed = append(printed, r.String())
		}
		again, err := ParseIndexes(strings.Join(printed, ","))
		if err != nil || !slices.Equal(again, ranges) {
			t.Fatalf("%q reads back as %v, %v", s, again, err)
		}
	})
}
