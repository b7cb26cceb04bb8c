package bt

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// Layout says where a download puts the files of m: the folder that everything lies under, and for each file its
// slash-separated path below that folder, "" when it is not selected. It looks at the disk only to tell whether
// opts.Output is a folder.
//
// Without Output a file goes to Dir/Name, a folder torrent's to Dir/Name/path. Output, relative to Dir, names the file
// when one file is selected, else the folder that takes the place of Name; a trailing slash or an existing folder means
// into it. An existing folder in which files of the torrent lie already is the place itself, so that the same command
// twice means the same.
func Layout(m *Metainfo, opts *DownloadOptions) (root string, paths []string, err error) {
	picked, err := opts.Select.Match(m)
	if err != nil {
		return "", nil, err
	}
	root, paths, err = placeFiles(m, opts, picked)
	if err != nil {
		return "", nil, err
	}
	return root, paths, checkPaths(paths)
}

func placeFiles(m *Metainfo, opts *DownloadOptions, picked []bool) (root string, paths []string, err error) {
	dir := opts.Dir
	if dir == "" {
		dir = "."
	}
	if opts.Output == "" {
		return dir, stripped(m, picked, opts.StripComponents), nil
	}
	out := opts.Output
	into := os.IsPathSeparator(out[len(out)-1])
	if !filepath.IsAbs(out) {
		out = filepath.Join(dir, out)
	}
	info, err := os.Stat(out)
	exists, isDir := err == nil, err == nil && info.IsDir()
	named := make([]string, len(m.Files)) // the paths when Output is the exact name
	if only, one := onlyOne(picked); one {
		if root = filepath.Dir(out); !into && !isDir {
			named[only] = filepath.Base(out)
			return root, named, nil
		}
		return out, stripped(m, picked, opts.StripComponents), nil
	}
	if exists && !isDir {
		return "", nil, errorf(Exists, "writing to %s: it is a file, and several files are selected", out)
	}
	named = stripped(m, picked, max(opts.StripComponents, 1))
	if into || isDir && !anyStored(m, out, named) {
		named = stripped(m, picked, opts.StripComponents)
	}
	return out, named, nil
}

// onlyOne returns the index of the only file picked, if it is the only one.
func onlyOne(picked []bool) (index int, one bool) {
	index = -1
	for i, p := range picked {
		if p && index >= 0 {
			return 0, false
		}
		if p {
			index = i
		}
	}
	return index, index >= 0
}

// stripped is for each picked file its path without the first n components, Name being the first. The base name always
// stays.
func stripped(m *Metainfo, picked []bool, n int) []string {
	paths := make([]string, len(m.Files))
	for i, f := range m.Files {
		if !picked[i] {
			continue
		}
		full := f.Path
		if m.Dir {
			full = m.Name + "/" + f.Path
		} else if full == "" {
			full = m.Name
		}
		parts := strings.Split(full, "/")
		paths[i] = strings.Join(parts[min(max(n, 0), len(parts)-1):], "/")
	}
	return paths
}

// anyStored reports whether one of the paths, or partial data of it, is a file below dir.
func anyStored(m *Metainfo, dir string, paths []string) bool {
	for _, p := range paths {
		if p == "" {
			continue
		}
		for _, name := range []string{p, partName(m, p)} {
			if info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name))); err == nil && info.Mode().IsRegular() {
				return true
			}
		}
	}
	return false
}

// checkPaths makes sure that every path stays below its root and that no two claim the same place: neither the same
// name, nor one as the file and the other as the folder.
func checkPaths(paths []string) error {
	owner := make(map[string]string, len(paths)) // key → path
	for _, p := range paths {
		if p == "" {
			continue
		}
		if !fs.ValidPath(p) || p == "." || !filepath.IsLocal(filepath.FromSlash(p)) {
			return errorf(BadInput, "placing %q: not a path inside the folder", p)
		}
		if other, taken := owner[placeKey(p)]; taken {
			return errorf(Usage, "placing %s and %s: both would be the same file", other, p)
		}
		owner[placeKey(p)] = p
	}
	for _, p := range owner {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if other, taken := owner[placeKey(dir)]; taken {
				return errorf(Usage, "placing %s and %s: one would be a file and a folder", other, p)
			}
		}
	}
	return nil
}

// placeKey is equal for paths that usual file systems of this operating system hold for the same.
func placeKey(p string) string {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return strings.ToLower(p)
	}
	return p
}
