package node

import (
	"net/netip"
	"slices"
	"time"

	"shoal/share/blob"
	"shoal/share/wire"
)

// hello is how this node introduces itself.
func (s *swarm) hello() wire.Hello {
	e := s.e
	l := e.kept().of(e.token.Epoch)
	h := wire.Hello{Name: e.node.label, Heads: l.frontier()}
	for _, i := range l.incomplete() {
		h.Heads = append(h.Heads, i.ID)
	}
	h.Heads = h.Heads[:min(len(h.Heads), 256)]
	if port := e.node.net.Port(); port != 0 {
		h.Addrs = []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port))}
	}
	e.mu.Lock()
	h.Writer = e.view.Writer
	e.mu.Unlock()
	return h
}

// greeted answers a HELLO: heads of the peer's own writer id, and what it says of itself.
func (s *swarm) greeted(p *peer) {
	e, h := s.e, p.conn.Hello()
	if h.Writer != [8]byte{} {
		var ids []blob.ID
		l := e.kept().of(e.token.Epoch)
		for i := range l.all {
			if [8]byte(l.all[i].Writer) == h.Writer {
				ids = append(ids, l.all[i].ID)
			}
		}
		if len(ids) > 0 {
			_ = p.conn.Send(&wire.Heads{IDs: ids[max(0, len(ids)-256):]})
		}
	}
	s.heard(p, h.Heads)
	// What was published since the HELLO was written went to those who were here then.
	if ids := e.kept().of(e.token.Epoch).frontier(); len(ids) > 0 {
		_ = p.conn.Send(&wire.Heads{IDs: ids[:min(len(ids), 256)]})
	}
	s.remember(p)
	s.introduce(p)
	e.node.transfers.met(e, p)
	s.changed()
	e.stir()
}

// announce tells all peers of a head that is whole here, but those who have it.
func (s *swarm) announce(id blob.ID) {
	for _, p := range s.all() {
		s.mu.Lock()
		has := p.heads[id]
		p.heads[id] = true
		s.mu.Unlock()
		if !has {
			_ = p.conn.Send(&wire.Heads{IDs: []blob.ID{id}})
		}
	}
	s.changed()
}

// changed lets peers be told how we stand.
func (s *swarm) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// stateEvery is the shortest time between two STATEs; a change that matters is told at once after a quiet time.
const stateEvery = 250 * time.Millisecond

// tell sends STATE when it has changed.
func (s *swarm) tell() {
	for {
		select {
		case <-s.e.ctx.Done():
			return
		case <-s.wake:
		}
		s.tellNow()
		if !sleep(s.e.ctx, stateEvery) {
			return
		}
	}
}

func (s *swarm) tellNow() {
	st := s.e.stateMessage()
	s.mu.Lock()
	same := s.said.Frontier == st.Frontier && slices.Equal(s.said.Sum, st.Sum) && s.said.Missing == st.Missing && s.said.Want == st.Want && s.said.Paused == st.Paused && s.said.Mode == st.Mode && s.said.Full == st.Full && s.said.Quota == st.Quota
	s.said = st
	s.mu.Unlock()
	for _, p := range s.all() {
		s.mu.Lock()
		told := p.told && same
		p.told = true
		s.mu.Unlock()
		if !told {
			_ = p.conn.Send(&st)
		}
	}
}

// owes reports whether a connected peer has yet to be told how we stand.
func (s *swarm) owes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if !p.told {
			return true
		}
	}
	return false
}
