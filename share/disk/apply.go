package disk

import (
	"context"
	"io"
	"io/fs"
	"time"

	"shoal/share/index"
)

// Limits of a batch: one intent transaction, two syncs.
const (
	maxBatch = 1000
	fewSyncs = 8 // up to so many files or directories are synced one by one; each costs a commit of the journal
)

// An Applier puts on disk what others did, such that nothing the user ever saved is lost, whatever happens at whatever
// moment (docs/shares.md §6.3):
//
//	temp durable -> intents durable -> look at the path: is it what B says? -> exchange -> look at what came out: is it that?
//	-> archive it, or if not keep it as a conflict copy -> names durable -> B, archive row, intents gone
//
// Nothing is removed but temporary files and what the archive gives up. Methods must not be called concurrently.
type Applier struct {
	FS    FS
	Log   Intents
	Shelf Shelf
	Now   func() time.Time // time.Now when nil
	// Hash is the content hash of a file of that size, as index.Base has it. It is asked of files that were changed just
	// before they came out, whose mtime says nothing; nil trusts the mtime.
	Hash func(ctx context.Context, r io.ReaderAt, size int64) ([32]byte, error)

	FileMode, DirMode uint32 // of entries without one; 0 = 0644, 0755
	AnyLinks          bool   // also symbolic links that lead outside
	Reserve           int64  // bytes that stay free

	open    map[string]bool // paths whose intents are not ended
	late    []lateLook
	counter int // of temporary names
}

func (a *Applier) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}

// Apply does ops in order, and says what became of each, in the same order. An op that was not done has no effect; those
// that need it end as Stale. When ctx is done the rest is Failed with its cause.
func (a *Applier) Apply(ctx context.Context, ops []Op) []Outcome {
	out := make([]Outcome, 0, len(ops))
	for len(ops) > 0 {
		n := a.fit(ops)
		out = append(out, a.apply(ctx, ops[:n])...)
		ops = ops[n:]
	}
	return out
}

// fit is how many ops make a batch: no path may be in two, or an intent would not say what to expect.
func (a *Applier) fit(ops []Op) int {
	seen := map[string]bool{}
	for i := range min(len(ops), maxBatch) {
		for _, p := range ops[i].Paths() {
			if seen[p] {
				return i
			}
			seen[p] = true
		}
	}
	return min(len(ops), maxBatch)
}

// Paths are those that op changes.
func (op *Op) Paths() []string {
	if op.Do == Rename {
		return []string{op.Path, op.From}
	}
	return []string{op.Path}
}

// A step is an op under way.
type step struct {
	Intent
	out     *Outcome
	resumed bool  // after a crash: what is there may be younger than the change
	err     error // why it was not done
	stuck   bool  // half done: its intent stays
}

// A batch is what is done between two syncs.
type batch struct {
	*Applier
	ctx     context.Context
	fs      lendFS
	steps   []*step
	touched map[string]bool   // directories to sync
	devices map[string]device // by directory
	names   map[string]bool   // archive names given out
}

func (a *Applier) newBatch(ctx context.Context) *batch {
	return &batch{Applier: a, ctx: ctx, fs: lendFS{a.FS}, touched: map[string]bool{}, devices: map[string]device{}, names: map[string]bool{}}
}

func (a *Applier) apply(ctx context.Context, ops []Op) []Outcome {
	out := make([]Outcome, len(ops))
	b := a.newBatch(ctx)
	few, now := len(ops) <= fewSyncs, a.now()
	for i := range ops {
		out[i].Op = ops[i]
		s := &step{Intent: Intent{Seq: i, When: now, Op: ops[i]}, out: &out[i]}
		if s.err = b.prepare(s, few); s.err != nil {
			s.end()
			continue
		}
		b.steps = append(b.steps, s)
	}
	if few {
		b.syncTempDirs()
	} else {
		b.syncTemps()
	}
	b.run(func(s *step) { b.act(s) })
	return out
}

