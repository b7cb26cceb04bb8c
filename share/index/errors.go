package index

import (
	"errors"
	"fmt"
)

var (
	// ErrInvalid is wrapped by errors about an entry, node, root or head that breaks the format: what a stranger made is
	// refused as a whole, and its writer named (docs/shares.md §3.2).
	ErrInvalid = errors.New("invalid index")

	// ErrLimit is wrapped, beside ErrInvalid, when it is a limit of §3 that is exceeded: a merge whose result does that
	// waits, HELD(limit).
	ErrLimit = errors.New("over a limit")

	// ErrMissing is wrapped by errors about blobs that are not here.
	ErrMissing = errors.New("missing blob")
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func overLimit(format string, args ...any) error {
	return fmt.Errorf("%w: %w: %s", ErrInvalid, ErrLimit, fmt.Sprintf(format, args...))
}
