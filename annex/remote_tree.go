package annex

import (
	"context"

	"shoal/annex/protocol"
)

// Whether there are trees is asked before the settings can be. Exports are a matter of shares; torrents have trees, too.

func (r *remote) ExportSupported(ctx context.Context, j *protocol.Job) (bool, error) {
	return r.share.ExportSupported(ctx, j)
}

func (r *remote) StoreExport(ctx context.Context, j *protocol.Job, key, name, file string) error {
	return do(r, j, func(p protocol.Remote) error { return p.StoreExport(ctx, j, key, name, file) })
}

func (r *remote) RetrieveExport(ctx context.Context, j *protocol.Job, key, name, file string) error {
	return do(r, j, func(p protocol.Remote) error { return p.RetrieveExport(ctx, j, key, name, file) })
}

func (r *remote) PresentExport(ctx context.Context, j *protocol.Job, key, name string) (bool, error) {
	return with(r, j, func(p protocol.Remote) (bool, error) { return p.PresentExport(ctx, j, key, name) })
}

func (r *remote) RemoveExport(ctx context.Context, j *protocol.Job, key, name string) error {
	return do(r, j, func(p protocol.Remote) error { return p.RemoveExport(ctx, j, key, name) })
}

func (r *remote) RenameExport(ctx context.Context, j *protocol.Job, key, name, to string) error {
	return do(r, j, func(p protocol.Remote) error { return p.RenameExport(ctx, j, key, name, to) })
}

func (r *remote) RemoveExportDirectory(ctx context.Context, j *protocol.Job, dir string) error {
	return do(r, j, func(p protocol.Remote) error { return p.RemoveExportDirectory(ctx, j, dir) })
}

func (r *remote) ImportSupported(ctx context.Context, j *protocol.Job) (protocol.Import, error) {
	return r.torrents.ImportSupported(ctx, j)
}

func (r *remote) ListImport(ctx context.Context, j *protocol.Job) ([]protocol.Importable, error) {
	return with(r, j, func(p protocol.Remote) ([]protocol.Importable, error) { return p.ListImport(ctx, j) })
}

func (r *remote) RetrieveImport(ctx context.Context, j *protocol.Job, name, file string) error {
	return do(r, j, func(p protocol.Remote) error { return p.RetrieveImport(ctx, j, name, file) })
}

func (r *remote) PresentImport(ctx context.Context, j *protocol.Job, key, name string) (bool, error) {
	return with(r, j, func(p protocol.Remote) (bool, error) { return p.PresentImport(ctx, j, key, name) })
}

func (r *remote) ImportKey(ctx context.Context, j *protocol.Job, name string, size int64, id string) (string, error) {
	return with(r, j, func(p protocol.Remote) (string, error) { return p.ImportKey(ctx, j, name, size, id) })
}
