package node

import (
	"encoding/hex"
	"math"
	"path"

	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

// exportStep is the next epoch of an export, which comes with that of its share: who is left out of this could open it.
type exportStep struct {
	admin  secret.Token // of the export, in its next epoch
	record index.ExportRecord
	moved  *index.Moved
	y      *engine // of the export on this node; nil when it has none
}

// stepExports makes the next epochs of all exports that a tree of meta names, and the events that say so.
func (s *epochStep) stepExports(f *index.Forest, root index.Root) (events []index.Event, err error) {
	all, err := s.x.exportsIn(f, root.Meta)
	if err != nil {
		return nil, err
	}
	for i := range all {
		x, err := s.stepExport(&all[i])
		if err != nil {
			return nil, err
		}
		if x == nil {
			continue
		}
		there, err := f.Find(root.Meta, all[i].at)
		if err != nil {
			return nil, err
		}
		value, err := x.record.Encode()
		if err != nil {
			return nil, err
		}
		ev := index.Event{Meta: true, RemoveAt: all[i].at, AddAt: all[i].at, Add: &index.Entry{Type: index.Meta, Value: value}}
		for k := range there.Entries {
			ev.Remove = append(ev.Remove, there.Entries[k].Dot)
		}
		events, s.exports = append(events, ev), append(s.exports, *x)
	}
	return events, nil
}

// stepExport is the next epoch of one; nil of what only says to be an export.
func (s *epochStep) stepExport(old *export) (*exportStep, error) {
	n := s.n
	eid, err := hex.DecodeString(path.Base(old.at))
	if err != nil || len(eid) != 16 || old.Epoch == math.MaxUint16 {
		return nil, nil
	}
	x := &exportStep{record: old.ExportRecord}
	if x.admin, err = s.x.token.Export([16]byte(eid)); err != nil {
		return nil, err
	}
	if x.admin.Share != old.Store.Share {
		return nil, nil
	}
	if x.admin, err = x.admin.AtEpoch(old.Epoch + 1); err != nil {
		return nil, err
	}
	keys, err := x.admin.Keys()
	if err != nil {
		return nil, err
	}
	r := &x.record
	r.Epoch = x.admin.Epoch
	if r.Cert, err = keys.Certify(); err != nil {
		return nil, err
	}
	if r.Store, err = x.admin.Weaken(secret.Store); err != nil {
		return nil, err
	}
	if r.Write, err = s.x.keys.Seal(n.random, secret.FieldExportWrite, keys.Write[:]); err != nil {
		return nil, err
	}
	var to []index.Recipient
	for _, who := range r.To {
		who.Box = n.presentBox(who.Box)
		if to = append(to, who); who.Role > secret.Write {
			to[len(to)-1].Role = secret.Write
		}
	}
	r.To = to
	if x.moved, err = index.NewMoved(n.random, keys, r.To); err != nil {
		return nil, err
	}
	x.y = n.byShare(r.Store.Share)
	return x, nil
}

// presentBox is the key of the present epoch of a share that this node reads, of which one was the key.
func (n *Node) presentBox(box [32]byte) [32]byte {
	for _, e := range n.all() {
		if e.token.Role < secret.Read || len(e.ended) == 0 {
			continue
		}
		for _, old := range e.oldKeys() {
			if [32]byte(old.Box.PublicKey().Bytes()) == box {
				return [32]byte(e.keys.Box.PublicKey().Bytes())
			}
		}
	}
	return box
}

// oldKeys are the keys of epochs of a share that are over, as far as this node could read then.
func (e *engine) oldKeys() (all []*secret.Keys) {
	for i := range e.ended {
		if k := e.keysAt(e.ended[i].Epoch); k != nil {
			all = append(all, k)
		}
	}
	return all
}

// keysAt are the keys of an epoch in which this node could read the share; nil when it could not.
func (e *engine) keysAt(epoch uint16) *secret.Keys {
	if epoch == e.token.Epoch {
		return e.keys
	}
	t, ok := e.node.secrets.tokenAt(e.token.Share, epoch)
	if !ok || t.Role < secret.Read {
		return nil
	}
	k, err := t.Keys()
	if err != nil {
		return nil
	}
	return k
}

// storeTokens are what the first head tells stores.
func (s *epochStep) storeTokens() []string {
	s.x.exports.tokens = nil
	for i := range s.exports {
		s.x.exports.tokens = append(s.x.exports.tokens, s.exports[i].record.Store)
	}
	return s.x.storeTokens()
}

// leaveExports notes that the epochs before are over: after a crash this node still says so.
func (s *epochStep) leaveExports(t *db.Tx) error {
	for i := range s.exports {
		x := &s.exports[i]
		if x.y == nil {
			continue
		}
		if err := t.PutBlob(x.y.n, x.moved.ID, x.moved.Blob, int64(len(x.moved.Blob))); err != nil {
			return err
		}
		if err := t.PutEnded(x.y.n, &db.Ended{Epoch: x.y.token.Epoch, Moved: &x.moved.ID, At: s.n.ages.now()}); err != nil {
			return err
		}
	}
	return nil
}

// followExports takes the engines of the exports over. The caller holds moving.
func (s *epochStep) followExports() error {
	for i := range s.exports {
		x := &s.exports[i]
		if x.y == nil || s.n.byNumber(x.y.n) != x.y {
			continue
		}
		s.n.mu.Lock()
		if s.n.stepped == nil {
			s.n.stepped = map[secret.ShareID]bool{}
		}
		s.n.stepped[x.admin.Share] = true
		s.n.mu.Unlock()
		token, err := x.admin.Weaken(min(x.y.token.Role, secret.Write))
		if err == nil {
			err = s.n.goOver(x.y, token, x.moved.Cert, &db.Ended{Epoch: x.y.token.Epoch, Moved: &x.moved.ID, At: s.n.ages.now()}, x.moved)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wasStepped reports whether this node has made an epoch of an export: then it need not wait for others to act on that.
func (n *Node) wasStepped(id secret.ShareID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stepped[id]
}

// goWith takes a share that came by a link over to the epoch of a token that its source, or the link, has now.
func (n *Node) goWith(x *engine, token secret.Token) {
	if token.Epoch > x.token.Epoch && token.Role == x.token.Role {
		n.mover(func() error { return n.followToken(x, token) })
	}
}

// renewLinks puts the present tokens of what is mounted into the links, so that who joins later finds it: any writer does so,
// after a while in which another may have.
func (e *engine) renewLinks() error {
	if e.token.Role < secret.Write || e.row.Moving {
		return nil
	}
	m := &e.mounts
	var events []index.Event
	for p := range m.naturals {
		set, err := e.forest.Find(e.row.State.Root.Files, p)
		if err != nil {
			return err
		}
		ev := index.Event{RemoveAt: p, AddAt: p}
		for i := range set.Entries {
			at := &set.Entries[i]
			token, err := secret.ParseToken(string(at.Value))
			if at.Type != index.Link || err != nil {
				continue
			}
			x := e.node.byShare(token.Share)
			if x == nil || x.link == nil || x.link.In != e.n || x.token.Epoch <= token.Epoch || x.isStranded() {
				continue
			}
			if wait := e.waitForOther(token.Share); wait > 0 && !e.node.wasStepped(token.Share) {
				m.retry = e.node.now().Add(wait)
				continue
			}
			next, err := x.token.Weaken(token.Role)
			if err != nil {
				continue
			}
			delete(e.exports.due, token.Share)
			ev.Remove = append(ev.Remove, at.Dot)
			ev.Add = &index.Entry{Type: index.Link, Value: []byte(next.Text())}
		}
		if ev.Add != nil {
			events = append(events, ev)
		}
	}
	if len(events) == 0 {
		return nil
	}
	return e.commitEvents(events)
}
