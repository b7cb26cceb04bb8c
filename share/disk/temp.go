package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"shoal/share/index"
)

// Temp is where a file that is to come to p is written meanwhile, on the device of p: name below its Temp, which is made. A
// file of that name may be there, from before. size is how many bytes it will take: ErrNoRoom when less than the reserve
// would stay free.
func (a *Applier) Temp(p, name string, size int64) (string, error) {
	b := a.newBatch(context.Background())
	dir, err := b.tempDir(p)
	if err != nil {
		return "", err
	}
	if err := b.room(dir, size); err != nil {
		return "", err
	}
	return below(dir, name), nil
}

func (b *batch) tempDir(p string) (string, error) {
	d, err := b.device(dirOf(p))
	if err != nil {
		return "", err
	}
	dir := below(d.mount, Temp)
	return dir, b.makeDirs(dir)
}

func (b *batch) room(dir string, size int64) error {
	free, err := b.fs.Free(dir)
	if err == nil && free-size < b.Reserve {
		err = fmt.Errorf("%w: %d bytes are free, %d are needed, the reserve is %d", ErrNoRoom, free, size, b.Reserve)
	}
	return err
}

// makeLink makes the symbolic link that is to come to a path.
func (b *batch) makeLink(op *Op) error {
	target := string(op.New.Value)
	if !b.AnyLinks {
		if err := checkTarget(op.Path, target); err != nil {
			return err
		}
	}
	if err := b.tempName(op, "link-"); err != nil {
		return err
	}
	return b.fs.Symlink(target, op.Temp)
}

// tempName gives an op a temporary name of ours that nobody has.
func (b *batch) tempName(op *Op, prefix string) error {
	dir, err := b.tempDir(op.Path)
	if err != nil {
		return err
	}
	for {
		b.counter++
		op.Temp = below(dir, prefix+strconv.Itoa(b.counter))
		_, err := b.fs.Lstat(op.Temp)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Copy copies the file that row says is at from to temp, which must not exist: the way of an entry whose content is here
// already. The copy has the content of the row or is not made; fs.ErrNotExist and others say that the file is not what the
// row says.
func (a *Applier) Copy(ctx context.Context, from string, row *index.Base, temp string) (err error) {
	b := a.newBatch(ctx)
	if err := b.room(dirOf(temp), row.Size); err != nil {
		return err
	}
	src, err := b.fs.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	if info, err := src.Stat(); err != nil || !sameIdent(info.Ident, row.Ident) {
		return errors.Join(errStale, err)
	}
	dst, err := b.fs.Create(temp)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, dst.Close()); err != nil {
			_ = b.fs.Remove(temp)
		}
	}()
	if err := copyAll(ctx, dst, src, row.Size); err != nil {
		return err
	}
	if info, err := src.Stat(); err != nil || !sameIdent(info.Ident, row.Ident) {
		return errors.Join(errStale, err)
	}
	if a.Hash == nil || row.Hash == [32]byte{} {
		return nil
	}
	sum, err := a.Hash(ctx, io.NewSectionReader(dst, 0, row.Size), row.Size)
	if err == nil && sum != row.Hash {
		err = errStale
	}
	return err
}

