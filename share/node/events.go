package node

import (
	"shoal/share/db"
	"shoal/share/index"
)

// commitEvents commits events that are not of the disk: what the disk must follow is noted. The control goroutine calls it.
func (e *engine) commitEvents(events []index.Event) error {
	w, counter := e.row.Writer, e.row.Counter
	if !e.node.continuity.Proven(e.token.Share, w, counter) {
		w, counter = e.freshWriter(), 0
	}
	before := e.row.State.Root.Files
	state, journal, err := index.Commit(e.forest, e.row.State, w, events)
	if err != nil {
		e.blobs.written()
		return err
	}
	counter += uint64(len(journal))
	err = e.node.db.Update(e.ctx, func(t *db.Tx) error {
		if err := e.blobs.flush(t); err != nil {
			return err
		}
		for i := range journal {
			if err := e.record(t, &journal[i]); err != nil {
				return err
			}
		}
		if err := e.differences(t, before, state.Root.Files); err != nil {
			return err
		}
		return t.SetState(e.n, state, w, counter)
	})
	e.blobs.written()
	if err != nil {
		return err
	}
	e.row.State, e.row.Writer, e.row.Counter = state, w, counter
	e.node.continuity.Record(e.token.Share, w, counter)
	e.plan.again = true
	e.showRoot()
	e.poke()
	return nil
}

// showRoot lets who asks next see the state as it is.
func (e *engine) showRoot() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.view.Root = e.row.State.Root
}
