package node

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
)

// adopt looks for files of blobs that have no row: those that are whole are taken in, the others removed. Files that have
// one are not read.
func (s *store) adopt(ctx context.Context) error {
	fsys, err := s.folder()
	if err != nil {
		return err
	}
	for i := range 256 {
		dir := "blobs/" + hex.EncodeToString([]byte{byte(i)})
		names, err := fsys.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		strangers, err := s.strangers(ctx, names)
		if err != nil {
			return err
		}
		for _, name := range strangers {
			if err := s.adoptFile(ctx, fsys, dir, name); err != nil {
				return err
			}
		}
	}
	return s.flush(s.e.ctx)
}

// strangers are the names that no row knows.
func (s *store) strangers(ctx context.Context, names []string) (out []string, err error) {
	err = s.e.node.db.View(ctx, func(t *db.Tx) error {
		for _, name := range names {
			if id, ok := parseBlobName(name); ok {
				if here, err := t.HasBlob(s.e.n, id); here || err != nil {
					if err != nil {
						return err
					}
					continue
				}
			}
			out = append(out, name)
		}
		return nil
	})
	return out, err
}

func parseBlobName(name string) (id blob.ID, ok bool) {
	b, err := hex.DecodeString(name)
	if err != nil || len(b) != len(id) {
		return id, false
	}
	return blob.ID(b), true
}

func (s *store) adoptFile(ctx context.Context, fsys disk.FS, dir, name string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	id, ok := parseBlobName(name)
	if !ok || blobDir(id) != dir || id.Kind() != blob.Data {
		return fsys.Remove(dir + "/" + name)
	}
	b, err := s.readFile(id)
	if err != nil {
		if !lostFor(err) {
			return err
		}
		return fsys.Remove(dir + "/" + name)
	}
	s.files.Lock()
	s.mu.Lock()
	s.pending, s.held[id] = append(s.pending, pendingBlob{id: id, size: int64(len(b))}), true
	s.used += int64(len(b))
	n := len(s.pending)
	s.mu.Unlock()
	s.files.Unlock()
	if n >= storeBatch {
		return s.flush(s.e.ctx)
	}
	return nil
}
