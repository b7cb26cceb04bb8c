package bt

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// plan makes the table of files from the options, and refuses paths that leave the root or meet.
func (s *FileStorage) plan() error {
	m := s.m
	if len(s.opts.Paths) != len(m.Files) {
		return errorf(Usage, "storing %q: %d paths for %s", m.Name, len(s.opts.Paths), count(len(m.Files), "file"))
	}
	if err := checkPaths(s.opts.Paths); err != nil {
		return err
	}
	if m.PieceLength <= 0 || m.NumPieces < 0 || int64(m.NumPieces) > math.MaxInt64/m.PieceLength {
		return errorf(BadInput, "storing %q: %d pieces of %d bytes", m.Name, m.NumPieces, m.PieceLength)
	}
	end := int64(m.NumPieces) * m.PieceLength
	for i, f := range m.Files {
		if f.Length < 0 || f.Length > end || f.Offset < 0 || f.Offset > end-f.Length {
			return errorf(BadInput, "storing %q: file %d lies outside the pieces", m.Name, i+1)
		}
		d := &diskFile{index: i, off: f.Offset, length: f.Length, path: s.opts.Paths[i], perm: 0o666}
		if f.Executable {
			d.perm = 0o777
		}
		if d.path != "" {
			d.part = partName(m, d.path)
		}
		s.files = append(s.files, d)
		if d.length > 0 {
			s.spans = append(s.spans, d)
		}
	}
	slices.SortStableFunc(s.spans, func(a, b *diskFile) int { return int(min(max(a.off-b.off, -1), 1)) })
	for i := 1; i < len(s.spans); i++ {
		if prev := s.spans[i-1]; prev.off+prev.length > s.spans[i].off {
			return errorf(BadInput, "storing %q: files %d and %d overlap", m.Name, prev.index+1, s.spans[i].index+1)
		}
	}
	s.edges = s.hiddenName("edges")
	return s.checkHidden()
}

// checkHidden refuses a torrent with a file that has one of the names we keep partial data under: the infohash in them
// makes that no accident.
func (s *FileStorage) checkHidden() error {
	hidden := map[string]bool{placeKey(s.edges): true, placeKey(s.hiddenName("lock")): true}
	for _, d := range s.files {
		if d.path != "" {
			hidden[placeKey(d.part)] = true
		}
	}
	for _, d := range s.files {
		for p := d.path; p != "" && p != "."; p = path.Dir(p) {
			if hidden[placeKey(p)] {
				return errorf(BadInput, "storing %q: the name %q is taken by partial data", s.m.Name, p)
			}
		}
	}
	return nil
}

// partName is the hidden name beside p for partial data.
func partName(m *Metainfo, p string) string {
	dir, base := path.Split(p)
	suffix := "." + shortID(m) + ".part"
	if len(base) > 250-len(suffix) { // names of 255 bytes are what file systems take
		base = hashName(base)
	}
	return dir + "." + base + suffix
}

// hiddenName names a file of ours in the root. A download of one file of several must not meet another of the same
// torrent into the same folder, so its path is part of the name.
func (s *FileStorage) hiddenName(kind string) string {
	name := ".shoal-" + shortID(s.m)
	only := slices.DeleteFunc(slices.Clone(s.opts.Paths), func(p string) bool { return p == "" })
	if len(only) == 1 {
		name += "-" + hashName(only[0])
	}
	return name + "." + kind
}

func shortID(m *Metainfo) string { return m.Short().String()[:8] }

func hashName(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// makeDirs makes dir and what is missing above it, and returns what it made, outermost first.
func makeDirs(dir string) (made []string, err error) {
	for p := filepath.Clean(dir); ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); err == nil || filepath.Dir(p) == p {
			break
		}
		made = append([]string{p}, made...)
	}
	return made, os.MkdirAll(dir, 0o777)
}

// makeParents makes the folders above the name in the root. The caller holds mu, or is alone.
func (s *FileStorage) makeParents(name string) error {
	dir := path.Dir(name)
	if dir == "." {
		return nil
	}
	var made []string
	for p := dir; p != "."; p = path.Dir(p) {
		if _, err := s.root.Lstat(p); err == nil {
			break
		}
		made = append([]string{p}, made...)
	}
	s.madeIn = append(s.madeIn, made...)
	if len(made) == 0 {
		return nil
	}
	return s.root.MkdirAll(dir, 0o777)
}

// removeEmptyDirs removes the folders that we made and that nothing was stored in.
func (s *FileStorage) removeEmptyDirs() {
	for _, dir := range slices.Backward(s.madeIn) {
		_ = s.root.Remove(dir) // fails when it is not empty, which is the point
	}
	for _, dir := range slices.Backward(s.made) {
		_ = os.Remove(dir)
	}
}

// checkParents refuses anything but folders above the name: a symbolic link would lead elsewhere. The seen folders are
// not looked at again.
func (s *FileStorage) checkParents(name string, seen map[string]bool) error {
	dir := path.Dir(name)
	if dir == "." || seen[dir] {
		return nil
	}
	if err := s.checkParents(dir, seen); err != nil {
		return err
	}
	info, err := s.root.Lstat(dir)
	switch {
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		return errorf(Exists, "storing %s: %s is a symbolic link", s.display(name), s.display(dir))
	case err == nil && !info.IsDir():
		return errorf(Exists, "storing %s: %s is not a folder", s.display(name), s.display(dir))
	case err != nil && !isNotExist(err):
		return err
	}
	seen[dir] = true
	return nil
}

// display is the name as the user knows it.
func (s *FileStorage) display(name string) string {
	return filepath.Join(s.opts.Root, filepath.FromSlash(strings.TrimSuffix(name, "/")))
}
