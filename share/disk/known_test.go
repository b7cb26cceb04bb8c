package disk_test

import (
	"context"
	"crypto/sha256"
	"io"
	"iter"
	"maps"
	"path"
	"slices"
	"time"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
	"shoal/share/index"
)

const share = "shoal1testshare"

// A model is B as a map, and what the engine does with findings.
type model struct {
	rows  map[string]index.Base
	kids  map[string][]string // sorted, below a directory; made when asked
	open  int
	calls int
}

func newModel() *model { return &model{rows: map[string]index.Base{}} }

func (m *model) Row(p string) (*index.Base, error) {
	m.mustBeClosed()
	if row, ok := m.rows[p]; ok {
		return &row, nil
	}
	return nil, nil
}

func (m *model) Children(dir string) iter.Seq2[*index.Base, error] {
	m.mustBeClosed()
	if m.kids == nil {
		m.kids = map[string][]string{}
		for p := range m.rows {
			m.kids[dirOf(p)] = append(m.kids[dirOf(p)], p)
		}
		for _, k := range m.kids {
			slices.Sort(k)
		}
	}
	return func(yield func(*index.Base, error) bool) {
		m.open++
		defer func() { m.open-- }()
		var row index.Base
		for _, p := range m.kids[dir] {
			row = m.rows[p]
			if !yield(&row, nil) {
				return
			}
		}
		row = index.Base{Path: "a row that was kept too long"}
	}
}

func (m *model) ByInode(n uint64) ([]index.Base, error) {
	return m.where(func(b index.Base) bool { return b.Ident.Inode == n })
}

func (m *model) ByContent(hash [32]byte, size int64) ([]index.Base, error) {
	return m.where(func(b index.Base) bool { return b.Hash == hash && b.Size == size })
}

func (m *model) where(is func(index.Base) bool) (found []index.Base, err error) {
	m.mustBeClosed()
	for _, p := range slices.Sorted(maps.Keys(m.rows)) {
		if b := m.rows[p]; b.Present && b.Type == index.File && is(b) {
			found = append(found, b)
		}
	}
	return found, nil
}

// mustBeClosed holds the scanner to what Known promises it.
func (m *model) mustBeClosed() {
	m.calls++
	if m.open > 0 {
		panic("B is asked while its rows are read")
	}
}

func (m *model) put(row index.Base) {
	m.mustBeClosed()
	m.rows[row.Path], m.kids = row, nil
}

func (m *model) drop(p string) {
	m.mustBeClosed()
	delete(m.rows, p)
	m.kids = nil
}

func dirOf(p string) string {
	if d := path.Dir(p); d != "." {
		return d
	}
	return ""
}

// A tester is *testing.T or *rapid.T.
type tester interface {
	Helper()
	Context() context.Context
	Fatal(...any)
	Fatalf(string, ...any)
}

// A bench is a folder with a clock, B, and a scanner.
type bench struct {
	t      tester
	fs     *memfs.FS
	b      *model
	scan   *disk.Scanner
	now    time.Time
	hashed []string // files that were read
	racy   disk.Paths
	skip   func(string) bool
}

func newBench(t tester, opts memfs.Options) *bench {
	x := &bench{t: t, b: newModel(), now: time.Unix(1_700_000_000, 123_456_789), racy: disk.Paths{}}
	opts.Now = x.clock
	x.fs = memfs.New(opts)
	x.ok(disk.WriteMark(x.fs, share))
	x.restart()
	return x
}

// restart makes a scanner that has seen nothing.
func (x *bench) restart() {
	x.scan = disk.NewScanner(x.fs, x.b, disk.ScanOptions{Share: share, Now: x.clock, Skip: func(p string) bool {
		return x.skip != nil && x.skip(p)
	}})
}

func (x *bench) clock() time.Time { return x.now }

// pass lets time go by; no two stamps are the same, and none is a whole second.
func (x *bench) pass(d time.Duration) { x.now = x.now.Add(d + 1009*time.Nanosecond) }

func (x *bench) ok(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *bench) mkdir(paths ...string) {
	x.t.Helper()
	for _, p := range paths {
		x.ok(x.fs.User().Mkdir(p, 0o755))
		x.pass(0)
	}
}

// write writes a whole file, in place when it is there.
func (x *bench) write(p, text string) {
	x.t.Helper()
	x.pass(0)
	f, err := x.fs.User().Create(p)
	if err != nil {
		f, err = x.fs.User().Write(p)
		x.ok(err)
		x.ok(f.Truncate(0))
	}
	_, err = f.WriteAt([]byte(text), 0)
	x.ok(err)
	x.ok(f.Close())
}

