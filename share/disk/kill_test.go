package disk_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"shoal/share/disk"
	"shoal/share/index"
)

// stepFS counts the operations of an applier on a real disk, and dies at one.
type stepFS struct {
	disk.FS
	step func()
}

func (f stepFS) RenameNew(from, to string) error { f.step(); return f.FS.RenameNew(from, to) }
func (f stepFS) Exchange(a, b string) error      { f.step(); return f.FS.Exchange(a, b) }
func (f stepFS) SyncDir(p string) error          { f.step(); return f.FS.SyncDir(p) }
func (f stepFS) SyncAll(p string) error          { f.step(); return f.FS.SyncAll(p) }
func (f stepFS) Chtimes(p string, t int64) error { f.step(); return f.FS.Chtimes(p, t) }
func (f stepFS) Lstat(p string) (disk.Info, error) {
	f.step()
	return f.FS.Lstat(p)
}

// saved is a memory that survives a process, in a file.
type saved struct {
	*memory
	file string
}

type savedState struct {
	Rows    map[string]index.Base
	Pending []disk.Intent
	Shelf   []disk.Archived
}

func openSaved(t testing.TB, file string) *saved {
	t.Helper()
	s := &saved{newMemory(), file}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s
	}
	must(t, err)
	var state savedState
	must(t, gob.NewDecoder(bytes.NewReader(data)).Decode(&state))
	s.rows, s.pending, s.shelf = state.Rows, state.Pending, state.Shelf
	if s.rows == nil {
		s.rows = map[string]index.Base{}
	}
	return s
}

func (s *saved) save(err error) error {
	var b bytes.Buffer
	if err == nil {
		err = gob.NewEncoder(&b).Encode(savedState{s.rows, s.pending, s.shelf})
	}
	if err == nil {
		err = os.WriteFile(s.file+"~", b.Bytes(), 0o600)
	}
	if err != nil {
		return err
	}
	return os.Rename(s.file+"~", s.file)
}

func (s *saved) Begin(in []disk.Intent) error        { return s.save(s.memory.Begin(in)) }
func (s *saved) End(outs []disk.Outcome) error       { return s.save(s.memory.End(outs)) }
func (s *saved) AddArchived(r []disk.Archived) error { return s.save(s.memory.AddArchived(r)) }
func (s *saved) DropArchived(n []string) error       { return s.save(s.memory.DropArchived(n)) }

// killedApply is what gets killed: it puts, renames and deletes in dir, and dies at a step.
func killedApply(t *testing.T, dir string, dieAt int) {
	f := openFS(t, filepath.Join(dir, "share"))
	log := openSaved(t, filepath.Join(dir, "log"))
	a := &disk.Applier{FS: f, Log: log, Shelf: log, Hash: sumOf}
	var ops []disk.Op
	row := func(name string) *index.Base {
		data := read(t, f, name)
		return &index.Base{Path: name, Type: index.File, Ident: lstat(t, f, name).Ident, Size: int64(len(data)), Hash: sha256.Sum256([]byte(data))}
	}
	comes := func(name, data string) *index.Base {
		return &index.Base{Path: name, Type: index.File, MTime: 1e18, Size: int64(len(data)), Hash: sha256.Sum256([]byte(data))}
	}
	for i := range 4 {
		name, data := fmt.Sprintf("d/put%d", i), fmt.Sprintf("new put %d", i)
		ops = append(ops, disk.Op{Do: disk.Put, Path: name, Temp: tempFile(t, a, f, name, data), Old: row(name), New: comes(name, data)})
	}
	over, moved := row("over"), row("from")
	moved.Path = "over"
	ops = append(ops,
		disk.Op{Do: disk.Delete, Path: "d/gone", Old: row("d/gone")},
		disk.Op{Do: disk.Rename, From: "from", Path: "over", Old: row("from"), Over: over, New: moved},
		disk.Op{Do: disk.Mkdir, Path: "e", New: &index.Base{Path: "e", Type: index.Dir}},
		disk.Op{Do: disk.Put, Path: "e/x", Temp: tempFile(t, a, f, "e/x", "new x"), New: comes("e/x", "new x")})
	n := 0
	step := func() {
		if n++; n == dieAt {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {} // until it arrives
		}
	}
	a.FS = stepFS{f, step}
	log.step = func(string) { step() }
	for _, o := range a.Apply(t.Context(), ops) {
		wantResult(t, o, disk.Applied)
	}
	fmt.Printf("steps %d\n", n)
}

