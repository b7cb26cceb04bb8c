package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// copier copies files of a share to another place, and keeps nothing of them here. All that it writes is below root, whatever
// names and symbolic links say.
type copier struct {
	e    *engine
	root *os.Root
	list []api.FileInfo
}

// copyOut copies items: one file to out, or into it when that is a folder; a folder's content, or several items, into out.
func (e *engine) copyOut(ctx context.Context, items []item, out string) (list []api.FileInfo, err error) {
	dir, single := out, ""
	if len(items) == 1 && !items[0].isDir {
		info, err := os.Stat(out)
		switch {
		case err == nil && info.IsDir():
			single = path.Base(items[0].path)
		case err == nil:
			return nil, fail(bt.Exists, "%s is there already", out)
		default:
			dir, single = filepath.Split(out)
			if dir == "" {
				dir = "."
			}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	c := &copier{e: e, root: root, list: []api.FileInfo{}}
	for i := range items {
		it := &items[i]
		for j := range it.shown {
			s := &it.shown[j]
			to := single
			if it.isDir {
				to = relative(s.Path, it.path)
				if len(items) > 1 {
					to = path.Join(path.Base("/"+it.path), to)
				}
			} else if single == "" {
				to = path.Base(s.Path)
			} else if s.Path != it.path {
				continue // a conflict copy beside the file that was asked for
			}
			if err := c.copy(ctx, s, to); err != nil {
				return c.list, fmt.Errorf("copying %s: %w", s.Path, err)
			}
		}
	}
	return c.list, nil
}

// relative is p below dir, "" when it is dir.
func relative(p, dir string) string {
	switch {
	case p == dir:
		return ""
	case dir == "":
		return p
	case within(p, []string{dir}):
		return p[len(dir)+1:]
	}
	return path.Base(p) // a conflict copy of dir itself
}

func (c *copier) copy(ctx context.Context, s *index.Shown, to string) error {
	i := fileInfo(s, true, false)
	i.Path = to
	var err error
	switch {
	case to == "" || to == ".":
		return nil
	case s.Type == index.Dir:
		err = c.root.MkdirAll(to, 0o755)
	case s.Type == index.Symlink && leadsOut(to, string(s.Value)):
		i.Present = false
	default:
		if err := c.root.MkdirAll(path.Dir(to), 0o755); err != nil {
			return err
		}
		if s.Type == index.Symlink {
			err = c.root.Symlink(string(s.Value), to)
		} else {
			err = c.file(ctx, s, to)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return &bt.Error{Code: bt.Exists, Err: err}
	}
	c.list = append(c.list, i)
	return err
}

// leadsOut reports whether a symbolic link at a relative path leads out of where that begins.
func leadsOut(at, target string) bool {
	return path.IsAbs(target) || filepath.IsAbs(target) || !filepath.IsLocal(path.Join(path.Dir(at), target))
}

// file copies one file, whole or not at all.
func (c *copier) file(ctx context.Context, s *index.Shown, to string) (err error) {
	if _, err := c.root.Lstat(to); err == nil {
		return fmt.Errorf("%s: %w", to, fs.ErrExist)
	}
	part := to + ".part"
	f, err := c.root.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = c.root.Remove(part)
		}
	}()
	defer f.Close()
	if err := c.e.contentTo(ctx, s, f); err != nil {
		return err
	}
	if err := f.Truncate(s.Size); err != nil { // a copy that came to nothing may have been longer
		return err
	}
	if s.HasMode {
		_ = f.Chmod(fs.FileMode(s.Mode & 0o777))
	}
	if err := f.Close(); err != nil {
		return err
	}
	at := time.Unix(0, s.MTime)
	_ = c.root.Chtimes(part, at, at)
	return c.root.Rename(part, to)
}

// contentTo writes the content of a file: from here, or from peers.
func (e *engine) contentTo(ctx context.Context, s *index.Shown, to *os.File) error {
	switch {
	case s.Size == 0:
		return nil
	case len(s.Caps) == 0:
		return blob.ErrInvalid
	}
	if ok, err := e.localTo(ctx, s.Caps[0], s.Size, s.Hash, to); ok || err != nil {
		return err
	}
	if e.net == nil {
		return fail(bt.NoPeers, "the content is not here, and this node meets nobody")
	}
	if s.Size > blob.Small {
		return e.largeTo(ctx, s, to)
	}
	return e.patient(ctx, func() error {
		return e.net.fetcher.Fetch(ctx, []blob.ID{s.Caps[0].ID}, func(_ blob.ID, b []byte) error {
			plain, err := blob.OpenFile(s.Caps[0], s.Size, s.Hash, b)
			if err == nil {
				_, err = to.WriteAt(plain, 0)
			}
			return err
		})
	})
}

// patient gives an error of a fetch its code: what ends with ctx did not come.
func (e *engine) patient(ctx context.Context, fetch func() error) error {
	err := fetch()
	if err == nil || ctx.Err() != context.DeadlineExceeded {
		return err
	}
	if len(e.net.all()) == 0 {
		return fail(bt.NoPeers, "no other node of the share is connected")
	}
	return fail(bt.Stalled, "nobody who is connected has it")
}

// localTo writes content that is in a file here, on disk or in the archive, and verifies it. false: it is not here.
func (e *engine) localTo(ctx context.Context, c blob.Cap, size int64, hash [32]byte, to io.WriterAt) (bool, error) {
	names, err := e.filesOf(ctx, c.ID)
	if err != nil {
		return false, err
	}
	if len(names) > 0 && e.fsNow() == nil { // it has just been started
		if err := e.do(ctx, e.openFolder); err != nil {
			return false, nil
		}
		e.show(api.StateScanning, nil)
	}
	for _, name := range names {
		if e.copyFile(ctx, name, size, hash, to) == nil {
			return true, nil
		}
	}
	return false, context.Cause(ctx)
}

// filesOf are the names of files that should be what a cap gives: on disk, then in the archive.
func (e *engine) filesOf(ctx context.Context, id blob.ID) (names []string, err error) {
	err = e.node.db.View(ctx, func(t *db.Tx) error {
		rows, err := t.ByCap(e.n, id, 8)
		if err != nil {
			return err
		}
		for i := range rows {
			if rows[i].Present && !rows[i].Local {
				names = append(names, rows[i].Path)
			}
		}
		old, err := t.ArchivedByCap(e.n, id[:])
		for i := range old {
			names = append(names, old[i].Name)
		}
		return err
	})
	return names, err
}

var errOther = errors.New("the file is another by now")

// copyFile copies a file of the folder, and verifies what it copied.
func (e *engine) copyFile(ctx context.Context, name string, size int64, hash [32]byte, to io.WriterAt) error {
	fsys := e.fsNow()
	if fsys == nil {
		return errNoFolder
	}
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := blob.Sum(ctx, &copying{r: io.NewSectionReader(f, 0, size+1), to: to}, size, 0)
	if err == nil && sum != hash {
		err = errOther
	}
	return err
}

// copying is a reader that writes down what is read of it.
type copying struct {
	r   io.Reader
	to  io.WriterAt
	off int64
}

func (c *copying) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if n > 0 {
		if _, werr := c.to.WriteAt(p[:n], c.off); werr != nil {
			return n, werr
		}
		c.off += int64(n)
	}
	return n, err
}

