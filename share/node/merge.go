package node

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

// mergeHeads takes what complete heads say into the state: alarms first (docs/shares.md §4, §4.2). What they change on
// disk is only noted here.
func (e *engine) mergeHeads() error {
	e.judged = e.kept()
	if e.row.Moving {
		if moved, err := e.moveOver(); !moved || err != nil {
			return err
		}
	}
	if e.forest == nil {
		return e.supersede()
	}
	kept, news, err := e.keptHeads()
	if err != nil || !news {
		return err
	}
	if e.link != nil {
		if done, err := e.followHead(kept); done || err != nil {
			return err
		}
	}
	self := index.Self{Epoch: e.token.Epoch, State: e.row.State, Writer: e.row.Writer, Made: e.made, Published: e.kept().published(e.row.Writer)}
	joined, err := index.Join(e.ctx, e.forest, self, kept, e.freshWriter)
	if err != nil {
		e.blobs.written()
		return fmt.Errorf("merging: %w", err)
	}
	for _, a := range joined.Alarms {
		e.log.Warn("somebody else has written under the same id", "alarm", a.String())
	}
	for _, l := range joined.Limits {
		e.log.Warn("a head is not merged", "why", l)
	}
	if err := e.joined(joined); err != nil {
		return err
	}
	e.alarmed(joined)
	if err := e.repeatOwed(); err != nil {
		return err
	}
	return e.supersede()
}

// freshWriter is a writer id that nobody has used.
func (e *engine) freshWriter() (w index.Writer) {
	if _, err := io.ReadFull(e.node.random, w[:]); err != nil {
		panic(err) // as crypto/rand does
	}
	return w
}

// made is the own journal.
func (e *engine) made(d index.Dot) (j index.JournalEvent, ok bool) {
	var r *db.Record
	err := e.node.db.View(e.ctx, func(t *db.Tx) (err error) {
		r, err = t.Record(e.n, d)
		return err
	})
	if err != nil || r == nil {
		return j, false
	}
	j, err = eventOf(r)
	return j, err == nil
}

// eventOf is the event of a row of the journal.
func eventOf(r *db.Record) (j index.JournalEvent, err error) {
	j = index.JournalEvent{Dot: index.Dot{Writer: r.Writer, Counter: r.Counter}, Event: index.Event{RemoveAt: r.RemovedAt, Remove: r.Removed, AddAt: r.AddedAt, Meta: r.Meta}}
	if r.Added != nil {
		x, err := index.ParseEntry(r.Added, r.IDs)
		if err != nil {
			return j, err
		}
		j.Event.Add = &x
	}
	return j, nil
}

// keptHeads is the complete heads as Join wants them, and whether one is new.
func (e *engine) keptHeads() (kept []index.Kept, news bool, err error) {
	l := e.kept()
	if !slices.ContainsFunc(l.all, func(h db.Head) bool { return h.Complete && !h.Merged && h.Epoch == e.token.Epoch }) {
		return nil, false, nil
	}
	roots := map[blob.ID]blob.Cap{}
	for i := range l.all {
		h := &l.all[i]
		if !h.Complete || h.Epoch != e.token.Epoch {
			continue
		}
		k := index.Kept{ID: h.ID, Epoch: h.Epoch, Writer: h.Writer, Mine: h.Mine, Merged: h.Merged}
		if roots[h.ID], err = e.rootOf(h); err != nil {
			return nil, false, err
		}
		root, err := e.forest.ReadRoot(roots[h.ID])
		if err != nil {
			return nil, false, err
		}
		k.State = index.State{Ctx: h.Ctx, Root: root}
		kept = append(kept, k)
	}
	e.changeHeads(func(l *headList) { maps.Copy(l.root, roots) })
	return kept, true, nil
}

