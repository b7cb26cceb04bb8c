package disk_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
	"shoal/share/index"
)

const (
	nfcName = "\u00e9"
	nfdName = "e\u0301"
)

func problems(r disk.Report) []string {
	var out []string
	for _, p := range r.Problems {
		out = append(out, fmt.Sprintf("%s: %v", p.Path, p.Err))
	}
	return out
}

func wantProblem(t *testing.T, r disk.Report, path string, is error) {
	t.Helper()
	if !slices.ContainsFunc(r.Problems, func(p disk.Problem) bool { return p.Path == path && errors.Is(p.Err, is) }) {
		t.Fatalf("%q is not reported as %v: %q", path, is, problems(r))
	}
}

// Scenario 17: odd names are shared as they are; what cannot be is reported, and concerns nobody else.
func TestScanOddNames(t *testing.T) {
	t.Parallel()
	x := newBench(t, memfs.Options{})
	good := []string{"-rf", "a\nb", "CON", "dot.", " space ", "{a}", "*", `back\slash`, ".hidden", "..a", strings.Repeat("n", 255), ".shoa", "é"}
	for _, n := range good {
		x.write(n, "x")
	}
	bad := map[string]error{
		"\xff": disk.ErrName, "a\xc3": disk.ErrName,
		".SHOAL": disk.ErrReserved, ".Shoalignore": disk.ErrReserved, ".shoal.old": disk.ErrReserved, ".ſhoal": disk.ErrReserved,
		"\u0958" + strings.Repeat("\u0958", 80): disk.ErrName, // NFC makes it longer
	}
	for n := range bad {
		x.write(n, "x")
	}
	x.write(".shoalignore", "nothing")
	found, r := x.look(nil)
	if len(found) != len(good) || len(r.Problems) != len(bad) {
		t.Fatalf("found %q, problems %q", list(found), problems(r))
	}
	for n, is := range bad {
		wantProblem(t, r, n, is)
	}
	for _, f := range found {
		if err := index.CheckName(f.Path); err != nil {
			t.Error(err)
		}
	}
}

// A name in another form stays on disk, and is one name in the share.
func TestScanUnicodeForms(t *testing.T) {
	t.Parallel()
	x := newBench(t, memfs.Options{})
	x.mkdir(nfdName)
	x.write(nfdName+"/"+nfdName, "x")
	x.pass(time.Minute)
	found, _ := x.look(nil)
	want(t, found, "created "+nfcName+"/", "created "+nfcName+"/"+nfcName)
	if at, err := disk.Resolve(x.fs, nfcName+"/"+nfcName); err != nil || at != nfdName+"/"+nfdName || found[1].Disk != at {
		t.Fatalf("on disk it is %q, %v", at, err)
	}
	x.settle()

	// A second one of that name is reported, whatever its form; the one that B knows stays.
	x.write(nfdName+"/"+nfcName, "another")
	for _, what := range []disk.Paths{nil, {nfdName + "/" + nfcName: 0}} {
		found, r := x.look(what)
		want(t, found)
		wantProblem(t, r, nfdName+"/"+nfcName, disk.ErrTwin)
	}
	// With the first gone the second is it.
	x.remove(nfdName + "/" + nfdName)
	found, _ = x.look(disk.Paths{nfdName + "/" + nfdName: 0})
	want(t, found, "edited "+nfcName+"/"+nfcName)

	// A link to a file under another form is no rename of it.
	x.write("plain", "y")
	x.rename("plain", nfdName+"2")
	x.pass(time.Minute)
	x.settle()
	x.ok(x.fs.User().Link(nfdName+"2", "link"))
	found, _ = x.look(nil)
	want(t, found, "created link")
}