func (x *bench) remove(paths ...string) {
	x.t.Helper()
	for _, p := range paths {
		x.ok(x.fs.User().Remove(p))
	}
}

func (x *bench) rename(from, to string) {
	x.t.Helper()
	x.pass(0)
	x.ok(x.fs.User().Rename(from, to))
}

// hash reads a file as the engine does.
func (x *bench) hash(f disk.Finding) (index.Ident, [32]byte, error) {
	var sum [32]byte
	x.hashed = append(x.hashed, f.Path)
	id, err := disk.HashFile(x.fs, f.Disk, func(r io.ReaderAt, size int64) error {
		h := sha256.New()
		_, err := io.Copy(h, io.NewSectionReader(r, 0, size))
		h.Sum(sum[:0])
		return err
	})
	if id.Size == 0 {
		sum = [32]byte{}
	}
	return id, sum, err
}

// apply does with a finding what the engine does: B becomes what was seen.
func (x *bench) apply(f disk.Finding) (disk.Finding, error) {
	if f.Kind == disk.Deleted {
		x.b.drop(f.Path)
		return f, nil
	}
	read, id, hash := x.now, f.Info.Ident, [32]byte{}
	switch {
	case f.From != nil:
		hash = f.From.Hash
	case f.Hash:
		var err error
		if id, hash, err = x.hash(f); err != nil {
			return f, nil // it is found again
		}
		if f, err = x.scan.Moved(x.t.Context(), f, hash); err != nil {
			return f, err
		}
		f.Hash = true
	case f.Base != nil:
		hash = f.Base.Hash
	}
	if f.Type == index.File && disk.Racy(id, read) && f.Hash {
		x.racy.Add(f.Path, disk.LookHash)
	}
	if f.Kind == disk.Renamed {
		x.b.drop(f.From.Path)
	}
	x.b.put(f.Row(id, hash, read))
	return f, nil
}

// look scans and applies; what of nil is everything.
func (x *bench) look(what disk.Paths) ([]disk.Finding, disk.Report) {
	x.t.Helper()
	return x.findings(func(emit func(disk.Finding) error) (disk.Report, error) {
		return x.scan.Scan(x.t.Context(), what, emit)
	})
}

func (x *bench) secondLook() ([]disk.Finding, disk.Report) {
	x.t.Helper()
	return x.findings(func(emit func(disk.Finding) error) (disk.Report, error) {
		return x.scan.SecondLook(x.t.Context(), emit)
	})
}

func (x *bench) findings(scan func(func(disk.Finding) error) (disk.Report, error)) (all []disk.Finding, r disk.Report) {
	x.t.Helper()
	r, err := scan(func(f disk.Finding) error {
		all = append(all, f)
		return nil
	})
	x.ok(err)
	for i := range all {
		all[i], err = x.apply(all[i])
		x.ok(err)
	}
	return all, r
}

// settle scans until nothing is found: racy files and missing ones included.
func (x *bench) settle() {
	x.t.Helper()
	for range 20 {
		found, _ := x.look(nil)
		x.pass(disk.RacyTime)
		if len(x.racy) > 0 {
			what := x.racy
			x.racy = disk.Paths{}
			x.look(what)
		}
		next, waits := x.scan.NextLook()
		if waits {
			x.now = maxTime(x.now, next)
			x.secondLook()
		}
		if len(found) == 0 && !waits && len(x.racy) == 0 {
			x.hashed = nil
			return
		}
	}
	x.t.Fatal("the scanner finds something each time")
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// list is findings as text: kind, path and where from.
func list(found []disk.Finding) []string {
	out := []string{}
	for _, f := range found {
		s := f.Kind.String() + " " + f.Path
		if f.Kind == disk.Renamed {
			s += " from " + f.From.Path
		}
		if f.Type == index.Dir {
			s += "/"
		}
		out = append(out, s)
	}
	return out
}

func want(t tester, found []disk.Finding, lines ...string) {
	t.Helper()
	if got := list(found); !slices.Equal(got, append([]string{}, lines...)) {
		t.Fatalf("found %q\nwant  %q", got, lines)
	}
}

// hashOf is the hash that rows have of a content.
func hashOf(data []byte) [32]byte {
	if len(data) == 0 {
		return [32]byte{}
	}
	return sha256.Sum256(data)
}
