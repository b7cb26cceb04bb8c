package protocol

import "context"

// Unsupported is a Remote that can do nothing: [ErrUnsupported] answers all that has an answer. It is for embedding.
type Unsupported struct{}

var _ Remote = Unsupported{}

// Configs names no settings.
func (Unsupported) Configs() []Config { return nil }

// Init succeeds.
func (Unsupported) Init(context.Context, *Job) error { return nil }

// Prepare succeeds.
func (Unsupported) Prepare(context.Context, *Job) error { return nil }

// Close does nothing.
func (Unsupported) Close() error { return nil }

// Store is not supported.
func (Unsupported) Store(context.Context, *Job, string, string) error { return ErrUnsupported }

// Retrieve is not supported.
func (Unsupported) Retrieve(context.Context, *Job, string, string) error { return ErrUnsupported }

// Present is not supported.
func (Unsupported) Present(context.Context, *Job, string) (bool, error) { return false, ErrUnsupported }

// Remove is not supported.
func (Unsupported) Remove(context.Context, *Job, string) error { return ErrUnsupported }

// Claim is not supported.
func (Unsupported) Claim(context.Context, *Job, string) (bool, error) { return false, ErrUnsupported }

// CheckURL is not supported.
func (Unsupported) CheckURL(context.Context, *Job, string) (URLContents, error) {
	return URLContents{}, ErrUnsupported
}

// Cost is not supported.
func (Unsupported) Cost(context.Context, *Job) (int, error) { return 0, ErrUnsupported }

// Availability is not supported.
func (Unsupported) Availability(context.Context, *Job) (Availability, error) {
	return "", ErrUnsupported
}

// Ordered is not supported.
func (Unsupported) Ordered(context.Context, *Job) (bool, error) { return false, ErrUnsupported }

// Whereis is not supported.
func (Unsupported) Whereis(context.Context, *Job, string) (string, error) { return "", ErrUnsupported }

// Info is not supported.
func (Unsupported) Info(context.Context, *Job) ([]Field, error) { return nil, ErrUnsupported }

// ExportSupported is not supported.
func (Unsupported) ExportSupported(context.Context, *Job) (bool, error) { return false, ErrUnsupported }

// StoreExport is not supported.
func (Unsupported) StoreExport(context.Context, *Job, string, string, string) error {
	return ErrUnsupported
}

// RetrieveExport is not supported.
func (Unsupported) RetrieveExport(context.Context, *Job, string, string, string) error {
	return ErrUnsupported
}

// PresentExport is not supported.
func (Unsupported) PresentExport(context.Context, *Job, string, string) (bool, error) {
	return false, ErrUnsupported
}

// RemoveExport is not supported.
func (Unsupported) RemoveExport(context.Context, *Job, string, string) error { return ErrUnsupported }

// RenameExport is not supported.
func (Unsupported) RenameExport(context.Context, *Job, string, string, string) error {
	return ErrUnsupported
}

// RemoveExportDirectory is not supported.
func (Unsupported) RemoveExportDirectory(context.Context, *Job, string) error { return ErrUnsupported }

// ImportSupported is not supported.
func (Unsupported) ImportSupported(context.Context, *Job) (Import, error) { return "", ErrUnsupported }

// ListImport is not supported.
func (Unsupported) ListImport(context.Context, *Job) ([]Importable, error) {
	return nil, ErrUnsupported
}

// RetrieveImport is not supported.
func (Unsupported) RetrieveImport(context.Context, *Job, string, string) error { return ErrUnsupported }

// PresentImport is not supported.
func (Unsupported) PresentImport(context.Context, *Job, string, string) (bool, error) {
	return false, ErrUnsupported
}

// ImportKey is not supported.
func (Unsupported) ImportKey(context.Context, *Job, string, int64, string) (string, error) {
	return "", ErrUnsupported
}
