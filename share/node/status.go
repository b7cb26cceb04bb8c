package node

import (
	"context"
	"fmt"
	"slices"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/wire"
)

// showProgress tells others how far the share is, at the end of a step. busy says that the next step comes at once.
func (e *engine) showProgress(busy bool) error {
	var todo int64
	var held []db.Held
	err := e.node.db.View(e.ctx, func(t *db.Tx) (err error) {
		if todo, err = t.CountTodo(e.n); err != nil {
			return err
		}
		held, err = t.Held(e.n)
		return err
	})
	if err != nil {
		return err
	}
	if e.row.Dir == "" && e.store == nil {
		todo = 0 // there is no disk to follow
	}
	l := e.kept()
	state, settled, missing := e.standing(l, busy, todo, len(held))
	if settled {
		if err := e.acceptedDone(); err != nil {
			return err
		}
	}
	root := blob.Cap{}
	if e.forest != nil {
		if root, err = e.forest.PutRoot(e.row.State.Root); err != nil {
			return err
		}
		e.blobs.written()
	}
	e.mu.Lock()
	e.view.Settled, e.view.Todo, e.view.Held, e.view.Missing = settled, todo, int64(len(held)), missing
	e.view.Frontier, e.view.State = frontierHash(l.frontier()), state
	if e.forest != nil {
		e.view.Sum = e.sumOf(e.row.State, root.ID)
	}
	e.mu.Unlock()
	e.show(state, nil)
	if e.net != nil {
		e.net.changed()
	}
	return nil
}

// standing is how far the share is with these heads: its state, whether nothing is left to do, and the bytes that are missing.
func (e *engine) standing(l headList, busy bool, todo int64, held int) (state string, settled bool, missing int64) {
	settled = !busy && len(l.incomplete()) == 0 && !l.newer(e.judged)
	state = api.StateSyncing
	if e.store != nil {
		missing = e.store.missing()
		settled = settled && missing == 0 && e.store.asked(l)
	} else {
		missing = e.larderBytes() + todo
		settled = settled && todo == 0 && held == 0 && len(e.plan.coming) == 0 && e.quiet()
	}
	switch {
	case !l.any() || e.row.Moving:
		return api.StateWaiting, false, missing
	case e.store == nil && e.mustWait():
		state = api.StateWaiting
	case e.store == nil && held > 0:
		state = api.StateHeld
	case settled:
		state = api.StateInSync
		missing = 0
	}
	return state, settled, missing
}