// TestApplyKilledForReal kills a process that applies on a real disk, at some of its steps; at all by make crash.
func TestApplyKilledForReal(t *testing.T) {
	if dir := os.Getenv("SHOAL_TEST_KILL"); dir != "" {
		dieAt, _ := strconv.Atoi(os.Getenv("SHOAL_TEST_STEP"))
		killedApply(t, dir, dieAt)
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("names cannot be exchanged here")
	}
	every, at := 9, 1+rand.IntN(9)
	if os.Getenv("SHOAL_TEST_EVERY_STEP") != "" {
		every, at = 1, 1
	}
	points := 0
	for ; killReal(t, at); at += every {
		points++
	}
	t.Logf("points: %d/%d, every %d", points, at, every)
	if points < 3 {
		t.Errorf("only %d points", points)
	}
}

func killReal(t *testing.T, dieAt int) (killed bool) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "share"), 0o755))
	f := openFS(t, filepath.Join(dir, "share"))
	must(t, f.Mkdir("d", 0o755))
	want := map[string]bool{}
	for _, name := range []string{"d/put0", "d/put1", "d/put2", "d/put3", "d/gone", "from", "over"} {
		put(t, f, name, "old "+name)
		want["old "+name] = true
		must(t, f.Chtimes(name, 1e18-5))
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestApplyKilledForReal$")
	cmd.Env = append(os.Environ(), "SHOAL_TEST_KILL="+dir, "SHOAL_TEST_STEP="+strconv.Itoa(dieAt))
	out, err := cmd.CombinedOutput()
	if killed = err != nil; killed && cmd.ProcessState.Exited() {
		t.Fatalf("at %d: %v\n%s", dieAt, err, out)
	}
	log := openSaved(t, filepath.Join(dir, "log"))
	a := &disk.Applier{FS: f, Log: log, Shelf: log, Hash: sumOf}
	_, err = a.Recover(context.Background())
	must(t, err)
	must(t, a.Clean(context.Background(), disk.CleanOptions{}))
	auditReal(t, filepath.Join(dir, "share"), want, log)
	if t.Failed() {
		t.Fatalf("killed at %d", dieAt)
	}
	return killed
}

// auditReal checks that nothing is lost, and nothing half there.
func auditReal(t *testing.T, dir string, want map[string]bool, log *saved) {
	t.Helper()
	here := map[string]bool{}
	must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		here[string(data)] = true
		if !want[string(data)] && !strings.HasPrefix(string(data), "new ") {
			t.Errorf("%s has %q", name, data)
		}
		if strings.Contains(name, disk.Temp) {
			t.Errorf("%s was left", name)
		}
		return err
	}))
	for data := range want {
		if !here[data] {
			t.Errorf("%q is lost", data)
		}
	}
	if len(log.pending) > 0 {
		t.Errorf("pending: %+v", log.pending)
	}
	for name, row := range log.rows {
		if row.Type != index.File {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if sha256.Sum256(data) != row.Hash {
			t.Errorf("B has another %s than the disk: %q", name, data)
		}
	}
}

// BenchmarkPut puts 10,000 new files of 16 KiB, in batches; the temporary files are not counted.
func BenchmarkPut(b *testing.B) {
	for _, where := range []string{"", "/dev/shm"} {
		for _, exists := range []bool{false, true} {
			name := "disk"
			if where != "" {
				name = "memory"
			}
			b.Run(fmt.Sprintf("%s/replace=%v", name, exists), func(b *testing.B) { benchmarkPut(b, where, exists) })
		}
	}
}

func benchmarkPut(b *testing.B, where string, exists bool) {
	const files, size = 10000, 16 << 10
	data := strings.Repeat("x", size)
	for b.Loop() {
		b.StopTimer()
		dir, err := os.MkdirTemp(where, "shoal-bench-")
		if err != nil {
			b.Skip(err)
		}
		f := openFS(b, dir)
		log := newMemory()
		a := &disk.Applier{FS: f, Log: log, Shelf: log, Hash: sumOf}
		ops := make([]disk.Op, files)
		for i := range ops {
			if i%100 == 0 {
				must(b, f.Mkdir(fmt.Sprintf("d%d", i/100), 0o755))
			}
			name := fmt.Sprintf("d%d/f%d", i/100, i)
			op := disk.Op{Do: disk.Put, Path: name, New: &index.Base{Path: name, Type: index.File, MTime: 1e18, Size: size}}
			if exists {
				put(b, f, name, "old")
				op.Old = &index.Base{Path: name, Type: index.File, Ident: lstat(b, f, name).Ident, Size: 3}
			}
			op.Temp = tempFile(b, a, f, name, data)
			ops[i] = op
		}
		b.StartTimer()
		for _, o := range a.Apply(b.Context(), ops) {
			if o.Result != disk.Applied {
				b.Fatal(o.Err)
			}
		}
		b.StopTimer()
		os.RemoveAll(dir)
		b.StartTimer()
	}
	b.ReportMetric(float64(files*b.N)/b.Elapsed().Seconds(), "files/s")
}
