package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"shoal/bt/bencode"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

// encode is the policy as it stands in meta and in heads: dict||sig, signed by the admin (docs/shares.md §6.7).
func (p *policy) encode(k *secret.Keys) []byte {
	b := bencode.AppendInt(bencode.AppendString([]byte{'d'}, "N"), int64(p.N))
	b = append(bencode.AppendString(b, "P"), 'l')
	for _, pk := range slices.SortedFunc(maps.Keys(p.Stores), func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) }) {
		b = append(bencode.AppendInt(bencode.AppendString(append(b, 'l'), pk[:]), p.Stores[pk]), 'e')
	}
	b = bencode.AppendInt(bencode.AppendString(append(b, 'e'), "R"), int64(p.R))
	b = append(bencode.AppendInt(bencode.AppendString(b, "seq"), p.Seq), 'e')
	return append(b, secret.Sign(k.AdminSign, secret.SignPolicy, append(k.Share[:], b...))...)
}

// check says why a policy cannot be.
func (p *policy) check() error {
	switch {
	case p.N < 1 || p.N > maxCopies || p.R < 0 || p.R > maxCopies || len(p.Stores) > maxPlaced || p.Seq < 0:
		return errors.New("a number of it is out of range")
	case p.R > 0 && p.N > p.R:
		return fmt.Errorf("giving up a copy cannot need %d others where %d are kept", p.N, p.R)
	}
	return nil
}

// keptPolicy is the policy with the highest seq that was ever seen, as it is signed; nil when there is none.
func (e *engine) keptPolicy() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.policyRaw
}

// seePolicy looks for a newer policy in the heads and in meta, and keeps the one with the highest seq: who held back newer
// heads could bring back an old one otherwise. The control goroutine calls it after a merge.
func (e *engine) seePolicy() error {
	l := e.kept()
	at := frontierHash(l.frontier())
	if at == e.policyAt {
		return nil
	}
	best := e.keptPolicy()
	seq := int64(-1)
	if p, ok := parsePolicy(e.token.Share, best); ok {
		seq = p.Seq
	}
	found := false
	offer := func(value []byte) {
		if p, ok := parsePolicy(e.token.Share, value); ok && p.check() == nil && p.Seq > seq {
			best, seq, found = value, p.Seq, true
		}
	}
	for _, id := range l.frontier() {
		b, err := e.blobs.Get(id)
		if err != nil {
			return err
		}
		head, err := index.ParseHead(e.token.Share, id, b)
		if err != nil {
			continue
		}
		if s, err := head.ForStores(e.keys); err == nil {
			offer(s.Policy)
		}
	}
	if e.forest != nil {
		set, err := e.forest.Find(e.row.State.Root.Meta, policyPath)
		if err != nil {
			return err
		}
		for i := range set.Entries {
			offer(set.Entries[i].Value)
		}
	}
	if found {
		if err := e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.SetPolicy(e.n, best) }); err != nil {
			return err
		}
		e.mu.Lock()
		e.policyRaw = slices.Clone(best)
		e.mu.Unlock()
	}
	e.policyAt = at
	return nil
}

// setPolicy signs a policy, and publishes it. Only who has the admin secret can. Its seq is one more than the last.
func (e *engine) setPolicy(ctx context.Context, p policy) error {
	if e.keys.AdminSign == nil {
		return fail(codeDenied, "only the admin of %s can say who keeps what", e.row.Name)
	}
	return e.do(ctx, func() error {
		now, err := e.policy(e.row.State.Root)
		if err != nil {
			return err
		}
		p.Seq = max(now.Seq, 0) + 1
		if err := p.check(); err != nil {
			return fmt.Errorf("signing a policy: %w", err)
		}
		value := p.encode(e.keys)
		entry := index.Entry{Type: index.Meta, Value: value}
		var kept []byte
		if len(value) > index.MaxValue {
			content, err := blob.Ingest(ctx, e.keys.Conv, bytes.NewReader(value), int64(len(value)), 1)
			if err != nil {
				return err
			}
			entry = index.Entry{Type: index.Meta, Size: content.Size, Hash: content.Hash, Caps: []blob.Cap{content.Cap}}
			_, kept = blob.Seal(e.keys.Conv, blob.Data, nil, value)
		}
		set, err := e.forest.Find(e.row.State.Root.Meta, policyPath)
		if err != nil {
			return err
		}
		event := index.Event{Meta: true, AddAt: policyPath, Add: &entry}
		for i := range set.Entries {
			event.RemoveAt, event.Remove = policyPath, append(event.Remove, set.Entries[i].Dot)
		}
		err = e.node.db.Update(ctx, func(t *db.Tx) error {
			if kept != nil {
				if err := t.PutBlob(e.n, entry.Caps[0].ID, kept, int64(len(kept))); err != nil {
					return err
				}
			}
			return t.SetPolicy(e.n, value)
		})
		if err != nil {
			return err
		}
		e.mu.Lock()
		e.policyRaw = value
		e.mu.Unlock()
		return e.commitEvents([]index.Event{event})
	})
}