// Ignored paths are neither shared nor deleted, and a file that is renamed from one is a new one.
func TestScanIgnores(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.write("d/.shoalignore", "/c\n*.tmp\nskip/\n!e\n")
	x.write("d/x.tmp", "x")
	x.mkdir("d/skip")
	x.write("d/skip/y", "y")
	x.remove("d/c")
	x.pass(time.Minute)
	for range 3 {
		found, r := x.look(nil)
		want(t, found)
		if len(r.Problems) > 0 || r.Missing > 0 {
			t.Fatal(problems(r))
		}
		found, _ = x.look(disk.Paths{"d/x.tmp": 0, "d/skip/y": 0, "d/c": 0})
		want(t, found)
		x.pass(time.Hour)
	}
	// The rules go: what they hid is found as soon as the ignore file is looked at.
	x.write("d/.shoalignore", "[\n")
	found, r := x.look(disk.Paths{"d/.shoalignore": 0})
	want(t, found, "created d/skip/", "created d/x.tmp", "created d/skip/y")
	wantProblem(t, r, "d/.shoalignore", r.Problems[0].Err)
	if r.Missing != 1 {
		t.Fatal("d/c is not missed")
	}
	// Rules that cannot be read may hide anything.
	x.write("d/.shoalignore", strings.Repeat("#", 1<<20+1))
	x.write("d/new", "secret?")
	found, r = x.look(nil)
	want(t, found)
	if len(r.Problems) != 1 {
		t.Fatal(problems(r))
	}
	// An ignored row is not taken by a rename.
	x.write("d/.shoalignore", "/e")
	x.rename("d/e/f", "out")
	found, _ = x.look(disk.Paths{"out": 0})
	want(t, found, "created out")
}

// Scenario 18: what is neither file, directory nor link is reported; links that lead out are text.
func TestScanSpecial(t *testing.T) {
	t.Parallel()
	x := newBench(t, memfs.Options{})
	x.ok(x.fs.Pipe("p"))
	x.ok(x.fs.User().Symlink("/etc", "out"))
	x.ok(x.fs.User().Symlink(strings.Repeat("a/", 1500), "long"))
	x.write("h1", "hard")
	x.ok(x.fs.User().Link("h1", "h2"))
	x.pass(time.Minute)
	found, r := x.look(disk.Paths{"out/passwd": 0, "p": 0, "h1": 0, "h2": 0, "long": 0})
	want(t, found, "created h1", "created h2", "created out")
	wantProblem(t, r, "p", disk.ErrSpecial)
	wantProblem(t, r, "long", disk.ErrTarget)
	x.settle()
	x.write("h1", "both!")
	x.pass(time.Minute)
	found, _ = x.look(nil)
	want(t, found, "edited h1", "edited h2")
}

func TestScanTooDeep(t *testing.T) {
	t.Parallel()
	x := newBench(t, memfs.Options{})
	p := "d"
	for range index.MaxDepth {
		x.mkdir(p)
		p += "/d"
	}
	x.write(p, "x")
	found, r := x.look(nil)
	if len(found) != index.MaxDepth || len(r.Problems) != 1 {
		t.Fatalf("%d findings, %q", len(found), problems(r))
	}
	wantProblem(t, r, p, disk.ErrTooDeep)
}

// Whatever names a directory has: a finding's path is a valid one, each once; every name is found, reported or ours; and
// Resolve leads back.
func FuzzScanNames(f *testing.F) {
	f.Add("a", nfcName, nfdName)
	f.Add(".shoal", ".SHOAL", "\xff\xfe")
	f.Add("\u0958", "ﬁ", "．shoal")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		x := newBench(t, memfs.Options{})
		made := map[string]bool{}
		for _, n := range []string{a, b, c} {
			if !disk.ValidPath(n) || n == "." || strings.Contains(n, "/") || len(n) > 255 || n == disk.Dir {
				continue
			}
			if made[n] {
				continue
			}
			made[n] = true
			x.write(n, n)
		}
		found, r := x.look(nil)
		if made[disk.IgnoreFile] {
			return
		}
		seen := map[string]bool{}
		for _, f := range found {
			if err := index.CheckName(f.Path); err != nil || seen[f.Path] || !made[f.Disk] {
				t.Fatalf("%q from %q: %v", f.Path, f.Disk, err)
			}
			seen[f.Path] = true
			if at, err := disk.Resolve(x.fs, f.Path); err != nil || !made[at] {
				t.Fatalf("%q leads to %q: %v", f.Path, at, err)
			}
		}
		if len(found)+len(r.Problems) != len(made) {
			t.Fatalf("%d names, found %q, problems %q", len(made), list(found), problems(r))
		}
	})
}
