package bt

import (
	"cmp"
	"context"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
)

// A scanned file is to be hashed.
type scanned struct {
	name     string   // to open it by
	rel      string   // its path in the torrent; empty for a torrent of one file
	parts    []string // of rel
	hashStat          // as it was found
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
		t.files = []scanned{{name: root, hashStat: hashStatOf(info)}}
		t.size = info.Size()
		return t, nil
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
	if err := s.look(ctx); err != nil {
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

// visit adds what may be a file, or enters a folder, that is wanted.
func (s *scanner) visit(ctx context.Context, name, rel string, d fs.DirEntry) error {
	kind := d.Type()
	link := kind&fs.ModeSymlink != 0
	switch {
	case !s.opts.Hidden && strings.HasPrefix(d.Name(), "."):
		return nil
	case matchGlobs(s.opts.Exclude, s.opts.Name, rel):
		return nil
	case link && !s.opts.FollowLinks:
		s.links++
		return nil
	}
	if link {
		info, err := os.Stat(name)
		if os.IsNotExist(err) {
			return errorf(BadInput, "following %s: the symbolic link leads nowhere", name).withHint("--exclude leaves it out")
		} else if err != nil {
			return err
		}
		kind = info.Mode().Type()
	}
	switch {
	case kind.IsDir():
		return s.enter(ctx, name, rel)
	case !kind.IsRegular():
		s.others++
		return nil
	case len(s.opts.Include) > 0 && !matchGlobs(s.opts.Include, s.opts.Name, rel):
		return nil
	case !utf8.ValidString(rel):
		return errorf(BadInput, "adding %q: its name is not UTF-8, which metainfo files need", name)
	case len(s.files) == maxFiles:
		return errorf(BadInput, "adding %s: there are more than %d files", name, maxFiles)
	}
	s.files = append(s.files, scanned{name: name, rel: rel, parts: strings.Split(rel, "/")})
	return nil
}

// look asks the system about each file, on all processors, and drops what is none after all.
func (s *scanner) look(ctx context.Context) error {
	err := inParallel(len(s.files), func(i int) (err error) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.files[i].hashStat, err = statHashFile(s.files[i].name)
		return err
	})
	if err != nil {
		return err
	}
	s.files = slices.DeleteFunc(s.files, func(f scanned) bool {
		if !f.regular {
			s.others++
			return true
		}
		return s.omitted(&f)
	})
	for i := range s.files {
		f := &s.files[i]
		if f.size > math.MaxInt64/2-s.size {
			return errorf(BadInput, "adding %s: the files are too large together", f.name)
		}
		s.size += f.size
	}
	return nil
}

// omitted reports whether f is the file that is left out.
func (s *scanner) omitted(f *scanned) bool {
	if s.omit == nil || f.hashStat != hashStatOf(s.omit) {
		return false
	}
	info, err := os.Stat(f.name)
	return err == nil && os.SameFile(s.omit, info)
}

// inParallel calls do with each number below n, on all processors, until it fails.
func inParallel(n int, do func(i int) error) error {
	const run = 64 // numbers that one takes at a time: neighbours go well together
	var next atomic.Int64
	var workers errgroup.Group
	for range min(runtime.GOMAXPROCS(0), (n+run-1)/run) {
		workers.Go(func() error {
			for {
				end := int(next.Add(run))
				for i := end - run; i < min(end, n); i++ {
					if err := do(i); err != nil {
						return err
					}
				}
				if end >= n {
					return nil
				}
			}
		})
	}
	return workers.Wait()
}