// joined makes the result of a merge the state.
func (e *engine) joined(j index.Joined) error {
	counter := e.row.Counter
	if j.Writer != e.row.Writer {
		counter = 0
	}
	counter = max(counter, j.State.Ctx[j.Writer])
	err := e.node.db.Update(e.ctx, func(t *db.Tx) error {
		if err := e.blobs.flush(t); err != nil {
			return err
		}
		for i := range j.Journal {
			if err := e.record(t, &j.Journal[i]); err != nil {
				return err
			}
		}
		if err := e.differences(t, e.row.State.Root.Files, j.State.Root.Files); err != nil {
			return err
		}
		for _, h := range e.kept().all {
			if slices.Contains(j.Merged, h.ID) {
				h.Merged = true
				if err := t.PutHead(e.n, &h); err != nil {
					return err
				}
			}
		}
		return t.SetState(e.n, j.State, j.Writer, counter)
	})
	e.blobs.written()
	if err != nil {
		return err
	}
	e.row.State, e.row.Writer, e.row.Counter = j.State, j.Writer, counter
	e.showRoot()
	if len(j.Journal) > 0 {
		e.node.continuity.Record(e.token.Share, j.Writer, counter)
	}
	e.changeHeads(func(l *headList) {
		for _, id := range j.Merged {
			l.change(id, func(h *db.Head) { h.Merged = true })
		}
	})
	e.plan.again = true
	e.mustPublish = e.mustPublish || j.Publish
	return nil
}

// record writes one own event to the journal.
func (e *engine) record(t *db.Tx, j *index.JournalEvent) error {
	r := db.Record{Writer: j.Dot.Writer, Counter: j.Dot.Counter, Meta: j.Event.Meta, AddedAt: j.Event.AddAt,
		RemovedAt: j.Event.RemoveAt, Removed: j.Event.Remove}
	if x := j.Event.Add; x != nil {
		r.Added, r.IDs = x.Raw(), x.IDs()
	}
	return t.PutRecord(e.n, &r)
}

