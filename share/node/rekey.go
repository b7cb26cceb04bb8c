package node

import (
	"context"
	"math"

	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

// Rekey gives a share other keys, which all members get but those that are left out (docs/shares.md §9). Nobody sends a byte of
// a file again: the index is written anew, and leads to the same data.
func (n *Node) Rekey(ctx context.Context, name string, opts api.RekeyOptions) (*api.RekeyInfo, error) {
	return n.nextEpoch(ctx, name, opts, false)
}

// Compact is [Node.Rekey] without leaving anybody out, after which one writer id is all that a head says who has seen what by.
func (n *Node) Compact(ctx context.Context, name string) (*api.RekeyInfo, error) {
	return n.nextEpoch(ctx, name, api.RekeyOptions{}, true)
}

func (n *Node) nextEpoch(ctx context.Context, name string, opts api.RekeyOptions, compact bool) (*api.RekeyInfo, error) {
	e, err := n.find(name)
	if err != nil {
		return nil, err
	}
	switch {
	case e.token.Role != secret.Admin || e.link != nil:
		return nil, fail(codeDenied, "this takes the admin secret of %s, and this node has the %s secret", e.row.Name, e.token.Role)
	case e.token.Epoch == math.MaxUint16:
		return nil, fail(codeDenied, "%s has had all keys that it can have: make a new share", e.row.Name)
	}
	if err := n.seen(ctx, name, ""); err != nil {
		return nil, err
	}
	n.moving.Lock()
	defer n.moving.Unlock()
	if e, err = n.find(name); err != nil {
		return nil, err
	}
	if v, _ := e.look(); v.Moving || e.isStranded() || v.State == api.StateWaiting {
		return nil, fail(codeHeld, "%s is on its way to keys that another machine made, or nobody was met yet: wait until it is in sync", e.row.Name)
	}
	s := &epochStep{n: n, old: e, opts: opts, compact: compact}
	if opts.DryRun {
		return s.dryRun(ctx)
	}
	n.collecting.Lock() // of what is written in parts, nothing may go
	defer n.collecting.Unlock()
	if err := n.replace(e, func() error { return s.run(ctx) }); err != nil {
		return nil, err
	}
	return s.info, s.followExports()
}

// An epochStep makes the next epoch of a share while no engine of it runs.
type epochStep struct {
	n       *Node
	old     *engine
	opts    api.RekeyOptions
	compact bool

	x       *engine // of the next epoch: it is never started
	roll    *roll
	exports []exportStep
	info    *api.RekeyInfo
}

func (s *epochStep) dryRun(ctx context.Context) (*api.RekeyInfo, error) {
	s.x = s.old
	v, _ := s.old.look()
	err := s.plan(ctx, v.Root)
	return s.info, err
}

// plan finds who goes along.
func (s *epochStep) plan(ctx context.Context, root index.Root) (err error) {
	f := s.x.reader()
	if s.roll, err = s.x.callRoll(ctx, f, root.Meta, s.opts); err != nil {
		return err
	}
	i := &api.RekeyInfo{Share: s.old.row.Name, Epoch: int(s.old.token.Epoch) + 1, DryRun: s.opts.DryRun, Links: []string{}, Exports: []string{}}
	if i.Members, i.Out, i.ByHand, err = s.x.rekeyed(ctx, s.roll); err != nil {
		return err
	}
	for p, err := range f.Walk(root.Files, "") {
		if err != nil {
			return ioError("reading the share", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for k := range p.Entries {
			if p.Entries[k].Type == index.Link && len(s.roll.out) > 0 {
				i.Links = append(i.Links, p.Path)
			}
		}
	}
	all, err := s.x.exportsIn(f, root.Meta)
	for k := range all {
		i.Exports = append(i.Exports, all[k].Path)
	}
	s.info = i
	return err
}

// run makes the epoch. Everything that others will see of it is in one transaction; before that only the admin token is noted
// in the store of secrets, which it is in already.
func (s *epochStep) run(ctx context.Context) error {
	n, e := s.n, s.old
	var row *db.Share
	if err := n.db.View(ctx, func(t *db.Tx) (err error) { row, err = t.Share(e.n); return err }); err != nil || row == nil {
		return ioError("reading the node's state", err)
	}
	token, err := e.token.AtEpoch(e.token.Epoch + 1)
	if err != nil {
		return err
	}
	if s.x, err = newEngine(n, *row, token); err != nil {
		return err
	}
	defer s.x.stop()
	s.x.blobs.most = spillBlobs
	if s.x.certNow, err = s.x.keys.Certify(); err != nil {
		return err
	}
	if err := s.plan(ctx, row.State.Root); err != nil {
		return err
	}
	state, journal, err := s.state(ctx)
	if err != nil {
		return err
	}
	n.atStep("written")
	if err := n.keepToken(ctx, row, token); err != nil {
		return err
	}
	n.atStep("kept")
	return s.publish(ctx, row, state, journal)
}

// spillBlobs is how many nodes of an index that is written anew are held in memory.
const spillBlobs = 4096

// state is the first one of the epoch, whose last events are of this node: so no context is one of two epochs.
func (s *epochStep) state(ctx context.Context) (state index.State, journal []index.JournalEvent, err error) {
	x := s.x
	w := x.row.Writer
	if s.compact || !s.n.continuity.Proven(x.token.Share, w, x.row.Counter) {
		w = x.freshWriter()
	}
	if s.compact {
		state, err = index.Compact(ctx, x.forest, x.row.State, w)
	} else {
		state, err = index.Renew(ctx, x.forest, x.row.State)
	}
	if err != nil {
		return state, nil, err
	}
	events, err := x.memberEvents(state.Root.Meta, s.roll)
	if err != nil {
		return state, nil, err
	}
	more, err := s.stepExports(x.forest, state.Root)
	if err != nil {
		return state, nil, err
	}
	events = append(append(events, more...), index.Event{})
	return index.Commit(x.forest, state, w, events)
}

// publish signs the first head and MOVED, and writes all of it.
func (s *epochStep) publish(ctx context.Context, row *db.Share, state index.State, journal []index.JournalEvent) error {
	n, x := s.n, s.x
	moved, err := index.NewMoved(n.random, x.keys, s.roll.recipients())
	if err != nil {
		return err
	}
	root, err := x.forest.PutRoot(state.Root)
	if err != nil {
		return err
	}
	w := journal[len(journal)-1].Dot.Writer
	counter := state.Ctx[w]
	head, h, err := x.sign(state, w, root, s.storeTokens())
	if err != nil {
		return err
	}
	err = n.db.Update(n.ctx, func(t *db.Tx) error {
		if err := x.putHead(t, head, h); err != nil {
			return err
		}
		for i := range journal {
			if err := x.record(t, &journal[i]); err != nil {
				return err
			}
		}
		if s.compact {
			if err := x.differences(t, x.row.State.Root.Files, state.Root.Files); err != nil {
				return err
			}
		}
		if err := t.SetState(x.n, state, w, counter); err != nil {
			return err
		}
		if err := s.leave(t, moved, row.Ref); err != nil {
			return err
		}
		return s.leaveExports(t)
	})
	if err != nil {
		return ioError("writing the next keys", err)
	}
	n.continuity.Record(x.token.Share, w, counter)
	n.log.Info("a share has other keys", "share", x.row.Name, "epoch", x.token.Epoch, "boxes", moved.Boxes())
	return nil
}

// leave notes that the epoch before is over, and who was left out.
func (s *epochStep) leave(t *db.Tx, moved *index.Moved, ref string) error {
	x := s.x
	if err := t.PutBlob(x.n, moved.ID, moved.Blob, int64(len(moved.Blob))); err != nil {
		return err
	}
	if err := t.PutEnded(x.n, &db.Ended{Epoch: s.old.token.Epoch, Moved: &moved.ID, At: s.n.ages.now()}); err != nil {
		return err
	}
	if err := dropIncomplete(t, x.n); err != nil {
		return err
	}
	for pk, m := range s.roll.all {
		if s.roll.kept[pk] == nil {
			if err := t.PutSeen(x.n, pk, m.encode()); err != nil {
				return err
			}
			if err := t.SetRemoved(x.n, pk, true); err != nil {
				return err
			}
		}
	}
	for _, m := range s.roll.anew {
		if err := t.PutSeen(x.n, m.PK, m.encode()); err != nil {
			return err
		}
	}
	if err := t.SetRef(x.n, ref); err != nil {
		return err
	}
	return t.SetCert(x.n, moved.Cert)
}
