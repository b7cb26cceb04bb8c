package bt

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// A crashScenario is a download that is killed at each of its steps in turn.
type crashScenario struct {
	name  string
	only  []string // selected files
	force bool
	check bool
	setup func(t *testing.T, sm sample, opts FileOptions) // of the disk
}

func crashScenarios() []crashScenario {
	damaged := func(t *testing.T, sm sample, opts FileOptions) {
		s := mustOpen(t, sm, opts)
		for p := range sm.NumPieces {
			fetch(t, s, sm, p)
		}
		mustClose(t, s)
		a := bytes.Clone(sm.bytesOf(0))
		a[20]++
		writeFile(t, filepath.Join(opts.Root, "a"), a)
	}
	nothing := func(*testing.T, sample, FileOptions) {}
	return []crashScenario{
		{"all", nil, false, false, nothing},
		{"one file", []string{"d/b"}, false, false, nothing},
		{"repair", nil, false, true, damaged},
		{"replace", nil, true, false, func(t *testing.T, sm sample, opts FileOptions) {
			writeFile(t, filepath.Join(opts.Root, "a"), make([]byte, 40))
			writeFile(t, filepath.Join(opts.Root, "d/c"), []byte("short"))
			writeFile(t, filepath.Join(opts.Root, "d/empty"), []byte("not empty"))
		}},
	}
}

func crashSample(t testing.TB) sample {
	return newSample(t, 16, "a=40", "d/b=20", "d/empty=0", "=5", "d/c=33")
}

// crashDownload is what gets killed: it dies at the given step, having printed the pieces that it marked.
func crashDownload(t *testing.T, dir string, sc crashScenario, dieAt int) {
	sm := crashSample(t)
	opts := crashOptions(sm, dir, sc)
	var step atomic.Int64 // the finishing goroutine has steps too
	opts.step = func(string) {
		if step.Add(1) == int64(dieAt) {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {} // until it arrives
		}
	}
	s := mustOpen(t, sm, opts)
	for _, p := range s.Missing() {
		opts.step("fetching")
		fetch(t, s, sm, p)
		fmt.Printf("marked %d\n", p)
		opts.step("marked")
		if err := s.Flush(); err != nil { // makes the steps of the finishing goroutine come in the same order each time
			t.Fatal(err)
		}
	}
	mustClose(t, s)
	opts.step("closed")
}

func crashOptions(sm sample, dir string, sc crashScenario) FileOptions {
	opts := FileOptions{Root: filepath.Join(dir, "root"), Record: filepath.Join(dir, "state", "record"), Force: sc.force, Check: sc.check}
	for _, f := range sm.Files {
		name := f.Path
		if sc.only != nil && !slices.Contains(sc.only, name) {
			name = ""
		}
		opts.Paths = append(opts.Paths, name)
	}
	return opts
}

func TestFilesKilled(t *testing.T) {
	scenarios := crashScenarios()
	if dir := os.Getenv("SHOAL_TEST_CRASH"); dir != "" {
		which, _ := strconv.Atoi(os.Getenv("SHOAL_TEST_SCENARIO"))
		dieAt, _ := strconv.Atoi(os.Getenv("SHOAL_TEST_STEP"))
		crashDownload(t, dir, scenarios[which], dieAt)
		return
	}
	t.Parallel()
	for i, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			for dieAt := 1; ; dieAt++ {
				if killedAt(t, i, sc, dieAt) {
					continue
				}
				if dieAt < 10 {
					t.Errorf("only %d steps", dieAt)
				}
				return
			}
		})
	}
}

// killedAt kills a download, and finishes it. It reports false when the download had no such step.
func killedAt(t *testing.T, which int, sc crashScenario, dieAt int) (killed bool) {
	t.Helper()
	sm, dir := crashSample(t), t.TempDir()
	opts := crashOptions(sm, dir, sc)
	sc.setup(t, sm, opts)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestFilesKilled$", "-test.v")
	cmd.Env = append(os.Environ(), "SHOAL_TEST_CRASH="+dir, fmt.Sprint("SHOAL_TEST_SCENARIO=", which), fmt.Sprint("SHOAL_TEST_STEP=", dieAt))
	out, err := cmd.CombinedOutput()
	if err == nil {
		checkDisk(t, sm, opts)
		return false
	}
	if strings.Contains(string(out), "FAIL") {
		t.Fatalf("step %d: %s", dieAt, out)
	}
	s := mustOpen(t, sm, opts)
	checkPieces(t, s, sm)
	for line := range strings.Lines(string(out)) {
		var p int
		if _, err := fmt.Sscanf(line, "marked %d", &p); err == nil && slices.Contains(s.Missing(), p) {
			t.Errorf("step %d: piece %d is lost", dieAt, p)
		}
	}
	fetch(t, s, sm, s.Missing()...)
	mustClose(t, s)
	if checkDisk(t, sm, opts); t.Failed() {
		t.Fatalf("killed at step %d", dieAt)
	}
	return true
}

// abandon leaves the storage as a killed process would, with the finishing goroutine's work done.
func abandon(s *FileStorage) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.work.Wait()
	s.pool.close()
	Funlock(s.lock.f) // at once, though other tests start programs
	_ = s.lock.f.Close()
	_ = s.root.Close()
}