// differences notes the natural paths where two trees differ: the disk may have to follow.
func (e *engine) differences(t *db.Tx, before, after blob.Cap) error {
	touched := map[string]bool{}
	for c, err := range e.forest.Diff(e.ctx, before, after) {
		if err != nil {
			return err
		}
		if err := t.AddTodo(e.n, c.Path); err != nil {
			return err
		}
		if len(c.Before) <= 1 && len(c.After) == 1 && len(c.Before) == len(c.After) && c.Before[0].Type == c.After[0].Type {
			continue // nobody else's name or directory is concerned
		}
		for _, p := range index.Touches(c.Path) {
			if touched[p] {
				continue
			}
			touched[p] = true
			if err := t.AddTodo(e.n, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *engine) alarmed(j index.Joined) {
	for _, a := range j.Alarms {
		e.alarm(a.String())
	}
	for _, l := range j.Limits {
		e.alarm(l.Error())
	}
}

// maxAlarms is how many alarms are shown, the newest.
const maxAlarms = 20

// alarm shows something that a person should know; the same is shown once.
func (e *engine) alarm(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Contains(e.view.Alarms, text) {
		return
	}
	e.view.Alarms = append(e.view.Alarms, text)
	e.view.Alarms = slices.Clone(e.view.Alarms[max(0, len(e.view.Alarms)-maxAlarms):])
}

// supersede notes which heads another dominates. Complete ones stay, until they are old (dropOldHeads).
func (e *engine) supersede() error {
	l, now := e.kept(), e.node.ages.now()
	superseded, gone := map[blob.ID]bool{}, map[blob.ID]bool{}
	for i := range l.all {
		h := &l.all[i]
		if h.Superseded.IsZero() && l.dominated(h) {
			superseded[h.ID], gone[h.ID] = true, !h.Complete
		}
	}
	if len(superseded) == 0 {
		return nil
	}
	change := func(h *db.Head) {
		if superseded[h.ID] {
			h.Superseded = now
		}
	}
	err := e.node.db.Update(e.ctx, func(t *db.Tx) error {
		for _, h := range l.all {
			var err error
			switch {
			case gone[h.ID]:
				err = t.DropHead(e.n, h.ID)
			case superseded[h.ID]:
				change(&h)
				err = t.PutHead(e.n, &h)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.changeHeads(func(l *headList) {
		l.all = slices.DeleteFunc(l.all, func(h db.Head) bool { return gone[h.ID] })
		for i := range l.all {
			change(&l.all[i])
		}
	})
	return nil
}

// publish signs and spreads the state when it has something that no kept head covers.
func (e *engine) publish() error {
	if e.forest == nil || e.row.Moving || e.token.Role < secret.Write || !e.unpublished() && !e.disputed() {
		return nil
	}
	if len(e.cert()) == 0 {
		return nil // it comes with the first head
	}
	root, err := e.forest.PutRoot(e.row.State.Root)
	if err != nil || !e.unpublished() && e.covered(root.ID) {
		return err
	}
	head, h, err := e.sign(e.row.State, e.row.Writer, root, e.storeTokens())
	if err != nil {
		return err
	}
	id := h.ID
	err = e.node.db.Update(e.ctx, func(t *db.Tx) error { return e.putHead(t, head, h) })
	e.blobs.written()
	if err != nil {
		return err
	}
	e.mustPublish, e.exports.own = false, true
	e.changeHeads(func(l *headList) {
		l.all = append(l.all, *h)
		l.root[id] = root
	})
	if err := e.supersede(); err != nil {
		return err
	}
	if e.net != nil {
		e.net.announce(id)
	}
	return nil
}

// sign makes a head of a state, whose root this is.
func (e *engine) sign(s index.State, w index.Writer, root blob.Cap, tokens []string) (*index.Head, *db.Head, error) {
	now := e.node.now()
	head, err := index.NewHead(e.node.random, e.keys, index.Draft{Cert: e.cert(), Writer: w, Ctx: s.Ctx, Root: root,
		Label: e.node.label, Time: now.UnixNano(), Stores: index.HeadForStores{Policy: e.keptPolicy(), Tokens: tokens}})
	if err != nil {
		return nil, nil, err
	}
	return head, &db.Head{ID: head.ID, Epoch: e.token.Epoch, Writer: w, Ctx: s.Ctx.Clone(), Root: root.ID, Complete: true, Mine: true, Merged: true, Received: now}, nil
}

// putHead writes an own head, and what is new below it.
func (e *engine) putHead(t *db.Tx, head *index.Head, h *db.Head) error {
	if err := e.blobs.flush(t); err != nil {
		return err
	}
	if err := t.PutBlob(e.n, head.ID, head.Blob, int64(len(head.Blob))); err != nil {
		return err
	}
	if err := t.Sign(e.n, head.ID); err != nil {
		return err
	}
	return t.PutHead(e.n, h)
}

// unpublished reports whether an own event, or a state after an alarm, is in no kept head.
func (e *engine) unpublished() bool {
	if e.mustPublish {
		return true
	}
	var seen uint64
	for _, h := range e.kept().all {
		if h.Complete && h.Epoch == e.token.Epoch {
			seen = max(seen, h.Ctx[e.row.Writer])
		}
	}
	return e.row.State.Ctx[e.row.Writer] > seen
}

// disputeWait is how long another may have merged the same heads to another state before ours is published.
const disputeWait = 30 * time.Second

// disputed reports whether a peer has the heads that we have, and has come to another state: alarms make things come back,
// not everywhere the same (docs/shares.md §4.2).
func (e *engine) disputed() bool {
	v, _ := e.look()
	if e.net == nil || !v.Settled || !e.net.differs(v.Frontier, v.Sum) {
		e.dispute = time.Time{}
		return false
	}
	if e.dispute.IsZero() {
		e.dispute = e.node.now()
	}
	return e.node.now().Sub(e.dispute) >= disputeWait
}

// differs reports whether a peer says that it has this frontier and another state.
func (s *swarm) differs(frontier [32]byte, sum []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if p.hasState && p.state.Frontier == frontier && len(p.state.Sum) > 0 && !slices.Equal(p.state.Sum, sum) {
			return true
		}
	}
	return false
}

// covered reports whether a kept head says exactly what our state says.
func (e *engine) covered(root blob.ID) bool {
	return slices.ContainsFunc(e.kept().all, func(h db.Head) bool {
		return h.Complete && h.Root == root && maps.Equal(h.Ctx, e.row.State.Ctx)
	})
}
