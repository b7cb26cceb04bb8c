package disk_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/share/disk"
	"shoal/share/index"
)

// A folder is a real one, scanned into a model.
type folder struct {
	t    testing.TB
	dir  string
	fs   disk.FS
	b    *model
	scan *disk.Scanner
	now  func() time.Time
	read []string // files that had to be read
}

func newFolder(t testing.TB) *folder {
	x := &folder{t: t, dir: t.TempDir(), b: newModel()}
	// An hour ahead: nothing is young, and the second look is due at once when asked for again later.
	x.now = func() time.Time { return time.Now().Add(time.Hour) }
	var err error
	x.fs, err = disk.OpenFS(x.dir)
	x.ok(err)
	t.Cleanup(func() { x.fs.Close() })
	x.ok(disk.WriteMark(x.fs, share))
	x.scan = disk.NewScanner(x.fs, x.b, disk.ScanOptions{Share: share, Now: func() time.Time { return x.now() }})
	return x
}

func (x *folder) ok(errs ...error) {
	x.t.Helper()
	if err := errors.Join(errs...); err != nil {
		x.t.Fatal(err)
	}
}

func (x *folder) at(p string) string { return filepath.Join(x.dir, filepath.FromSlash(p)) }

func (x *folder) write(p, text string) {
	x.t.Helper()
	x.ok(os.MkdirAll(filepath.Dir(x.at(p)), 0o755), os.WriteFile(x.at(p), []byte(text), 0o644))
}

func (x *folder) look() ([]disk.Finding, disk.Report) {
	x.t.Helper()
	var all []disk.Finding
	r, err := x.scan.Scan(x.t.Context(), nil, func(f disk.Finding) error {
		all = append(all, f)
		return nil
	})
	x.ok(err)
	for _, f := range all {
		x.apply(f)
	}
	return all, r
}

func (x *folder) apply(f disk.Finding) {
	x.t.Helper()
	if f.Kind == disk.Deleted {
		x.b.drop(f.Path)
		return
	}
	id, hash := f.Info.Ident, [32]byte{}
	switch {
	case f.From != nil:
		hash = f.From.Hash
	case f.Hash:
		x.read = append(x.read, f.Path)
		var err error
		id, err = disk.HashFile(x.fs, f.Disk, func(r io.ReaderAt, size int64) error {
			data := make([]byte, size)
			_, err := io.ReadFull(io.NewSectionReader(r, 0, size), data)
			hash = hashOf(data)
			return err
		})
		x.ok(err)
	case f.Base != nil:
		hash = f.Base.Hash
	}
	if f.Kind == disk.Renamed {
		x.b.drop(f.From.Path)
	}
	x.b.put(f.Row(id, hash, x.now()))
}

// The same as on the fake disk, on a real one, as far as they could differ.
func TestScanRealFolder(t *testing.T) {
	t.Parallel()
	x := newFolder(t)
	x.write("a", "one")
	x.write("b", "two")
	x.write("d/e/c", "three")
	x.write("d/e/f", "four")
	x.ok(os.Symlink("/etc/passwd", x.at("s")))
	found, r := x.look()
	want(t, found, "created a", "created b", "created d/", "created s", "created d/e/", "created d/e/c", "created d/e/f")
	if r.Files != 4 || r.Dirs != 2 || r.Links != 1 || r.Bytes != 15 || len(r.Problems) > 0 {
		t.Fatalf("%+v", r)
	}
	x.read = nil
	if found, _ = x.look(); len(found) > 0 {
		t.Fatalf("a second scan finds %q", list(found))
	}

	x.ok(os.Rename(x.at("d/e"), x.at("n")), os.Rename(x.at("a"), x.at("z")))
	found, _ = x.look()
	want(t, found, "created n/", "renamed z from a", "renamed n/c from d/e/c", "renamed n/f from d/e/f")
	if len(x.read) > 0 {
		t.Fatalf("renames read %q", x.read)
	}
	x.ok(os.Link(x.at("b"), x.at("b2")))
	found, _ = x.look()
	want(t, found, "touched b", "created b2")

	info, err := os.Stat(x.at("z"))
	x.ok(err, os.WriteFile(x.at("z"), []byte("eno"), 0o600), os.Chtimes(x.at("z"), time.Time{}, info.ModTime()))
	found, _ = x.look()
	want(t, found, "touched z")
	if row := x.b.rows["z"]; row.Hash != hashOf([]byte("eno")) {
		t.Fatal("the edit was missed")
	}

	x.ok(os.Remove(x.at("b2")), os.RemoveAll(x.at("n")))
	x.look()
	now := x.now
	x.now = func() time.Time { return now().Add(disk.SecondDir) }
	found, _ = x.look()
	want(t, found, "deleted b2", "deleted n/c", "deleted n/f", "deleted n/", "deleted d/e/")
	if len(x.b.rows) != 4 {
		t.Fatalf("%d rows", len(x.b.rows))
	}
}

func TestScanRealUnreadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("nothing is unreadable to root")
	}
	x := newFolder(t)
	x.write("d/e/c", "three")
	x.look()
	for _, mode := range []fs.FileMode{0, 0o400, 0o100} {
		x.ok(os.Chmod(x.at("d/e"), mode))
		now := x.now
		x.now = func() time.Time { return now().Add(disk.SecondDir) }
		for range 2 {
			for _, f := range first(x.look()) {
				if f.Kind != disk.Touched || f.Type != index.Dir {
					t.Errorf("%v: %q", mode, f.Kind)
				}
			}
		}
		x.ok(os.Chmod(x.at("d/e"), 0o700))
	}
}

func first(f []disk.Finding, _ disk.Report) []disk.Finding { return f }

// noInodes spares a map what is an index of a database.
type noInodes struct{ *model }

func (noInodes) ByInode(uint64) ([]index.Base, error) { return nil, nil }

// The figures of a scan without change. B is a map here.
func BenchmarkScanUnchanged(b *testing.B) {
	const files, perDir = 100_000, 100
	x := newFolder(b)
	for i := range files / perDir {
		d := fmt.Sprintf("dir-%03d/sub-%d", i/10, i%10)
		x.ok(os.MkdirAll(x.at(d), 0o755))
		for j := range perDir {
			x.ok(os.WriteFile(x.at(fmt.Sprintf("%s/file-%d.txt", d, j)), nil, 0o644))
		}
	}
	x.scan = disk.NewScanner(x.fs, noInodes{x.b}, disk.ScanOptions{Share: share, Now: x.now})
	_, err := x.scan.Scan(b.Context(), nil, func(f disk.Finding) error {
		x.b.rows[f.Path] = f.Row(f.Info.Ident, [32]byte{}, x.now())
		return nil
	})
	x.ok(err)
	x.b.kids = nil
	x.b.Children("") // makes the lists
	b.ReportAllocs()
	for b.Loop() {
		r, err := x.scan.Scan(b.Context(), nil, func(f disk.Finding) error { return fmt.Errorf("found %v %s", f.Kind, f.Path) })
		if x.ok(err); r.Files != files {
			b.Fatalf("%d files", r.Files)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/files*1e9, "ns/file")
}
