package bt

import (
	"cmp"
	"context"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A scanned file is to be hashed.
type scanned struct {
	name       string   // to open it by
	rel        string   // its path in the torrent; empty for a torrent of one file
	parts      []string // of rel
	size       int64
	mtime      time.Time
	executable bool
}

// A scannedTree is what a torrent is to be made of.
type scannedTree struct {
	files []scanned
	size  int64
	dir   bool // root is a folder

	links, others int    // symbolic links, and what is neither a file nor a folder, that were left out
	loop          string // a link that leads to a folder it is in, which was not followed; "" = none
}

// A scanner walks a folder.
type scanner struct {
	*scannedTree
	opts    *CreateOptions
	omit    fs.FileInfo   // nil when there is no such file
	trail   []fs.FileInfo // with FollowLinks, the folders from the root to where it is
	folders int
}

// scan lists the files under opts.Path, in the order of their paths or, with v2, of the names in each folder: a-b comes
// before a/b in the former, after it in the latter.
func scan(ctx context.Context, opts *CreateOptions) (*scannedTree, error) {
	root := opts.Path
	info, err := os.Stat(root)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, errorf(BadInput, "%w", err)
		}
		return nil, err
	}
	t := &scannedTree{dir: info.IsDir()}
	if !t.dir {
		if !info.Mode().IsRegular() {
			return nil, errorf(BadInput, "creating a metainfo of %s: it is neither a file nor a folder", root)
		}
		return t, t.add(root, "", info)
	}
	s := scanner{scannedTree: t, opts: opts}
	if opts.Omit != "" {
		s.omit, _ = os.Stat(opts.Omit) // absent is as good as elsewhere
	}
	// A link given by name is meant, whatever is to become of those further down.
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	if err := s.enter(ctx, root, ""); err != nil {
		return nil, err
	}
	if len(t.files) == 0 {
		return nil, errorf(BadInput, "creating a metainfo of %s: there is no file in it", opts.Path)
	}
	slices.SortFunc(t.files, func(a, b scanned) int {
		if opts.Format != FormatV1 {
			return slices.Compare(a.parts, b.parts)
		}
		return cmp.Compare(a.rel, b.rel)
	})
	return t, nil
}

// enter visits what is in the folder dir, whose path in the torrent is rel.
func (s *scanner) enter(ctx context.Context, dir, rel string) error {
	if s.folders++; s.folders > maxNodes {
		return errorf(BadInput, "creating a metainfo of %s: there are more than %d folders", s.opts.Path, maxNodes)
	}
	if s.opts.FollowLinks {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(s.trail, func(above fs.FileInfo) bool { return os.SameFile(above, info) }) {
			s.loop = dir
			return nil
		}
		s.trail = append(s.trail, info)
		defer func() { s.trail = s.trail[:len(s.trail)-1] }()
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := s.visit(ctx, filepath.Join(dir, d.Name()), path.Join(rel, d.Name()), d); err != nil {
			return err
		}
	}
	return nil
}

// visit adds a file, or enters a folder, that is wanted.
func (s *scanner) visit(ctx context.Context, name, rel string, d fs.DirEntry) error {
	link := d.Type()&fs.ModeSymlink != 0
	switch {
	case !s.opts.Hidden && strings.HasPrefix(d.Name(), "."):
		return nil
	case matchGlobs(s.opts.Exclude, s.opts.Name, rel):
		return nil
	case link && !s.opts.FollowLinks:
		s.links++
		return nil
	}
	info, err := d.Info()
	if link {
		if info, err = os.Stat(name); os.IsNotExist(err) {
			return errorf(BadInput, "following %s: the symbolic link leads nowhere", name).withHint("--exclude leaves it out")
		}
	}
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return s.enter(ctx, name, rel)
	case !info.Mode().IsRegular():
		s.others++
		return nil
	case len(s.opts.Include) > 0 && !matchGlobs(s.opts.Include, s.opts.Name, rel):
		return nil
	case s.omit != nil && os.SameFile(s.omit, info):
		return nil
	}
	return s.add(name, rel, info)
}

func (t *scannedTree) add(name, rel string, info fs.FileInfo) error {
	if !utf8.ValidString(rel) {
		return errorf(BadInput, "adding %q: its name is not UTF-8, which metainfo files need", name)
	}
	if info.Size() > math.MaxInt64/2-t.size {
		return errorf(BadInput, "adding %s: the files are too large together", name)
	}
	if len(t.files) == maxFiles {
		return errorf(BadInput, "adding %s: there are more than %d files", name, maxFiles)
	}
	f := scanned{name: name, rel: rel, size: info.Size(), mtime: info.ModTime(), executable: info.Mode()&0o100 != 0}
	if rel != "" {
		f.parts = strings.Split(rel, "/")
	}
	t.files = append(t.files, f)
	t.size += f.size
	return nil
}
