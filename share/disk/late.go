package disk

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"

	"shoal/share/index"
)

// Times of the archive (docs/shares.md §6.3, §6.4).
const (
	lateAfter = 10 * time.Second // until a replaced file is looked at again
	racy      = 2 * time.Second  // a file written so lately may have changed without a new mtime
)

// A lateLook is one at a file that went to the archive lately, which a program may still write to.
type lateLook struct {
	row Archived
	due time.Time
}

// NextLate is when Late has something to look at; false for never.
func (a *Applier) NextLate() (time.Time, bool) {
	if len(a.late) == 0 {
		return time.Time{}, false
	}
	return a.late[0].due, true
}

// Late looks at the files that went to the archive ten seconds ago. One that a program wrote to since is a conflict copy:
// an outcome of Op Put with Copy, and no row in the archive.
func (a *Applier) Late(ctx context.Context) ([]Outcome, error) {
	var due []Archived
	now := a.now()
	rest := a.late[:0:0]
	for _, l := range a.late {
		if l.due.After(now) {
			rest = append(rest, l)
		} else {
			due = append(due, l.row)
		}
	}
	a.late = rest
	return a.look(ctx, due)
}

// CheckArchive does what Late does with the whole archive: call it with each full scan, for a program may write to a
// replaced file for hours. Rows whose file is gone are dropped.
func (a *Applier) CheckArchive(ctx context.Context) ([]Outcome, error) {
	rows, err := a.Shelf.Archived()
	if err != nil {
		return nil, err
	}
	return a.look(ctx, rows)
}

func (a *Applier) look(ctx context.Context, rows []Archived) ([]Outcome, error) {
	b := a.newBatch(ctx)
	var out []Outcome
	var drop []string
	var errs []error
	for i := range rows {
		if err := context.Cause(ctx); err != nil {
			errs = append(errs, err)
			break
		}
		gone, copied, err := b.lookAt(&rows[i])
		switch {
		case err != nil:
			errs = append(errs, err)
		case copied != "":
			out = append(out, Outcome{Op: Op{Do: Put, Path: rows[i].Path}, Result: Saved, Copy: copied})
			fallthrough
		case gone:
			drop = append(drop, rows[i].Name)
		}
	}
	if err := b.syncTouched(); err != nil {
		return out, errors.Join(append(errs, err)...) // the rows stay: the next look finds the files gone
	}
	if len(drop) > 0 {
		errs = append(errs, a.Shelf.DropArchived(drop))
	}
	return out, errors.Join(errs...)
}

// lookAt looks at one archived file: gone says that it is not there, copied where it went because it had changed.
func (b *batch) lookAt(row *Archived) (gone bool, copied string, err error) {
	info, err := b.fs.Lstat(row.Name)
	if errors.Is(err, fs.ErrNotExist) {
		mount, _, _ := strings.Cut(row.Name, Archive)
		_, err := b.fs.Lstat(mount + Archive) // a device that is not mounted has its archive with it
		return err == nil, "", nil
	}
	if err != nil {
		return false, "", err
	}
	if unwritten(info.Ident, row.Ident) {
		return false, "", nil
	}
	copied, err = b.place(row.Name, row.Path, true)
	return false, copied, err
}

// unwritten reports whether an archived file is what it was. Its inode does not count: a restored backup has others.
func unwritten(now, then index.Ident) bool { return now.Size == then.Size && now.MTime == then.MTime }

// place renames what is at name, which is the user's, to a name in the tree: to the path itself if that may be and is free,
// else to a conflict name beside it, as near as there are directories.
func (b *batch) place(name, p string, itself bool) (string, error) {
	info, err := b.fs.Lstat(name)
	if err != nil {
		return "", err
	}
	dir, base := dirOf(p), path.Base(p)
	for {
		err := b.treeDirs(dir)
		for try := 0; err == nil; try++ {
			to := below(dir, base)
			if try > 0 || !itself {
				to = below(dir, conflictName(base, info.Ident, try))
			}
			if err = b.fs.RenameNew(name, to); err == nil {
				b.touch(name, to)
				return to, nil
			}
			if errors.Is(err, fs.ErrExist) && try < 8 {
				err = nil
			}
		}
		if dir == "." || resultOf(err) == NoRoom {
			return "", err
		}
		dir = dirOf(dir)
	}
}

// treeDirs makes the directories of a path that are missing.
func (b *batch) treeDirs(dir string) error {
	info, err := b.fs.Lstat(dir)
	if err == nil && info.Type != fs.ModeDir {
		return fs.ErrExist
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) || dir == "." {
		return err
	}
	if err := b.treeDirs(dirOf(dir)); err != nil {
		return err
	}
	b.touch(dir)
	return b.fs.Mkdir(dir, fs.FileMode(b.mode(&index.Base{Type: index.Dir})))
}

// conflictName is the name of a conflict copy that nobody else has: its inode and times make it. (An entry that others see
// in conflict is named by its dot; this one has none yet.)
func conflictName(base string, id index.Ident, try int) string {
	var b []byte
	for _, n := range []uint64{id.Inode, uint64(id.Size), uint64(id.MTime), uint64(id.CTime), uint64(try)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	sum := sha256.Sum256(b)
	ext := path.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	if stem == "" || len(ext) > 32 {
		stem, ext = base, ""
	}
	end := ".conflict-" + hex.EncodeToString(sum[:4]) + ext
	return cut(stem, maxName-len(end)) + end
}
