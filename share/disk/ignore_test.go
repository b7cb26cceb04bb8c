package disk

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestIgnoreTable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rules     string
		path      string // with "/" at the end: a directory
		isIgnored bool
	}{
		{"", "a", false},
		{"# a\n\n", "# a", false},
		{`\# a`, "# a", true},
		{`\!a`, "!a", true},
		{"a", "a", true},
		{"a", "d/a", true},
		{"a/", "a", false},
		{"a/", "a/", true},
		{"/a", "a", true},
		{"/a", "d/a", false},
		{"d/a", "d/a", true},
		{"d/a", "x/d/a", false},
		{"**/d/a", "x/y/d/a", true},
		{"d/**", "d/", false},
		{"d/**", "d/x/y", true},
		{"a/**/b", "a/b", true},
		{"a/**/b", "a/x/y/b", true},
		{"*.log\n!keep.log", "keep.log", false},
		{"*.log\n!keep/", "keep/x.log", true},
		{"a ", "a", true},
		{`a\ `, "a ", true},
		{"a\r\n", "a", true},
		{"\ufeffa", "a", true},
		{"{a,b}", "a", false},
		{"{a,b}", "{a,b}", true},
		{"[!a]x", "bx", true},
		{"[!a]x", "ax", false},
		{"e\u0301", "é", true},
		{"*", "any", true},
		{"/", "any", false},
		{"[", "[", false},
		{"[\na", "a", true},
	} {
		r, err := parseRules(nil, "", test.rules)
		if err != nil && !errors.Is(err, errPattern) {
			t.Fatal(err)
		}
		p, dir := strings.CutSuffix(test.path, "/")
		if got := r.ignores(p, dir); got != test.isIgnored {
			t.Errorf("%q ignores %q: %v", test.rules, test.path, got)
		}
	}
}

// Rules of a deeper directory come first.
func TestIgnoreNested(t *testing.T) {
	t.Parallel()
	top, _ := parseRules(nil, "", "*.log\n/d/x")
	deep, _ := parseRules(top, "d", "!a.log\n/y")
	for p, ignored := range map[string]bool{"d/a.log": false, "d/b.log": true, "d/x": true, "d/y": true, "d/e/y": false, "d/e/a.log": false} {
		if deep.ignores(p, false) != ignored {
			t.Errorf("%s: ignored is not %v", p, ignored)
		}
	}
}

// git has the last word on its syntax.
func TestIgnoreAsGit(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("no git")
	}
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "git")
		if err != nil {
			t.Fatal(err)
		}
		run := func(in string, args ...string) string {
			cmd := exec.Command(git, args...)
			cmd.Dir, cmd.Stdin = dir, strings.NewReader(in)
			cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "HOME="+dir)
			out, _ := cmd.Output() // 1 says that nothing is ignored
			return string(bytes.TrimSpace(out))
		}
		run("", "init", "-q")
		part := rapid.SampledFrom([]string{"a", "b", "ab", "*", "a*", "?", "**", "[ab]", "[!a]", "{a}", `\a`})
		line := rapid.Custom(func(r *rapid.T) string {
			return rapid.SampledFrom([]string{"", "", "!", "/"}).Draw(r, "before") +
				strings.Join(rapid.SliceOfN(part, 1, 3).Draw(r, "parts"), "/") +
				rapid.SampledFrom([]string{"", "", "/", " "}).Draw(r, "after")
		})
		text := strings.Join(rapid.SliceOfN(line, 1, 4).Draw(r, "lines"), "\n") + "\n"
		if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files := []string{"a", "ab", "{a}", "b/a", "b/b", "b/ab", "b/c/a", "b/c/b", "b/c/ab/a"}
		for _, f := range files {
			p := filepath.Join(dir, f)
			if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		rules, _ := parseRules(nil, "", text)
		var ours []string
		for _, f := range files {
			if ignoredBelow(rules, f) {
				ours = append(ours, f)
			}
		}
		theirs := run(strings.Join(files, "\n"), "check-ignore", "--stdin")
		if got := strings.Join(ours, "\n"); got != theirs {
			r.Fatalf("rules %q: we ignore %q, git %q", text, ours, strings.Split(theirs, "\n"))
		}
	})
}

// ignoredBelow asks as a walk does: from the top.
func ignoredBelow(r *rules, p string) bool {
	for i := range len(p) {
		if p[i] == '/' && r.ignores(p[:i], true) {
			return true
		}
	}
	return r.ignores(p, false)
}

// Any text gives rules that answer.
func FuzzIgnore(f *testing.F) {
	f.Add("a\n!b/\n/c/**\n[", "a/b")
	f.Add(`\`, "x")
	f.Fuzz(func(t *testing.T, text, path string) {
		if !ValidPath(path) || path == "." {
			return
		}
		r, _ := parseRules(nil, "", text)
		one, two := r.ignores(path, true), r.ignores(path, true)
		if one != two {
			t.Fatal("two answers")
		}
		if again, _ := parseRules(nil, "", strings.Join(slices.Collect(strings.Lines(text)), "")); again.ignores(path, true) != one {
			t.Fatal("the same text gives other rules")
		}
	})
}