// run does the steps between the two transactions.
func (b *batch) run(act func(*step)) {
	if len(b.steps) == 0 {
		return
	}
	intents := make([]Intent, len(b.steps))
	for i, s := range b.steps {
		intents[i] = s.Intent
	}
	if err := b.Log.Begin(intents); err != nil {
		b.fail(err)
		return
	}
	b.pend(true)
	for _, s := range b.steps {
		if s.err = context.Cause(b.ctx); s.err == nil {
			act(s)
		}
	}
	b.finish()
}

// finish makes names durable and ends the intents.
func (b *batch) finish() {
	if err := b.syncTouched(); err != nil {
		b.fail(err)
		return
	}
	var outs []Outcome
	for _, s := range b.steps {
		s.end()
		if !s.stuck {
			outs = append(outs, *s.out)
		}
	}
	if err := b.Log.End(outs); err != nil {
		b.fail(err)
		return
	}
	b.pend(false)
}

// fail says that nobody knows what is durable of a batch: Recover will find out.
func (b *batch) fail(err error) {
	for _, s := range b.steps {
		s.err = err
		s.end()
	}
}

func (s *step) end() {
	if s.err != nil {
		s.out.Result, s.out.Err = resultOf(s.err), s.err
		s.out.Archived = nil
	}
	if s.stuck {
		s.out.Result = Failed
	}
}

// pend notes which paths have intents.
func (b *batch) pend(begun bool) {
	if b.open == nil {
		b.open = map[string]bool{}
	}
	for _, s := range b.steps {
		for _, p := range s.Op.Paths() {
			if begun || s.stuck {
				b.open[p] = true
			} else {
				delete(b.open, p)
			}
		}
	}
	if !begun {
		now := b.now()
		for _, s := range b.steps {
			if s.out.Archived != nil && !s.stuck {
				b.late = append(b.late, lateLook{*s.out.Archived, now.Add(lateAfter)})
			}
		}
	}
}

// prepare checks an op and makes ready what is to come to its path.
func (b *batch) prepare(s *step, sync bool) error {
	if err := context.Cause(b.ctx); err != nil {
		return err
	}
	op := &s.Op
	for _, p := range op.Paths() {
		if err := checkPath(p); err != nil {
			return err
		}
		if b.open[p] {
			return ErrPending
		}
	}
	out := op.Old
	switch op.Do {
	case Put, PutSymlink:
		if err := b.prepareTemp(s, sync); err != nil {
			return err
		}
	case Rename:
		if out = op.Over; out != nil {
			if err := b.tempName(op, "move-"); err != nil {
				return err
			}
		}
	case Delete:
	default:
		return nil
	}
	if out == nil {
		return nil
	}
	var err error
	s.Archive, err = b.archiveName(op.Path, out)
	return err
}

func (b *batch) prepareTemp(s *step, sync bool) error {
	op := &s.Op
	if op.Do == PutSymlink {
		if err := b.makeLink(op); err != nil {
			return err
		}
		return b.stamp(s)
	}
	if !sync {
		return b.stamp(s)
	}
	f, err := b.fs.Open(op.Temp) // before the mode, which may forbid it
	if err != nil {
		return err
	}
	defer f.Close()
	if err := b.stamp(s); err != nil {
		return err
	}
	return b.syncTemp(op.Temp, f)
}

// stamp gives a temporary file its mode and time, and takes its identity.
func (b *batch) stamp(s *step) error {
	op := &s.Op
	if err := b.stampAs(op.Temp, op.New); err != nil {
		return err
	}
	info, err := b.fs.Lstat(op.Temp)
	s.Temp = info.Ident
	return err
}

func (b *batch) stampAs(temp string, row *index.Base) error {
	if row.Type != index.Symlink {
		if err := b.fs.Chmod(temp, fs.FileMode(b.mode(row))); err != nil {
			return err
		}
	}
	return b.fs.Chtimes(temp, row.MTime)
}

func (a *Applier) mode(row *index.Base) uint32 {
	switch {
	case row.HasMode:
		return row.Mode & 0o777
	case row.Type == index.Dir && a.DirMode != 0:
		return a.DirMode
	case row.Type == index.Dir:
		return 0o755
	case a.FileMode != 0:
		return a.FileMode
	}
	return 0o644
}