// largeTo fetches a large file as its torrent.
func (e *engine) largeTo(ctx context.Context, s *index.Shown, to *os.File) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(e.ctx, cancel)
	defer stop()
	return e.patient(ctx, func() error {
		if err := e.needRecipe(ctx, s.Caps[0].ID); err != nil { // recipe waits for as long as the engine lives
			return err
		}
		l, err := e.recipe(ctx, s.Caps[0], s.Size, s.Hash)
		if err != nil {
			return err
		}
		sink := newPlainSink(l, to, nil)
		for err = errUnserved; errors.Is(err, errUnserved); { // others had its place meanwhile
			err = e.download(ctx, l, sink, false)
		}
		if err != nil {
			return err
		}
		if err := sink.check(); err != nil {
			return err
		}
		return to.Truncate(l.Size)
	})
}

// needRecipe waits until a recipe and the info that it refers to are kept here.
func (e *engine) needRecipe(ctx context.Context, recipe blob.ID) error {
	for id := recipe; ; {
		here, err := e.blobs.has(id)
		if err != nil {
			return err
		}
		if !here {
			err := e.net.fetcher.Fetch(ctx, []blob.ID{id}, func(_ blob.ID, b []byte) error {
				return e.node.db.Update(ctx, func(t *db.Tx) error { return t.PutBlob(e.n, id, b, int64(len(b))) })
			})
			if err != nil {
				return err
			}
		}
		if id.Kind() == blob.Info {
			return nil
		}
		b, err := e.blobs.Get(id)
		if err != nil {
			return err
		}
		h, err := blob.Parse(b)
		if err != nil || len(h.Refs) != 1 {
			return blob.ErrInvalid
		}
		id = h.Refs[0]
	}
}
