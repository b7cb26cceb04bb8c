package disk

import (
	"path"
	"strings"
	"testing"
)

// FuzzTarget: where an accepted symbolic link leads is inside, and it goes up before it goes down.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"a", "../a", "../../a", "a/../b", "/a", ".//../x", "..", "", "./."} {
		f.Add("d/e/l", s)
	}
	f.Fuzz(func(t *testing.T, p, target string) {
		if checkPath(p) != nil || checkTarget(p, target) != nil {
			return
		}
		at := path.Join(path.Dir(p), target)
		if at != "." && !ValidPath(at) && !strings.Contains(target, "\x00") {
			t.Errorf("%q at %q leads to %q", target, p, at)
		}
		if i := strings.LastIndex("/"+target+"/", "/../"); i > 0 && strings.Trim(target[:i], "./") != "" {
			t.Errorf("%q goes up after a name", target)
		}
	})
}

// FuzzCut: a name is cut at a rune, and to its length.
func FuzzCut(f *testing.F) {
	f.Add("grün", 3)
	f.Add("\xff\xff", 1)
	f.Fuzz(func(t *testing.T, name string, n int) {
		if n < 0 {
			return
		}
		got := cut(name, n)
		if len(got) > n || !strings.HasPrefix(name, got) {
			t.Errorf("cut %q to %d: %q", name, n, got)
		}
	})
}

func TestWindowsNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"a": true, "con": false, "CON.txt": false, "com1": false, "COM": true, "console": true,
		"a.": false, "a ": false, "a:b": false, "a?": false, "x\ty": false, "lpt9.x.y": false, "ü": true, "LPT10": true} {
		if windowsName(name) != want {
			t.Errorf("%q: not %v", name, want)
		}
	}
}

func TestConflictNames(t *testing.T) {
	t.Parallel()
	for base, want := range map[string][2]string{"a.txt": {"a.conflict-", ".txt"}, ".bashrc": {".bashrc.conflict-", ""}, "a": {"a.conflict-", ""},
		"a.tar.gz": {"a.tar.conflict-", ".gz"}, strings.Repeat("ü", 127): {"üü", ""}} {
		got := conflictName(base, Info{}.Ident, 0)
		if !strings.HasPrefix(got, want[0]) || !strings.HasSuffix(got, want[1]) || len(got) > maxName {
			t.Errorf("%q makes %q", base, got)
		}
		if conflictName(base, Info{}.Ident, 1) == got {
			t.Errorf("%q: no other name", base)
		}
	}
}
