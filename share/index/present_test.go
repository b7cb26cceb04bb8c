package index

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// see is what is shown for entries of one name, in short.
func see(entries []Entry, below bool, taken ...string) []string {
	set := NameSet{Name: "n.txt", Entries: entries}
	if below {
		set.Below = capOf(1, "below")
	}
	var s []string
	for _, x := range Present("dir", "dir/n.txt", set, func(n string) bool { return slices.Contains(taken, n) }) {
		s = append(s, fmt.Sprintf("%c %s t%d m%o %d", x.Type, x.Path, x.MTime, x.Mode, len(x.Dots)))
	}
	return s
}

func TestPresent(t *testing.T) {
	t.Parallel()
	file := func(w byte, content int, mtime int64, mode uint32) Entry {
		return Entry{Name: "n.txt", Type: File, Dot: dotOf(w, 1), Size: 1, Hash: hashOf(content), MTime: mtime, Mode: mode, HasMode: true}
	}
	of := func(w byte, kind Type, value string, mtime int64) Entry {
		return Entry{Name: "n.txt", Type: kind, Dot: dotOf(w, 1), Value: []byte(value), MTime: mtime}
	}
	dir := func(w byte, mode uint32) Entry {
		return Entry{Name: "n.txt", Type: Dir, Dot: dotOf(w, 1), Mode: mode, HasMode: true}
	}
	// printf "\001\001\002\003\004\005\006\007\0\0\0\0\0\0\0\001" | sha256sum, and so on.
	const one, oneLonger, two, four = "e9f8982f", "e9f8982f4484aa42", "a8984bac", "ab3dc374"
	for _, c := range []struct {
		name    string
		entries []Entry
		below   bool
		taken   []string
		want    []string
	}{
		{"nothing", nil, false, nil, nil},
		{"one", []Entry{file(1, 1, 5, 0o644)}, false, nil, []string{"f dir/n.txt t5 m644 1"}},
		{"twins", []Entry{file(2, 1, 9, 0o600), file(1, 1, 5, 0o644)}, false, nil, []string{"f dir/n.txt t9 m644 2"}},
		{"the later keeps the name", []Entry{file(1, 1, 5, 0o644), file(2, 2, 6, 0o644)}, false, nil,
			[]string{"f dir/n.txt t6 m644 1", "f dir/n.conflict-" + one + ".txt t5 m644 1"}},
		{"then the smaller dot", []Entry{file(2, 2, 5, 0o644), file(1, 1, 5, 0o644)}, false, nil,
			[]string{"f dir/n.txt t5 m644 1", "f dir/n.conflict-" + two + ".txt t5 m644 1"}},
		{"before 1970", []Entry{file(2, 2, -5, 0o644), file(1, 2, -9, 0o600)}, false, nil, []string{"f dir/n.txt t-5 m600 2"}},
		{"a taken name", []Entry{file(1, 1, 5, 0o644), file(2, 2, 6, 0o644)}, false, []string{"n.conflict-" + one + ".txt"},
			[]string{"f dir/n.txt t6 m644 1", "f dir/n.conflict-" + oneLonger + ".txt t5 m644 1"}},
		{"directory, link, file", []Entry{file(1, 1, 5, 0o644), of(4, Link, "l", 0), dir(3, 0o700), dir(2, 0o750)}, false, nil,
			[]string{"d dir/n.txt t0 m750 2", "l dir/n.conflict-" + four + ".txt t0 m0 1", "f dir/n.conflict-" + one + ".txt t5 m644 1"}},
		{"a directory by what is in it", []Entry{file(1, 1, 5, 0o644)}, true, nil,
			[]string{"d dir/n.txt t0 m755 0", "f dir/n.conflict-" + one + ".txt t5 m644 1"}},
		{"symlinks", []Entry{of(1, Symlink, "x", 1), of(2, Symlink, "x", 2), of(3, Symlink, "y", 3)}, false, nil,
			[]string{"s dir/n.txt t3 m0 1", "s dir/n.conflict-" + one + ".txt t2 m0 2"}},
		{"unknown", []Entry{of(1, 'Z', "", 0), file(2, 1, 5, 0o644)}, false, nil, []string{"f dir/n.txt t5 m644 1"}},
	} {
		if got := see(c.entries, c.below, c.taken...); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
		slices.Reverse(c.entries)
		if got := see(c.entries, c.below, c.taken...); !slices.Equal(got, c.want) {
			t.Errorf("%s in another order:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestConflictNames(t *testing.T) {
	t.Parallel()
	const tail = ".conflict-" + "00000000"
	none := func(string) bool { return false }
	for name, want := range map[string]string{
		"a":                                 "a" + tail,
		"a.tar.gz":                          "a.tar" + tail + ".gz",
		".bashrc":                           ".bashrc" + tail,
		"a.":                                "a" + tail + ".",
		"a." + strings.Repeat("x", 40):      "a." + strings.Repeat("x", 40) + tail,
		strings.Repeat("x", 255):            strings.Repeat("x", 237) + tail,
		strings.Repeat("ä", 125) + ".txt":   strings.Repeat("ä", 116) + tail + ".txt",
		"x" + strings.Repeat("€", 80) + "b": "x" + strings.Repeat("€", 78) + tail,
	} {
		if got := conflictName(name, [32]byte{}, none); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	// Somebody may take all names there are of a stamp, and more.
	left := 50
	got := conflictName("a", [32]byte{}, func(string) bool { left--; return left > 0 })
	if err := CheckName(got); err != nil {
		t.Error(err)
	}
}

// TestConflictNamesAreNames: whatever the name, that of its copy can be one, says where it came from, and is another.
func TestConflictNamesAreNames(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringOfN(rapid.RuneFrom([]rune("ab.é€𝄞 ")), 1, 255, 255).Draw(rt, "name")
		if CheckName(name) != nil {
			rt.Skip()
		}
		stamp := hashOf(rapid.Uint32().Draw(rt, "stamp"))
		got := conflictName(name, stamp, func(string) bool { return false })
		if err := CheckName(got); err != nil || got == name || !utf8.ValidString(got) {
			rt.Fatalf("%q becomes %q: %v", name, got, err)
		}
		if len(name) < 200 && !slices.Contains(Touches("d/"+got), "d/"+name) {
			rt.Fatalf("%q does not touch %q, but %q", got, name, Touches("d/"+got))
		}
	})
}

func TestTouches(t *testing.T) {
	t.Parallel()
	for p, want := range map[string][]string{
		"a":                           {"a"},
		"a/b/c":                       {"a/b/c", "a/b", "a"},
		"d/x.conflict-0123abcd.txt":   {"d/x.conflict-0123abcd.txt", "d", "d/x.txt"},
		"x.conflict-0123abcd01234567": {"x.conflict-0123abcd01234567", "x"},
		"x.conflict-0123abc.txt":      {"x.conflict-0123abc.txt"},
		"x.conflict-0123abcg":         {"x.conflict-0123abcg"},
		".conflict-0123abcd":          {".conflict-0123abcd"},
		"x.conflict-0123abcd.conflict-01234567.txt": {"x.conflict-0123abcd.conflict-01234567.txt", "x.conflict-0123abcd.txt"},
	} {
		if got := Touches(p); !slices.Equal(got, want) {
			t.Errorf("%q: %q", p, got)
		}
	}
}