func copyAll(ctx context.Context, dst io.WriterAt, src io.ReaderAt, size int64) error {
	buf := make([]byte, min(size, 1<<20))
	for off := int64(0); off < size; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := src.ReadAt(buf[:min(int64(len(buf)), size-off)], off)
		if n == 0 && err != nil {
			return err
		}
		if _, err := dst.WriteAt(buf[:n], off); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

// CleanOptions of Clean.
type CleanOptions struct {
	Mounts []string // where devices begin inside the share; the top itself is always looked at
	// Keep says that a temporary file is still wanted; nil for none.
	Keep func(temp string) bool
	// Lost says that the intents may not be those of this folder (the database is new): nobody knows then what a temporary
	// file is, and it goes to the archive.
	Lost bool
}

// Clean removes temporary files that no intent names and nobody keeps.
func (a *Applier) Clean(ctx context.Context, opts CleanOptions) error {
	intents, err := a.Log.Pending()
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, in := range intents {
		named[in.Op.Temp] = true
	}
	b := a.newBatch(ctx)
	var errs []error
	for _, mount := range append([]string{"."}, opts.Mounts...) {
		dir := below(mount, Temp)
		names, err := b.fs.ReadDir(dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
			continue
		}
		for _, name := range names {
			temp := below(dir, name)
			if named[temp] || opts.Keep != nil && opts.Keep(temp) {
				continue
			}
			errs = append(errs, b.clean(temp, opts.Lost))
		}
	}
	return errors.Join(append(errs, b.syncTouched())...)
}

func (b *batch) clean(temp string, lost bool) error {
	info, err := b.fs.Lstat(temp)
	if err != nil {
		return err
	}
	if !lost && info.Type != fs.ModeDir {
		return b.fs.Remove(temp)
	}
	row := &index.Base{Ident: info.Ident, Size: info.Ident.Size}
	p := path.Join(strings.TrimSuffix(dirOf(temp), Temp), path.Base(temp)) // as if it had been at the top of its device
	name, err := b.archiveName(p, row)
	if err != nil {
		return err
	}
	if err := b.fs.RenameNew(temp, name); err != nil {
		return err
	}
	b.touch(temp, name)
	return b.Shelf.AddArchived([]Archived{{Name: name, Path: p, Ident: info.Ident, Added: b.now(), Size: info.Ident.Size}})
}

// ExpireOptions of Expire.
type ExpireOptions struct {
	Largest int64 // bytes: the most that the share had in the last 30 days
	// Age is how long a file has been in the archive, by a clock in which a jump counts as one day; nil = Now - Added.
	Age func(*Archived) time.Duration
	// Keep says that a file is promised to another node; nil for none.
	Keep func(*Archived) bool
}

// Ages of archived files.
const (
	archiveLong  = 30 * 24 * time.Hour // an older one goes
	archiveShort = 7 * 24 * time.Hour  // a younger one stays, whatever it takes
)

// Expire gives up what was archived for 30 days, and what was for 7 as long as the archive is above a tenth of the largest
// size of the share or less than the reserve is free (docs/shares.md §6.4): the oldest first. It returns how many bytes are
// gone. What a program wrote to in the archive does not go: CheckArchive takes it out.
func (a *Applier) Expire(ctx context.Context, opts ExpireOptions) (freed int64, err error) {
	rows, err := a.Shelf.Archived()
	if err != nil {
		return 0, err
	}
	var total int64
	for i := range rows {
		total += rows[i].Size
	}
	b := a.newBatch(ctx)
	var drop []string
	for i := range rows {
		row := &rows[i]
		age := a.now().Sub(row.Added)
		if opts.Age != nil {
			age = opts.Age(row)
		}
		tight := age >= archiveShort && (total > opts.Largest/10 || b.room(dirOf(row.Name), 0) != nil)
		if age < archiveLong && !tight || opts.Keep != nil && opts.Keep(row) {
			continue
		}
		if err = context.Cause(ctx); err != nil {
			break
		}
		if b.evict(row) {
			drop = append(drop, row.Name)
			total -= row.Size
			freed += row.Size
		}
	}
	if len(drop) > 0 {
		err = errors.Join(err, a.Shelf.DropArchived(drop))
	}
	return freed, err
}

// Evict gives up what has just been archived: it is known to be elsewhere.
func (a *Applier) Evict(ctx context.Context, rows []Archived) error {
	b := a.newBatch(ctx)
	var drop []string
	for i := range rows {
		if b.evict(&rows[i]) {
			drop = append(drop, rows[i].Name)
		}
	}
	if len(drop) == 0 {
		return nil
	}
	return a.Shelf.DropArchived(drop)
}

// evict removes an archived file that is what it was.
func (b *batch) evict(row *Archived) bool {
	info, err := b.fs.Lstat(row.Name)
	if err != nil || !unwritten(info.Ident, row.Ident) {
		return false
	}
	if info.Type == fs.ModeDir || b.fs.Remove(row.Name) != nil {
		return false
	}
	for dir := dirOf(row.Name); path.Base(dir) != path.Base(Archive) && b.fs.Remove(dir) == nil; { // as far as they are empty
		dir = dirOf(dir)
	}
	return true
}
