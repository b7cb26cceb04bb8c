package disk_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
	"shoal/share/index"
)

// sum stands for the content hash.
func sumOf(_ context.Context, r io.ReaderAt, size int64) ([32]byte, error) {
	data, err := io.ReadAll(io.NewSectionReader(r, 0, size+1))
	if err == nil && int64(len(data)) != size {
		err = io.ErrUnexpectedEOF
	}
	return sha256.Sum256(data), err
}

// A clock goes on by a millisecond with each look at it.
type clock struct{ t time.Time }

func (c *clock) now() time.Time {
	c.t = c.t.Add(time.Millisecond)
	return c.t
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// A world is a folder, what B says of it, and what its user must not lose.
type world struct {
	clock *clock
	disk  *memfs.FS // as the applier sees it
	fs    *memfs.FS // as the user does
	log   *memory
	// precious is the content that the user has, and did not himself overwrite or remove.
	precious map[string]bool
	whole    map[string]bool // every content that ever was complete
	ops      []disk.Op
	next     int
}

func newWorld(opts memfs.Options) *world {
	w := &world{clock: &clock{epoch}, log: newMemory(), precious: map[string]bool{}, whole: map[string]bool{}}
	opts.Now = w.clock.now
	w.disk = memfs.New(opts)
	w.fs = w.disk.User()
	return w
}

func (w *world) applier() *disk.Applier {
	return &disk.Applier{FS: w.disk, Log: w.log, Shelf: w.log, Now: w.clock.now, Hash: sumOf}
}

func (w *world) content() string {
	w.next++
	data := fmt.Sprintf("content %d", w.next)
	w.whole[data] = true
	return data
}

type fataler interface {
	Fatalf(string, ...any)
	Fatal(...any)
	Helper()
}

func check(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write is what programs do that write in place.
func (w *world) write(t fataler, name, data string) {
	t.Helper()
	file, err := w.fs.Create(name)
	if errors.Is(err, fs.ErrExist) {
		w.lose(name)
		file, err = w.fs.Write(name)
	}
	check(t, err)
	check(t, file.Truncate(0))
	_, err = file.WriteAt([]byte(data), 0)
	check(t, err)
	check(t, file.Close())
	w.precious[data] = true
}

// lose is what the user does to what he overwrites or removes.
func (w *world) lose(name string) {
	if f, err := w.fs.Open(name); err == nil {
		info, _ := f.Stat()
		data := make([]byte, info.Ident.Size)
		_, _ = f.ReadAt(data, 0)
		delete(w.precious, string(data))
	}
}

// seen makes a row of what is on disk, as a scan does.
func (w *world) seen(t fataler, name string) *index.Base {
	t.Helper()
	info, err := w.fs.Lstat(name)
	check(t, err)
	row := index.Base{Path: name, Natural: name, Type: index.File, Present: true, Ident: info.Ident, MTime: info.Ident.MTime,
		Mode: info.Ident.Mode, HasMode: true, Size: info.Ident.Size, Dots: []index.Dot{{Writer: [8]byte{1}, Counter: 7}}}
	switch info.Type {
	case fs.ModeDir:
		row.Type = index.Dir
	case fs.ModeSymlink:
		row.Type = index.Symlink
		target, _ := w.fs.Readlink(name)
		row.Value = []byte(target)
	default:
		row.Hash = sha256.Sum256(w.data(t, name))
	}
	w.log.rows[name] = row
	return &row
}

func (w *world) data(t fataler, name string) []byte {
	t.Helper()
	f, err := w.fs.Open(name)
	check(t, err)
	info, err := f.Stat()
	check(t, err)
	data := make([]byte, info.Ident.Size)
	_, err = f.ReadAt(data, 0)
	if len(data) > 0 {
		check(t, err)
	}
	return data
}

// news is a row that an index asks for.
func (w *world) news(name, data string, mtime int64) *index.Base {
	row := &index.Base{Path: name, Natural: name, Type: index.File, MTime: mtime, Mode: 0o640, HasMode: true, Size: int64(len(data)),
		Dots: []index.Dot{{Writer: [8]byte{2}, Counter: 9}}}
	if data != "" {
		row.Hash = sha256.Sum256([]byte(data))
	}
	return row
}

// put is an op that puts data at a path, with its temporary file.
func (w *world) put(t fataler, name, data string, old *index.Base) disk.Op {
	t.Helper()
	temp, err := (&disk.Applier{FS: w.fs, Log: w.log, Shelf: w.log, Now: w.clock.now}).Temp(name, fmt.Sprintf("t%d", w.next), 0)
	check(t, err)
	f, err := w.fs.Create(temp)
	check(t, err)
	_, err = f.WriteAt([]byte(data), 0)
	check(t, err)
	check(t, f.Close())
	w.whole[data] = true
	return disk.Op{Do: disk.Put, Path: name, Temp: temp, Old: old, New: w.news(name, data, epoch.UnixNano()-int64(w.next)*1e9)}
}

func inTree(name string) bool { return name != disk.Dir && !strings.Contains(name+"/", disk.Dir+"/") }

// audit checks what must hold whenever nothing is under way.
func (w *world) audit(t fataler) {
	t.Helper()
	if len(w.log.pending) > 0 {
		t.Fatalf("pending: %+v", w.log.pending)
	}
	here := map[string]bool{}
	files := map[string]string{}
	infos := map[string]disk.Info{}
	w.fs.Walk(func(name string, info disk.Info, data []byte) {
		infos[name] = info
		if info.Type != 0 || strings.Contains(name, disk.Temp+"/") {
			return
		}
		here[string(data)] = true
		files[name] = string(data)
		if inTree(name) && !w.whole[string(data)] {
			t.Fatalf("I3: %s has %q, which nobody wrote", name, data)
		}
	})
	for data := range w.precious {
		if !here[data] {
			t.Fatalf("I1: %q is lost; there are %v", data, files)
		}
	}
	for name, row := range w.log.rows {
		info, ok := infos[name]
		if row.Type != index.File || row.Ident.CTime == 0 || !ok || info.Ident != row.Ident {
			continue
		}
		if sha256.Sum256([]byte(files[name])) != row.Hash && row.Size > 0 {
			t.Fatalf("B believes that %s is what it was, and it has %q", name, files[name])
		}
	}
	for _, a := range w.log.shelf {
		if data, ok := files[a.Name]; ok && a.Hash != [32]byte{} && sha256.Sum256([]byte(data)) != a.Hash && infos[a.Name].Ident.MTime == a.Ident.MTime {
			t.Fatalf("the archive has %q as %s", data, a.Name)
		}
	}
}

var (
	somePaths = []string{"a", "b.txt", "d/x", "d/y.tar", "e/f/z", "ü", "d/l"}
	someDirs  = []string{"d", "e", "e/f", "h"}
)

// drawWorld makes a world and ops for it, the same for the same draws.
func drawWorld(t *rapid.T, opts memfs.Options) func() *world {
	type choice struct {
		name      string
		there     bool
		do, other int
	}
	var choices []choice
	for _, name := range somePaths {
		choices = append(choices, choice{name, rapid.Bool().Draw(t, "there "+name), rapid.IntRange(0, 6).Draw(t, "do "+name),
			rapid.IntRange(0, len(somePaths)-1).Draw(t, "other "+name)})
	}
	many := rapid.Bool().Draw(t, "many")
	return func() *world {
		w := newWorld(opts)
		for _, dir := range someDirs {
			check(t, w.fs.Mkdir(dir, 0o755))
		}
		for _, c := range choices {
			if c.there {
				w.write(t, c.name, w.content())
				check(t, w.fs.Chtimes(c.name, epoch.Add(-time.Hour).UnixNano()))
			}
		}
		rows := map[string]*index.Base{}
		for _, c := range choices {
			if c.there {
				rows[c.name] = w.seen(t, c.name)
			}
		}
		w.fs.Sync()
		for _, c := range choices {
			w.choose(t, rows, c.name, somePaths[c.other], c.do)
		}
		w.ops = append(w.ops, disk.Op{Do: disk.Mkdir, Path: "new", New: &index.Base{Path: "new", Type: index.Dir, Mode: 0o500, HasMode: true}},
			w.put(t, "new/n", w.content(), nil),
			disk.Op{Do: disk.Rmdir, Path: "h", Old: w.seen(t, "h")})
		for i := range 10 { // beyond what is synced one by one
			if many {
				w.ops = append(w.ops, w.put(t, fmt.Sprintf("new/%d", i), w.content(), nil))
			}
		}
		return w
	}
}

// choose adds an op for a path.
func (w *world) choose(t fataler, rows map[string]*index.Base, name, other string, do int) {
	row := rows[name]
	gone := func(p string) {
		rows[p] = nil
	}
	switch {
	case row == nil && do == 0:
		link := index.Base{Path: name, Type: index.Symlink, Value: []byte("a"), MTime: 5}
		w.ops = append(w.ops, disk.Op{Do: disk.PutSymlink, Path: name, New: &link})
	case row == nil || do <= 2:
		w.ops = append(w.ops, w.put(t, name, w.content(), row))
	case do == 3:
		w.ops = append(w.ops, disk.Op{Do: disk.Delete, Path: name, Old: row})
	case do == 4:
		meta := *row
		meta.Mode, meta.MTime = 0o600, meta.MTime+1
		w.ops = append(w.ops, disk.Op{Do: disk.SetMeta, Path: name, Old: row, New: &meta})
	case do == 5 && other != name && slices.Index(somePaths, other) > slices.Index(somePaths, name):
		to := *row
		to.Path, to.Natural = other, other
		w.ops = append(w.ops, disk.Op{Do: disk.Rename, From: name, Path: other, Old: row, Over: rows[other], New: &to})
		gone(other)
	}
	gone(name)
}

// died is what a killed applier throws.
type died struct{}

// run calls do, and reports whether it was killed.
func run(do func()) (killed bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(died); !ok {
				panic(r)
			}
			killed = true
		}
	}()
	do()
	return false
}

