package keystore

import (
	"context"

	"shoal/annex/protocol"
)

// ExportSupported implements [protocol.Exports].
func (r *Remote) ExportSupported(context.Context, *protocol.Job) (bool, error) { return true, nil }

// file is the key of an exported file, and the store in which it is under its name.
func (r *Remote) file(key, name string) (Key, *Store, error) {
	k, err := r.key(key)
	if err != nil {
		return "", nil, err
	}
	return k, r.store.At(name), nil
}

// StoreExport implements [protocol.Exports].
func (r *Remote) StoreExport(ctx context.Context, j *protocol.Job, key, name, file string) error {
	k, s, err := r.file(key, name)
	if err != nil {
		return err
	}
	r.exported.Store(true)
	return s.Put(ctx, k, file, progress(j))
}

// RetrieveExport implements [protocol.Exports].
func (r *Remote) RetrieveExport(ctx context.Context, j *protocol.Job, key, name, file string) error {
	k, s, err := r.file(key, name)
	if err != nil {
		return err
	}
	return s.Get(ctx, k, file, progress(j))
}

// PresentExport implements [protocol.Exports].
func (r *Remote) PresentExport(ctx context.Context, _ *protocol.Job, key, name string) (bool, error) {
	k, s, err := r.file(key, name)
	if err != nil {
		return false, err
	}
	present, _, err := s.Has(ctx, k)
	return present, err
}

// RemoveExport implements [protocol.Exports].
func (r *Remote) RemoveExport(ctx context.Context, _ *protocol.Job, key, name string) error {
	k, s, err := r.file(key, name)
	if err != nil {
		return err
	}
	r.exported.Store(true)
	return s.Remove(ctx, k)
}

// RenameExport implements [protocol.Exports].
func (r *Remote) RenameExport(ctx context.Context, _ *protocol.Job, key, name, to string) error {
	k, s, err := r.file(key, name)
	if err != nil {
		return err
	}
	r.exported.Store(true)
	return s.Rename(ctx, k, to)
}

// RemoveExportDirectory implements [protocol.Exports].
func (r *Remote) RemoveExportDirectory(ctx context.Context, _ *protocol.Job, dir string) error {
	if r.wrong != nil {
		return r.wrong
	}
	r.exported.Store(true)
	return r.store.RemoveDir(ctx, dir)
}
