package bt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

var (
	posix   = pathRules{}
	darwin  = pathRules{foldCase: true}
	windows = pathRules{foldCase: true, windows: true}
)

func TestComponent(t *testing.T) {
	long := strings.Repeat("ä", 200)
	for _, tt := range []struct {
		rules    pathRules
		in, want string
	}{
		{posix, "plain.txt", "plain.txt"},
		{posix, `a\b:c?`, `a\b:c?`},
		{posix, "CON", "CON"},
		{posix, "\xff\xfeä", "%FF%FEä"},
		{posix, "", ""},
		{posix, "...", "..."},
		{posix, long + ".tar", strings.Repeat("ä", 121) + "~0f4b6c55.tar"},
		{windows, `a\b:c?`, "a_b_c_"},
		{windows, "CON", "_CON"}, {windows, "con.txt", "_con.txt"}, {windows, "Com1 .x", "_Com1 .x"}, {windows, "COM10", "COM10"},
		{windows, "lpt³", "_lpt³"}, {windows, "console", "console"},
		{windows, "dots...", "dots_"}, {windows, " . ", "_"},
	} {
		got, err := tt.rules.component([]byte(tt.in))
		if err != nil || len(tt.in) > 255 && len(got) > 255 {
			t.Errorf("%q: %v, %d bytes", tt.in, err, len(got))
		}
		if tt.in == long+".tar" { // the hash is what it is
			got, tt.want = strings.TrimRight(got, "~0123456789abcdef.tr"), strings.TrimRight(tt.want, "~0123456789abcdef.tr")
		}
		if got != tt.want {
			t.Errorf("%q became %q, want %q", tt.in, got, tt.want)
		}
	}
	a, _ := posix.component([]byte(strings.Repeat("x", 300) + "1.tar"))
	b, _ := posix.component([]byte(strings.Repeat("x", 300) + "2.tar"))
	if a == b || len(a) != 255 || !strings.HasSuffix(a, ".tar") {
		t.Errorf("long names became %q and %q", a, b)
	}
}

func TestPathTree(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rules pathRules
		in    string
		want  string
	}{
		{"distinct", posix, "a/b a/c b", "a/b a/c b"},
		{"duplicates", posix, "a.txt a.txt a.txt", "a.txt a_(2).txt a_(3).txt"},
		{"number taken", posix, "a_(2) a a", "a_(2) a a_(3)"},
		{"file, then folder", posix, "a a/b a/c a", "a a_(2)/b a_(2)/c a_(3)"},
		{"folder, then file", posix, "a/b a a/c", "a/b a_(2) a/c"},
		{"case matters", posix, "A/b a/B a/b", "A/b a/B a/b"},
		{"case does not", darwin, "A/b a/B a/c readme README", "A/b A/B_(2) A/c readme README_(2)"},
		{"normal form does not", darwin, "\u00e9 e\u0301", "\u00e9 e\u0301_(2)"},
		{"long", posix, strings.Repeat("x", 255) + " " + strings.Repeat("x", 255),
			strings.Repeat("x", 255) + " " + strings.Repeat("x", 251) + "_(2)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree := newPathTree(tt.rules, 0)
			var got []string
			for p := range strings.FieldsSeq(tt.in) {
				parts := strings.Split(strings.ReplaceAll(p, "_", " "), "/")
				var dir folder
				var err error
				for _, part := range parts[:len(parts)-1] {
					if dir, err = tree.dir(dir, part); err != nil {
						t.Fatal(err)
					}
				}
				f, err := tree.file(dir, parts[len(parts)-1])
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, strings.ReplaceAll(f, " ", "_"))
			}
			if want := strings.Fields(tt.want); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// A hundred thousand files of one name must not take quadratic time.
func TestPathTreeIsLinear(t *testing.T) {
	tree := newPathTree(posix, 0)
	for i := range 100000 {
		p, err := tree.file(0, "same")
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("same (%d)", i+1); i > 0 && p != want {
			t.Fatalf("got %s, want %s", p, want)
		}
	}
}