// everyStep calls step before each operation of the applier, by number from 1.
func (w *world) everyStep(step func(n int, op, name string) error) {
	n := 0
	w.disk.SetFault(func(op, name string) error {
		n++
		return step(n, op, name)
	})
	w.log.step = func(name string) {
		n++
		_ = step(n, "log", name)
	}
}

func (w *world) calm() {
	w.disk.SetFault(nil)
	w.log.step = func(string) {}
	w.log.fail = nil
}

func TestApply(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, memfs.Options{NoExchange: rapid.Bool().Draw(t, "no exchange")})()
		for _, o := range w.applier().Apply(context.Background(), w.ops) {
			if o.Result != disk.Applied && !(o.Op.Do == disk.Put && errors.Is(o.Err, fs.ErrExist)) {
				// A rename may have come to a path first.
				if o.Result != disk.Stale {
					t.Fatalf("%v %s: %v, %v", o.Op.Do, o.Op.Path, o.Result, o.Err)
				}
			}
			if o.Result == disk.Applied && o.Op.Do == disk.Put {
				if got := w.data(t, o.Op.Path); sha256.Sum256(got) != o.Op.New.Hash {
					t.Fatalf("%s has %q", o.Op.Path, got)
				}
				info, err := w.fs.Lstat(o.Op.Path)
				check(t, err)
				if info.Ident != o.Ident || o.Ident.CTime == 0 || info.Ident.MTime != o.Op.New.MTime || info.Ident.Mode != 0o640 {
					t.Fatalf("%s is %+v, recorded %+v", o.Op.Path, info.Ident, o.Ident)
				}
			}
		}
		w.audit(t)
		if info, _ := w.fs.Lstat("new"); info.Ident.Mode != 0o500 {
			t.Fatalf("the right that was lent is not given back: %o", info.Ident.Mode)
		}
		check(t, w.applier().Clean(context.Background(), disk.CleanOptions{}))
		w.fs.Walk(func(name string, _ disk.Info, _ []byte) {
			if path.Dir(name) == disk.Temp {
				t.Fatalf("%s was left", name)
			}
		})
	})
}