// A diskModel drives a storage through random acts, of ours and of others.
type diskModel struct {
	t    *rapid.T
	ctx  context.Context
	sm   sample
	opts FileOptions
	s    *FileStorage
}

// open opens the storage, forcing it when files were changed, and makes sure that nothing wrong is believed.
func (d *diskModel) open() {
	d.opts.Force = false
	s, err := OpenFiles(d.ctx, d.sm.Metainfo, d.opts)
	if CodeOf(err) == Exists {
		d.opts.Force = true
		s, err = OpenFiles(d.ctx, d.sm.Metainfo, d.opts)
	}
	if err != nil {
		d.t.Fatalf("opening: %v", err)
	}
	d.s = s
	checkPieces(d.t, s, d.sm)
}

// fetch stores a good piece. A file that could not be judged when it was found may turn out to differ.
func (d *diskModel) fetch(p int) {
	if err := store(d.s, d.sm, p); err != nil && (CodeOf(err) != Exists || d.opts.Force) {
		d.t.Fatalf("piece %d: %v", p, err)
	}
}

// disturb does to a file on disk what a user might.
func (d *diskModel) disturb(rt *rapid.T) {
	files := names(tree(d.t, d.opts.Root))
	if len(files) == 0 {
		return
	}
	name := filepath.Join(d.opts.Root, rapid.SampledFrom(files).Draw(rt, "file"))
	data, err := os.ReadFile(name)
	if err != nil {
		d.t.Fatal(err)
	}
	switch act := rapid.SampledFrom([]string{"flip", "flip", "flip", "cut", "grow", "remove", "copy", "touch"}).Draw(rt, "act"); act {
	case "flip":
		if len(data) > 0 {
			data[rapid.IntRange(0, len(data)-1).Draw(rt, "byte")] ^= 0x80
			writeFile(d.t, name, data)
		}
	case "cut":
		writeFile(d.t, name, data[:len(data)/2])
	case "grow":
		writeFile(d.t, name, append(data, 1))
	case "remove":
		_ = os.Remove(name)
	case "copy": // same content, or not, in another inode
		if len(data) > 0 {
			data[0] ^= byte(rapid.IntRange(0, 1).Draw(rt, "differs"))
		}
		info, _ := os.Stat(name)
		writeFile(d.t, name+".new", data)
		_ = os.Chtimes(name+".new", info.ModTime(), info.ModTime())
		_ = os.Rename(name+".new", name)
	case "touch":
		_ = os.Chtimes(name, d.s.flushed, d.s.flushed)
	}
}

func TestFilesNeverBelieveAWrongByte(t *testing.T) {
	t.Parallel()
	sm := crashSample(t)
	rapid.Check(t, func(rt *rapid.T) {
		d := &diskModel{t: rt, ctx: t.Context(), sm: sm, opts: sm.options(t)}
		d.open()
		piece := rapid.IntRange(0, sm.NumPieces-1)
		rt.Repeat(map[string]func(*rapid.T){
			"fetch": func(rt *rapid.T) { d.fetch(piece.Draw(rt, "piece")) },
			"fetch all": func(*rapid.T) {
				for _, p := range d.s.Missing() {
					d.fetch(p)
				}
			},
			"garbage": func(rt *rapid.T) {
				p := piece.Draw(rt, "piece")
				if err := d.s.MarkIncomplete(p); err != nil {
					rt.Fatal(err)
				}
				if _, err := d.s.WriteAt(make([]byte, 7), int64(p)*sm.PieceLength+3); err != nil {
					rt.Fatal(err)
				}
			},
			"flush": func(*rapid.T) { _ = d.s.Flush() },
			"reopen": func(rt *rapid.T) {
				_ = d.s.Close()
				d.between(rt)
				d.open()
			},
			"kill": func(rt *rapid.T) {
				abandon(d.s)
				d.between(rt)
				d.open()
			},
			"": func(rt *rapid.T) { checkPieces(rt, d.s, sm) },
		})
		_ = d.s.Close()
		d.opts.Paths = sm.options(t).Paths
		d.open()
		if d.opts.Force = true; d.s.Close() != nil {
			t.Fatal("closing")
		}
		s := mustOpen(t, sm, d.opts)
		fetch(t, s, sm, s.Missing()...)
		mustClose(t, s)
		for i, p := range d.opts.Paths {
			if got, err := os.ReadFile(filepath.Join(d.opts.Root, p)); err != nil || !bytes.Equal(got, sm.bytesOf(i)) {
				t.Fatalf("%s is wrong in the end: %v", p, err)
			}
		}
	})
}

// between is what may happen while no shoal runs.
func (d *diskModel) between(rt *rapid.T) {
	for range rapid.IntRange(0, 2).Draw(rt, "disturbances") {
		d.disturb(rt)
	}
	d.opts.Check = rapid.Bool().Draw(rt, "check")
	if i := rapid.IntRange(0, 2*len(d.opts.Paths)).Draw(rt, "toggle"); i < len(d.opts.Paths) {
		if path := d.sm.Files[i].Path; d.opts.Paths[i] == "" {
			d.opts.Paths[i] = path
		} else {
			d.opts.Paths[i] = ""
		}
	}
}
