package index

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"shoal/share/blob"
)

// Refs tells what a blob refers to, by its header alone: stores walk trees that they cannot read (docs/shares.md §2.1).
// The error wraps [ErrMissing] when the blob is not here.
type Refs func(id blob.ID) ([]blob.ID, error)

// RefsIn reads references from the blobs themselves.
func RefsIn(blobs Blobs) Refs {
	return func(id blob.ID) ([]blob.ID, error) {
		b, err := blobs.Get(id)
		if err != nil {
			return nil, err
		}
		h, err := blob.Parse(b)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return h.Refs, nil
	}
}

// Reach gives from, and every id that is reached from them: heads, roots, nodes, and what these refer to. Blobs that
// may refer to others come once; those that never do (data, info dictionaries) may come again. skip, when it is not nil,
// says which ids are not to be given, nor followed: those that were marked before. A blob that is missing is given and
// not followed. An error is the last thing given.
func Reach(refs Refs, from []blob.ID, skip func(blob.ID) bool) iter.Seq2[blob.ID, error] {
	return func(yield func(blob.ID, error) bool) {
		seen := make(map[blob.ID]bool)
		for todo := slices.Clone(from); len(todo) > 0; {
			id := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if skip != nil && skip(id) || seen[id] {
				continue
			}
			if !yield(id, nil) {
				return
			}
			if !refers(id.Kind()) {
				continue
			}
			seen[id] = true
			more, err := refs(id)
			if err != nil && !errors.Is(err, ErrMissing) {
				yield(id, fmt.Errorf("following %s: %w", id, err))
				return
			}
			todo = append(todo, more...)
		}
	}
}

// refers reports whether blobs of kind k may have references.
func refers(k blob.Kind) bool { return k != blob.Data && k != blob.Info && k != blob.Moved }

// Missing are the nodes of an index that are not here, of those at and below id that are known so far: id is a root, or
// any node that has just come. Nothing missing below the root of a head: its index is complete (docs/shares.md §3.4).
// complete, when it is not nil, says of which nodes everything is known to be here. Nodes alone count: data may be
// missing.
func Missing(refs Refs, id blob.ID, complete func(blob.ID) bool) ([]blob.ID, error) {
	var missing []blob.ID
	seen := make(map[blob.ID]bool)
	for todo := []blob.ID{id}; len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[id] || complete != nil && complete(id) {
			continue
		}
		seen[id] = true
		more, err := refs(id)
		switch {
		case errors.Is(err, ErrMissing):
			missing = append(missing, id)
			continue
		case err != nil:
			return nil, fmt.Errorf("following %s: %w", id, err)
		}
		// From the last to the first, so that they are looked at in their order.
		for _, ref := range slices.Backward(more) {
			if ref.Kind() == blob.Node && !seen[ref] {
				todo = append(todo, ref)
			}
		}
	}
	return missing, nil
}
