package disk

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"

	"shoal/share/index"
)

// Recover finishes what was begun: call it when the node starts, before the first scan, and after an Outcome with
// ErrPending. What it finishes has a CTime of zero: the user may have been there since. The error is that of Intents.
func (a *Applier) Recover(ctx context.Context) ([]Outcome, error) {
	intents, err := a.Log.Pending()
	if err != nil {
		return nil, err
	}
	clear(a.open)
	slices.SortStableFunc(intents, func(x, y Intent) int { return cmp.Compare(x.Seq, y.Seq) })
	b := a.newBatch(ctx)
	out := make([]Outcome, len(intents))
	for i, in := range intents {
		out[i].Op = in.Op
		b.steps = append(b.steps, &step{Intent: in, out: &out[i], resumed: true})
	}
	if len(intents) == 0 {
		return nil, nil
	}
	b.pend(true)
	for _, s := range b.steps {
		if s.err = context.Cause(ctx); s.err == nil {
			b.resume(s)
		} else {
			s.stuck = true
		}
	}
	b.finish()
	return out, nil
}

// Unfinished reports whether a change of path was begun and neither ended nor given up: what a scan finds there is not
// what the user did. Recover ends it.
func (a *Applier) Unfinished(path string) bool { return a.open[path] }

// Pending reports whether any change was begun that is neither ended nor given up.
func (a *Applier) Pending() bool { return len(a.open) > 0 }

// resume goes on where a crash stopped, by what is where.
func (b *batch) resume(s *step) {
	switch s.Op.Do {
	case Put, PutSymlink:
		s.err = b.resumePut(s, s.Op.Old)
	case Delete:
		s.err = b.resumeDelete(s)
	case Rename:
		s.err = b.resumeRename(s)
	default:
		b.act(s)
	}
	// An error of the disk, unlike one that says what is there, says nothing of how far things got.
	if s.err != nil && resultOf(s.err) != Stale && resultOf(s.err) != Impossible {
		s.stuck = true
	}
}

// found is what is at a path; a nil Info is nothing.
func (b *batch) found(p string) (*Info, error) {
	if p == "" {
		return nil, nil
	}
	info, err := b.fs.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) || resultOf(err) == Stale {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &info, nil
}

// resumePut is for what comes to its path by way of Op.Temp; old is what was there.
func (b *batch) resumePut(s *step, old *index.Base) error {
	op := &s.Op
	temp, err := b.found(op.Temp)
	if err != nil {
		return err
	}
	out, err := b.found(s.Archive)
	if err != nil {
		return err
	}
	ours := temp != nil && temp.Ident.Inode == s.Temp.Inode
	switch {
	case ours && out != nil: // without exchange, between the two renames
		if err := b.deleted(s, old); err != nil {
			return err
		}
		return b.second(s)
	case ours && op.Do == Rename:
		return b.taken(s)
	case ours:
		return b.replace(s, old)
	case temp != nil && old != nil: // exchanged: what came out is still here
		b.settle(s)
		b.touch(op.Temp, op.Path)
		return b.cameOut(s, op.Temp, old)
	case out != nil: // only the end was missing
		b.settle(s)
		b.touch(op.Temp, op.Path, s.Archive)
		b.archived(s, old)
		return nil
	}
	// It came to its path and made a conflict copy, or it was lost before, and the path is as it was.
	now, err := b.found(op.Path)
	if err != nil {
		return err
	}
	if now == nil || now.Ident.Inode != s.Temp.Inode {
		return errStale
	}
	b.settle(s)
	b.touch(op.Path)
	return nil
}

func (b *batch) resumeDelete(s *step) error {
	old, err := b.found(s.Archive)
	if err != nil {
		return err
	}
	if old == nil {
		return b.delete(s, s.Op.Old)
	}
	b.touch(s.Op.Path, s.Archive)
	return b.deleted(s, s.Op.Old)
}