// quiet reports whether nothing waits to be scanned.
func (e *engine) quiet() bool {
	f := e.folder
	if f == nil {
		return e.row.Dir == ""
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	_, missing := f.scanner.NextLook()
	return !f.walked.IsZero() && len(f.dirty) == 0 && len(e.seen) == 0 && len(e.suspects) == 0 && !e.seenAll && !missing
}

func (e *engine) larderBytes() int64 {
	e.larder.mu.Lock()
	defer e.larder.mu.Unlock()
	n := e.larder.bytes
	for _, a := range e.plan.coming {
		if a.large {
			n += a.shown.Size
		}
	}
	return n
}

// stateMessage is what peers are told of this node.
func (e *engine) stateMessage() wire.State {
	v, _ := e.look()
	quota, _ := e.quota(&v.Config) // while it is not known nothing is taken, and Full says so
	st := wire.State{Frontier: v.Frontier, Sum: v.Sum, Missing: v.Missing, Want: v.Missing, Paused: v.Paused, Mode: wire.Full, Quota: quota, Full: v.Full != ""}
	if e.store != nil {
		st.Used = e.store.usage()
	}
	if !wantsAll(&v.Config) {
		st.Mode = wire.Part
	}
	if !v.Settled {
		st.Missing = max(1, st.Missing) // it has more to look at
		st.Want = st.Missing
	}
	if v.heldOnly() {
		st.Want = 0
	}
	return st
}

// heldOnly reports whether all that is left to do waits for a person.
func (v *view) heldOnly() bool { return v.State == api.StateHeld && v.Todo <= v.Held }

// inSync reports whether a connected peer has what we have, nothing is missing here, and it wants nothing either: more than
// it holds back until a person has spoken it will not take.
func (e *engine) inSync() bool {
	return e.settledAnd(func(s *swarm, frontier [32]byte) bool {
		for _, p := range s.peers {
			if p.hasState && p.state.Frontier == frontier && p.state.Want == 0 {
				return true
			}
		}
		return false
	})
}

// agrees reports whether nothing is missing here, and the peer that was last heard to want nothing has, or had, the same.
func (e *engine) agrees() bool {
	return e.settledAnd(func(s *swarm, frontier [32]byte) bool { return s.whole == frontier })
}

// settledAnd reports whether nothing is missing here, and what others said of our frontier is as f wants it. f is called
// with the lock of the swarm.
func (e *engine) settledAnd(f func(s *swarm, frontier [32]byte) bool) bool {
	v, _ := e.look()
	if !v.Settled || e.net == nil {
		return false
	}
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	return f(e.net, v.Frontier)
}

// info is the share in a list.
func (e *engine) info() api.ShareInfo { return e.infoIf(e.node.isRunning()) }

func (e *engine) infoIf(running bool) api.ShareInfo {
	v, _ := e.look()
	i := api.ShareInfo{Name: v.Name, ID: e.idText(), Role: e.token.Role.String(), Dir: v.Dir, State: v.State, Paused: v.Paused, Epoch: int(e.token.Epoch), Config: v.Config, Added: e.row.Added}
	if !running {
		i.State = api.StateStopped
	}
	return i
}

// status is everything that is going on.
func (e *engine) status(ctx context.Context) (*api.Status, error) {
	v, _ := e.look()
	s := &api.Status{ShareInfo: e.info(), Error: v.Err, Running: e.node.isRunning(), Alarms: slices.Clone(v.Alarms), Hashed: e.node.hashed.Load(),
		Held: []api.HeldInfo{}, Problems: []api.Problem{}, Local: []string{}, Writers: []api.WriterAt{}}
	if s.Alarms == nil {
		s.Alarms = []string{}
	}
	if err := e.node.db.View(ctx, func(t *db.Tx) error { return e.noted(t, s) }); err != nil {
		return nil, err
	}
	if err := e.totals(ctx, s, v); err != nil {
		return nil, err
	}
	if e.net != nil {
		s.Peers = len(e.net.all())
	}
	s.Received, s.Sent = e.traffic()
	s.FullCopies, s.SafeToLeave = e.promise.copiesNow(ctx)
	s.Full = v.Full
	s.Quota, _ = e.quota(&v.Config)
	if e.store != nil {
		s.Used = e.store.usage()
	}
	alarms, err := e.inviteAlarms(ctx, s)
	if err != nil {
		return nil, err
	}
	s.Alarms = slices.Concat(s.Alarms, alarms, e.net.metAlarms())
	if !s.Running {
		e.peekLimits()
	}
	switch s.Sentence = sentence(s); {
	case v.Moving && s.State == api.StateWaiting:
		s.Sentence = fmt.Sprintf("the share has other keys: waiting for a machine that has gone over to them; %d peers", s.Peers)
	case s.Running && v.MayBegin:
		s.Sentence += fmt.Sprintf("; if no other machine has it any more, \"shoal share accept %s\" begins anew with what is in the folder", s.Name)
	}
	if p := e.limits.problem(); p != nil {
		s.Problems = append([]api.Problem{*p}, s.Problems...)
		if e.limits.stands() {
			s.Sentence = "nothing is sent or taken, as " + limitsFile + " cannot be understood; " + s.Sentence
		}
	}
	if s.Full != "" && s.Running {
		s.Sentence = "full: what is here is served, and nothing more is taken (" + s.Full + "); " + s.Sentence
	}
	return s, nil
}

// noted is the part of a status that the database has.
func (e *engine) noted(t *db.Tx, s *api.Status) error {
	row, err := t.Share(e.n)
	if err != nil || row == nil {
		return err
	}
	if s.Writers, err = e.writers(t, row.State.Ctx); err != nil {
		return err
	}
	if s.Files, s.Bytes, err = t.CountBase(e.n); err != nil {
		return err
	}
	held, err := t.Held(e.n)
	if err != nil {
		return err
	}
	for _, h := range held {
		s.Held = append(s.Held, api.HeldInfo{Path: h.Path, Op: h.Op, Why: h.Why, Since: h.Since})
	}
	problems, err := t.Problems(e.n)
	if err != nil {
		return err
	}
	for _, p := range problems {
		s.Problems = append(s.Problems, api.Problem{Path: p.Path, Why: p.Why})
	}
	if err := e.rekeyAlarms(t, row.State.Ctx, s); err != nil {
		return err
	}
	return t.Locals(e.n, func(b *index.Base) error {
		if len(s.Local) < 1000 {
			s.Local = append(s.Local, b.Path)
		}
		return nil
	})
}

// totals counts what is in the share, and what of it should be here and is not.
func (e *engine) totals(ctx context.Context, s *api.Status, v view) error {
	if e.store != nil {
		s.NeedBytes = v.Missing
		return e.node.db.View(ctx, func(t *db.Tx) (err error) {
			s.Files, s.Bytes, err = t.CountBlobs(e.n, blob.Data)
			s.TotalFiles, s.TotalBytes = s.Files, s.Bytes
			return err
		})
	}
	forest := e.reader()
	for p, err := range forest.Walk(v.Root.Files, "") {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		type content struct {
			size int64
			hash [32]byte
		}
		shown := map[content]bool{} // twins of equal content are one file
		for i := range p.Entries {
			x := &p.Entries[i]
			if x.Type != index.File || shown[content{x.Size, x.Hash}] {
				continue
			}
			shown[content{x.Size, x.Hash}] = true
			s.TotalFiles++
			s.TotalBytes += x.Size
			if !wants(&v.Config, p.Path) {
				s.NeedFiles--
				s.NeedBytes -= x.Size
			}
		}
		if len(shown) > 1 {
			s.Conflicts++
		}
	}
	s.NeedFiles = max(0, s.NeedFiles+s.TotalFiles-s.Files)
	s.NeedBytes = max(0, s.NeedBytes+s.TotalBytes-s.Bytes)
	return nil
}

// reader is a forest for goroutines other than the control one: it sees what is written.
func (e *engine) reader() *index.Forest {
	return index.NewForest(e.keys.Conv, e.newBlobs())
}

func (e *engine) traffic() (in, out int64) {
	for _, c := range e.counters.In() {
		in += c.Bytes
	}
	for _, c := range e.counters.Out() {
		out += c.Bytes
	}
	read, written := e.node.transfers.traffic()
	return in + read, out + written
}

// sentence says for people what is going on and what is missing.
func sentence(s *api.Status) string {
	peers := fmt.Sprintf("%d peers", s.Peers)
	if s.Peers == 1 {
		peers = "1 peer"
	}
	switch s.State {
	case api.StateStopped:
		return "no node runs; this is how it was left"
	case api.StatePaused:
		return "paused"
	case api.StateAbsent:
		return "the folder is not there, or not marked as this share's: nothing is done until it is back"
	case api.StateError:
		return "stopped: " + s.Error
	case api.StateScanning:
		return "looking at the folder; " + peers
	case api.StateWaiting:
		if s.Peers > 0 {
			return "waiting for a peer that knows what is in the share; " + peers
		}
		return "waiting for a first peer; none has been met yet"
	case api.StateHeld:
		return fmt.Sprintf("%d changes by others wait for you: accept or reject them; %s", len(s.Held), peers)
	case api.StateInSync:
		if s.Peers == 0 {
			return "nothing to do; no peer is connected"
		}
		if s.SafeToLeave {
			copies := fmt.Sprintf("%d other full copies", s.FullCopies)
			switch s.FullCopies {
			case 0:
				copies = "others have all of it together"
			case 1:
				copies = "1 other full copy"
			}
			return fmt.Sprintf("in sync with what is known; %s; %s: safe to switch this machine off", peers, copies)
		}
		return "in sync with what is known; " + peers
	}
	if s.Peers == 0 && s.NeedFiles > 0 {
		return fmt.Sprintf("%d files (%d bytes) are missing, and no peer is connected", s.NeedFiles, s.NeedBytes)
	}
	return fmt.Sprintf("syncing: %d files (%d bytes) to go; %s", s.NeedFiles, s.NeedBytes, peers)
}
