package bt

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFilesSymlinks(t *testing.T) {
	sm := newSample(t, 16, "d/a=40", "d/empty=0")
	part := partName(sm.Metainfo, "d/a")
	outside := func(t *testing.T) string {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "a"), []byte("precious"))
		return dir
	}
	tests := []struct {
		name, link, target string // target "" = outside
	}{
		{"parent to outside", "d", ""},
		{"parent to inside", "d", "other"},
		{"parent to nowhere", "d", "/nonexistent/x"},
		{"final to outside", "d/a", "a"},
		{"final dangling", "d/a", "x"},
		{"part to outside", part, "a"},
		{"empty file to outside", "d/empty", "a"},
		{"edges", "", "a"},
	}
	for _, test := range tests {
		for _, force := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				opts := sm.options(t)
				opts.Force = force
				dir := outside(t)
				link := test.link
				if link == "" {
					s, err := newFileStorage(sm.Metainfo, opts)
					if err != nil {
						t.Fatal(err)
					}
					link = s.edges
				}
				target := test.target
				if !filepath.IsAbs(target) && test.name != "parent to inside" {
					target = filepath.Join(dir, target)
				}
				name := filepath.Join(opts.Root, link)
				if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.MkdirAll(filepath.Join(opts.Root, "other"), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(target, name); err != nil {
					t.Skip(err)
				}
				s, err := OpenFiles(t.Context(), sm.Metainfo, opts)
				wantCode(t, err, Exists)
				if s != nil || !strings.Contains(err.Error(), "symbolic link") && link != "" && test.link != "" {
					t.Errorf("error %q does not tell", err)
				}
				if got := tree(t, dir); len(got) != 1 || string(got["a"]) != "precious" {
					t.Errorf("outside has %v", names(got))
				}
				if got, err := os.Readlink(name); err != nil || got != target {
					t.Errorf("the link is gone: %v", err)
				}
			})
		}
	}
}

// A folder that becomes a link while we run leads nowhere.
func TestFilesSymlinkLater(t *testing.T) {
	sm := newSample(t, 16, "d/a=40")
	opts := sm.options(t)
	s := mustOpen(t, sm, opts)
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(opts.Root, "d")); err != nil {
		t.Skip(err)
	}
	if err := store(s, sm, 0); err == nil {
		t.Error("written through a link")
	}
	if got := tree(t, dir); len(got) > 0 {
		t.Errorf("outside has %v", names(got))
	}
}

func TestFilesInTheWay(t *testing.T) {
	sm := newSample(t, 16, "d/a=40")
	for _, name := range []string{"d", "d/a/x", partName(sm.Metainfo, "d/a") + "/x"} {
		opts := sm.options(t)
		opts.Force = true
		writeFile(t, filepath.Join(opts.Root, name), []byte("x"))
		_, err := OpenFiles(t.Context(), sm.Metainfo, opts)
		wantCode(t, err, Exists)
		if got := tree(t, opts.Root); len(got) != 1 {
			t.Errorf("touched: %v", names(got))
		}
	}
}

