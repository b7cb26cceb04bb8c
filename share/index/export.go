package index

import (
	"path"

	"shoal/share/blob"
)

// Export writes the state of an export, a share of its own that shows one place of a (docs/shares.md §8): a root under the
// convergence secret of x whose directory is that of a. So both shares have the same blobs below it, and who has the root
// reaches nothing above or beside the place. tree is the files of a. Of a file or symbolic link the directory is a leaf
// with the entries of that name, under the secret of x. A place where nothing lives gives an empty directory.
func Export(a, x *Forest, tree blob.Cap, at string) (root blob.Cap, err error) {
	set, err := a.Find(tree, at)
	if err != nil {
		return blob.Cap{}, err
	}
	dir := set.Below
	if dir.IsZero() {
		if dir, err = x.Apply(dir, []PathSet{{Path: path.Base(at), Entries: contents(set.Entries)}}); err != nil {
			return blob.Cap{}, err
		}
	}
	return x.PutRoot(Root{Files: dir})
}

// contents are the files and symbolic links among entries.
func contents(entries []Entry) (some []Entry) {
	for i := range entries {
		if t := entries[i].Type; t == File || t == Symlink {
			some = append(some, entries[i])
		}
	}
	return some
}

// MemBlobs are blobs in memory that others stand behind. It is for one goroutine.
type MemBlobs struct {
	New    map[blob.ID][]byte
	Behind Blobs // nil: nothing
}

// Get implements [Blobs].
func (m *MemBlobs) Get(id blob.ID) ([]byte, error) {
	if b := m.New[id]; b != nil {
		return b, nil
	}
	if m.Behind == nil {
		return nil, ErrMissing
	}
	return m.Behind.Get(id)
}

// Put implements [Blobs].
func (m *MemBlobs) Put(id blob.ID, b []byte) error {
	if m.New == nil {
		m.New = map[blob.ID][]byte{}
	}
	m.New[id] = b
	return nil
}
