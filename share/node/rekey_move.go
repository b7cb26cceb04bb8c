package node

import (
	"errors"
	"fmt"
	"strings"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

// moveOver takes the state over to a complete head of the present epoch, when there is one (docs/shares.md §9): that, and the
// own events that it does not know of. The control goroutine calls it.
func (e *engine) moveOver() (moved bool, err error) {
	if e.forest == nil {
		if !e.kept().of(e.token.Epoch).any() {
			return false, nil
		}
		err := e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.SetMoving(e.n, false) })
		e.row.Moving = err != nil
		return err == nil, err
	}
	kept, _, err := e.keptHeads()
	if err != nil || len(kept) == 0 {
		return false, err
	}
	next := index.Frontier(kept)[0]
	own, err := e.ownEvents()
	if err != nil {
		return false, err
	}
	e.node.atStep("moving")
	m, err := index.Move(e.ctx, e.forest, e.row.State, own, next.State)
	if errors.Is(err, index.ErrLimit) {
		e.log.Error("the share cannot go over to the new keys", "why", err)
		e.alarmed(index.Joined{Limits: []*index.LimitError{{Head: next.ID, Writer: next.Writer, Err: err}}})
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("going over to the new keys: %w", err)
	}
	return true, e.takeOver(&m, next)
}

// takeOver makes what has become of the node by going over its state.
func (e *engine) takeOver(m *index.Moving, next index.Kept) error {
	state, w, counter := m.State, m.Writer, e.row.Counter
	var journal []index.JournalEvent
	if w != e.row.Writer {
		w, counter = index.Writer{}, 0
	}
	if len(m.Again) > 0 {
		var err error
		w = e.freshWriter()
		if state, journal, err = index.Commit(e.forest, state, w, m.Again); err != nil {
			return err
		}
		counter = state.Ctx[w]
	}
	err := e.node.db.Update(e.ctx, func(t *db.Tx) error {
		if err := e.blobs.flush(t); err != nil {
			return err
		}
		for i := range journal {
			if err := e.record(t, &journal[i]); err != nil {
				return err
			}
		}
		if err := e.differences(t, e.row.State.Root.Files, state.Root.Files); err != nil {
			return err
		}
		if err := t.AddOwed(e.n, m.Owed...); err != nil {
			return err
		}
		if err := e.putMerged(t, next.ID); err != nil {
			return err
		}
		if err := t.SetState(e.n, state, w, counter); err != nil {
			return err
		}
		return t.SetMoving(e.n, false)
	})
	e.blobs.written()
	if err != nil {
		return err
	}
	e.node.atStep("moved")
	e.row.State, e.row.Writer, e.row.Counter, e.row.Moving = state, w, counter, false
	if len(journal) > 0 {
		e.node.continuity.Record(e.token.Share, w, counter)
	}
	e.changeHeads(func(l *headList) { l.change(next.ID, func(h *db.Head) { h.Merged = true }) })
	e.owed = e.owed || len(m.Owed) > 0
	e.plan.again = true
	e.showRoot()
	e.log.Info("the share has gone over to the new keys", "epoch", e.token.Epoch, "away", m.Aways)
	if e.link == nil {
		e.tellAway(m)
	} else if in := e.node.byNumber(e.link.In); in != nil {
		in.relink.Store(true)
		in.poke()
	}
	return e.repeatOwed()
}

// putMerged notes that a kept head is in the state.
func (e *engine) putMerged(t *db.Tx, id blob.ID) error {
	for _, h := range e.kept().all {
		if h.ID == id {
			h.Merged = true
			return t.PutHead(e.n, &h)
		}
	}
	return nil
}

// tellAway says what others did that waits until they come themselves, and what an alarm brought back.
func (e *engine) tellAway(m *index.Moving) {
	var said []string
	if m.Aways > 0 {
		list := strings.Join(m.Away[:min(len(m.Away), 5)], ", ")
		said = append(said, fmt.Sprintf("the keys of the share have changed: %d files of machines that did not go along yet are in the archive until these do: %s", m.Aways, list))
	}
	if len(m.Again) > 0 {
		said = append(said, fmt.Sprintf("somebody else has written under the id of this node: %d files came back", len(m.Again)))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.view.Alarms = append(e.view.Alarms, said...)
}

// ownEvents is what this node did itself, as far as it knows.
func (e *engine) ownEvents() (own index.Own, err error) {
	own = index.Own{Writers: index.Context{}, Now: e.row.Writer}
	if own.Now != (index.Writer{}) {
		own.Writers[own.Now] = e.row.Counter
	}
	for _, h := range e.kept().all {
		if h.Mine {
			own.Writers[h.Writer] = max(own.Writers[h.Writer], h.Ctx[h.Writer])
		}
	}
	err = e.node.db.View(e.ctx, func(t *db.Tx) error {
		return t.Records(e.n, func(r *db.Record) error {
			own.Writers[r.Writer] = max(own.Writers[r.Writer], r.Counter)
			j, err := eventOf(r)
			own.Journal = append(own.Journal, j)
			return err
		})
	})
	if e.token.Role < secret.Write { // what it did when it wrote can be said no more
		own = index.Own{}
	}
	return own, err
}

// repeatOwed repeats removals of entries that the epoch did not know of when this node went over.
func (e *engine) repeatOwed() error {
	if !e.owed || e.row.Moving {
		return nil
	}
	var owed []index.Owed
	if err := e.node.db.View(e.ctx, func(t *db.Tx) (err error) { owed, err = t.Owed(e.n); return err }); err != nil {
		return err
	}
	var events []index.Event
	var paid []index.Owed
	for i := range owed {
		ev, done, err := owed[i].Repeat(e.forest, e.row.State)
		if err != nil {
			return err
		}
		if ev != nil {
			events = append(events, *ev)
		}
		if done {
			paid = append(paid, owed[i])
		}
	}
	if len(events) > 0 {
		if err := e.commitEvents(events); err != nil {
			return err
		}
	}
	e.owed = len(paid) < len(owed)
	if len(paid) == 0 {
		return nil
	}
	return e.node.db.Update(e.ctx, func(t *db.Tx) error {
		for i := range paid {
			if err := t.PayOwed(e.n, &paid[i]); err != nil {
				return err
			}
		}
		return nil
	})
}