func TestFilesEmptyFileNeverTruncates(t *testing.T) {
	sm := newSample(t, 16, "a=16", "empty=0")
	opts := sm.options(t)
	writeFile(t, filepath.Join(opts.Root, "empty"), []byte("precious"))
	_, err := OpenFiles(t.Context(), sm.Metainfo, opts)
	wantCode(t, err, Exists)
	if got := tree(t, opts.Root); string(got["empty"]) != "precious" || len(got) != 1 {
		t.Fatalf("touched: %v", got)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.Link(filepath.Join(opts.Root, "empty"), other); err != nil {
		t.Skip(err)
	}
	opts.Force = true
	s := mustOpen(t, sm, opts)
	fetch(t, s, sm, 0)
	mustClose(t, s)
	checkDisk(t, sm, opts)
	if got, _ := os.ReadFile(other); string(got) != "precious" {
		t.Error("the other name of the file was truncated")
	}
}

// The final name is taken while we download.
func TestFilesTakenMeanwhile(t *testing.T) {
	sm := newSample(t, 16, "a=16")
	opts := sm.options(t)
	s := mustOpen(t, sm, opts)
	writeFile(t, filepath.Join(opts.Root, "a"), []byte("precious"))
	fetch(t, s, sm, 0)
	wantCode(t, s.Flush(), Exists)
	wantCode(t, s.Close(), Exists)
	if got, _ := os.ReadFile(filepath.Join(opts.Root, "a")); string(got) != "precious" {
		t.Error("overwritten")
	}
}

func TestFilesHostileMetainfo(t *testing.T) {
	file := func(path string, off, n int64) File { return File{Path: path, Offset: off, Length: n} }
	tests := []struct {
		name  string
		files []File
	}{
		{"dots", []File{file("../x", 0, 16)}},
		{"absolute", []File{file("/x", 0, 16)}},
		{"behind the pieces", []File{file("x", 1, 16)}},
		{"negative", []File{file("x", 16, -1)}},
		{"negative offset", []File{file("x", -1, 2)}},
		{"overflow", []File{file("x", 1<<62, 1<<62)}},
		{"many pieces", nil},
		{"overlap", []File{file("x", 0, 8), file("y", 7, 8)}},
		{"duplicate", []File{file("x", 0, 8), file("x", 8, 8)}},
		{"file and folder", []File{file("x", 0, 8), file("x/y", 8, 8)}},
		{"hidden name", []File{file("x", 0, 8), file(".x.01000000.part", 8, 8)}},
		{"folder of hidden name", []File{file("x", 0, 8), file(".x.01000000.part/y", 8, 8)}},
		{"edges", []File{file("x", 0, 8), file(".shoal-01000000.edges", 8, 8)}},
		{"lock", []File{file("x", 0, 8), file(".shoal-01000000.lock", 8, 8)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := &Metainfo{InfoHash: InfoHash{1}, PieceLength: 16, NumPieces: 1, Files: test.files}
			if test.files == nil {
				m.PieceLength, m.NumPieces = 1<<62, 2
			}
			dir := t.TempDir()
			opts := FileOptions{Root: filepath.Join(dir, "root"), Force: true}
			for _, f := range test.files {
				opts.Paths = append(opts.Paths, f.Path)
			}
			s, err := OpenFiles(t.Context(), m, opts)
			if err == nil {
				_ = s.Close()
				t.Fatal("accepted")
			}
			if entries, _ := os.ReadDir(dir); len(entries) > 0 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
}

func TestFilesLongNames(t *testing.T) {
	long := strings.Repeat("n", 255)
	sm := newSample(t, 16, long+"=20", strings.Repeat("é", 127)+"/"+long[1:]+"=20")
	opts := sm.options(t)
	s := mustOpen(t, sm, opts)
	fetch(t, s, sm, 0, 1)
	mustClose(t, s)
	s = mustOpen(t, sm, opts)
	fetch(t, s, sm, s.Missing()...)
	mustClose(t, s)
	checkDisk(t, sm, opts)
}

func TestFilesManyDescriptors(t *testing.T) {
	var files []string
	for i := range 3 * maxHandles {
		files = append(files, strings.Repeat("x", i+1)[:1]+strings.Repeat("y", i)+"=10")
	}
	sm := newSample(t, 64, files...)
	opts := sm.options(t)
	s := mustOpen(t, sm, opts)
	for p := range sm.NumPieces {
		fetch(t, s, sm, p)
		s.pool.mu.Lock()
		n := s.pool.usage.Len()
		s.pool.mu.Unlock()
		if n > 2*maxHandles { // those that are being finished come on top
			t.Fatalf("%d files are open", n)
		}
	}
	mustClose(t, s)
	checkDisk(t, sm, opts)
}

func TestFilesLock(t *testing.T) {
	sm := newSample(t, 16, "a=16", "b=16")
	for _, record := range []bool{true, false} {
		opts := sm.options(t)
		if !record {
			opts.Record = ""
		}
		s := mustOpen(t, sm, opts)
		_, err := OpenFiles(t.Context(), sm.Metainfo, opts)
		wantCode(t, err, Busy)
		if !record { // another file of the same torrent is another target
			other := opts
			other.Paths = []string{"", "only-b"}
			mustClose(t, mustOpen(t, sm, other))
		}
		fetch(t, s, sm, 0)
		mustClose(t, s)
		s = mustOpen(t, sm, opts)
		fetch(t, s, sm, 1)
		mustClose(t, s)
		checkDisk(t, sm, opts)
	}
}

func TestFilesRemovesFoldersOfNothing(t *testing.T) {
	sm := newSample(t, 16, "d/a=16")
	dir := t.TempDir()
	opts := sm.options(t)
	opts.Root, opts.Record = filepath.Join(dir, "x", "y"), ""
	mustClose(t, mustOpen(t, sm, opts))
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestFilesCancelled(t *testing.T) {
	sm := newSample(t, 16, "a=16")
	opts := sm.options(t)
	writeFile(t, filepath.Join(opts.Root, "a"), sm.data)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := OpenFiles(ctx, sm.Metainfo, opts); err != context.Canceled {
		t.Errorf("error %v", err)
	}
}

// inMount runs the test in a mount namespace of its own, where it mounts a tmpfs of the given options. The function run is
// called there, with the tmpfs.
func inMount(t *testing.T, options string, run func(dir string)) {
	t.Helper()
	if dir := os.Getenv("SHOAL_TEST_MOUNT"); dir != "" {
		run(dir)
		return
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip(err)
	}
	if err := exec.Command(unshare, "-rm", "true").Run(); err != nil {
		t.Skipf("no user namespaces: %v", err)
	}
	dir := t.TempDir()
	script := `mount -t tmpfs -o "$1" none "$2" && exec "$3" -test.run "^$4\$" -test.v`
	cmd := exec.CommandContext(t.Context(), unshare, "-rm", "sh", "-c", script, "sh", options, dir, os.Args[0], t.Name())
	cmd.Env = append(os.Environ(), "SHOAL_TEST_MOUNT="+dir)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("in the mount: %v\n%s", err, out)
	}
}

func TestFilesDiskFull(t *testing.T) {
	inMount(t, "size=256k", func(dir string) {
		sm := newSample(t, 16<<10, "d/a=1000000")
		opts := sm.options(t)
		opts.Root = filepath.Join(dir, "root")
		s := mustOpen(t, sm, opts)
		var err error
		stored := 0
		for ; err == nil; stored++ {
			err = store(s, sm, stored)
		}
		wantCode(t, err, NoSpace)
		mustClose(t, s)
		s = mustOpen(t, sm, opts) // what came is kept
		checkPieces(t, s, sm)
		if got := sm.NumPieces - len(s.Missing()); got != stored-1 || got < 10 {
			t.Errorf("%d pieces are kept of %d", got, stored-1)
		}
	})
}

func TestFilesReadOnly(t *testing.T) {
	inMount(t, "size=1m", func(dir string) {
		sm := newSample(t, 16, "a=40", "b=20")
		opts := sm.options(t)
		opts.Root = filepath.Join(dir, "root")
		s := mustOpen(t, sm, opts)
		fetch(t, s, sm, 0, 1, 2, 3)
		mustClose(t, s)
		if out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
			t.Fatalf("remounting: %v %s", err, out)
		}
		s = mustOpen(t, sm, opts) // seeding needs no writing
		checkPieces(t, s, sm)
		mustClose(t, s)
		opts.Paths = []string{"a2", "b"}
		s = mustOpen(t, sm, opts)
		wantCode(t, store(s, sm, 0), Permission)
		opts.Root, opts.Record = filepath.Join(dir, "new"), opts.Record+"2"
		_, err := OpenFiles(t.Context(), sm.Metainfo, opts)
		wantCode(t, err, Permission)
	})
}
