package node

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"math"
	"slices"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// headList is the kept heads of a share.
type headList struct {
	all  []db.Head
	root map[blob.ID]blob.Cap // caps of the roots of heads, for those who can read; of those that were asked for
}

// any reports whether a complete head is kept.
func (l headList) any() bool {
	return slices.ContainsFunc(l.all, func(h db.Head) bool { return h.Complete })
}

func (l headList) has(id blob.ID) bool {
	return slices.ContainsFunc(l.all, func(h db.Head) bool { return h.ID == id })
}

// newer reports whether a head is complete that in an older list was not, and did not come from this node.
func (l headList) newer(older headList) bool {
	return slices.ContainsFunc(l.all, func(h db.Head) bool {
		return h.Complete && !h.Mine && !slices.ContainsFunc(older.all, func(o db.Head) bool { return o.ID == h.ID && o.Complete })
	})
}

// dominates reports whether o need not be kept beside h: h has seen all that o has. Of two that are equal the smaller id
// stays (docs/shares.md §3.4).
func dominates(h, o *db.Head) bool {
	if h.ID == o.ID || !h.Complete {
		return false
	}
	if h.Epoch != o.Epoch {
		return h.Epoch > o.Epoch
	}
	if !o.Ctx.Leq(h.Ctx) {
		return false
	}
	if h.Ctx.Leq(o.Ctx) {
		return h.Root == o.Root && bytes.Compare(h.ID[:], o.ID[:]) < 0
	}
	return true
}

// dominated reports whether a kept head dominates h. It is a late one as a rule, and there may be thousands.
func (l headList) dominated(h *db.Head) bool {
	for i := len(l.all) - 1; i >= 0; i-- {
		if dominates(&l.all[i], h) {
			return true
		}
	}
	return false
}

// of are the heads of an epoch.
func (l headList) of(epoch uint16) headList {
	l.all = slices.DeleteFunc(slices.Clone(l.all), func(h db.Head) bool { return h.Epoch != epoch })
	return l
}

// frontier is the complete heads that no other dominates, in order of their ids.
func (l headList) frontier() (ids []blob.ID) {
	for i := range l.all {
		h := &l.all[i]
		if h.Complete && !l.dominated(h) {
			ids = append(ids, h.ID)
		}
	}
	slices.SortFunc(ids, func(a, b blob.ID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// published says up to where own heads have counted a writer id: false for a count that none of them can have had. Own heads
// go in the order in which they came, so that those which are kept are all since the oldest of them; before it nothing is
// known.
func (l headList) published(w index.Writer) func(counter uint64) bool {
	oldest, counts := uint64(math.MaxUint64), map[uint64]bool{}
	for i := range l.all {
		if h := &l.all[i]; h.Mine && h.Writer == w {
			oldest = min(oldest, h.Ctx[w])
			counts[h.Ctx[w]] = true
		}
	}
	return func(n uint64) bool { return n < oldest || counts[n] }
}

// incomplete are the heads whose index is not all here.
func (l headList) incomplete() (all []db.Head) {
	for _, h := range l.all {
		if !h.Complete {
			all = append(all, h)
		}
	}
	return all
}

// frontierHash is what STATE says of a frontier.
func frontierHash(ids []blob.ID) [32]byte {
	h := sha256.New()
	for _, id := range ids {
		h.Write(id[:])
	}
	return [32]byte(h.Sum(nil))
}

// sumOf is what STATE says of a merged state: H(ctx), then the id of its root.
func (e *engine) sumOf(s index.State, root blob.ID) []byte {
	h := sha256.Sum256(s.Ctx.Bytes())
	return append(h[:], root[:]...)
}

// loadHeads reads the kept heads, at the start.
func (e *engine) loadHeads() error {
	l := headList{root: map[blob.ID]blob.Cap{}}
	err := e.node.db.View(e.ctx, func(t *db.Tx) (err error) {
		if e.lacking, err = getTime(t, e.missingKey()); err != nil {
			return err
		}
		if e.policyRaw, err = t.Policy(e.n); err != nil {
			return err
		}
		l.all, err = t.Heads(e.n)
		return err
	})
	if err != nil {
		return err
	}
	e.changeHeads(func(to *headList) { *to = l })
	return nil
}

// rootOf is the root of a kept head, with its key.
func (e *engine) rootOf(h *db.Head) (blob.Cap, error) {
	if root, ok := e.kept().root[h.ID]; ok {
		return root, nil
	}
	b, err := e.blobs.Get(h.ID)
	if err != nil {
		return blob.Cap{}, err
	}
	head, err := index.ReadHead(e.token.Share, h.ID, b)
	if err != nil {
		return blob.Cap{}, err
	}
	r, err := head.ForReaders(e.keys)
	return blob.Cap{ID: h.Root, Key: r.Root}, err
}

// changeHeads changes the list, for all at once. What kept gave before stays as it was.
func (e *engine) changeHeads(f func(l *headList)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := headList{all: slices.Clone(e.heads.all), root: maps.Clone(e.heads.root)}
	f(&l)
	e.heads = l
}

// change changes one head of the list, if it is there.
func (l *headList) change(id blob.ID, f func(*db.Head)) {
	for i := range l.all {
		if l.all[i].ID == id {
			f(&l.all[i])
		}
	}
}

// kept is the list as it is now; it is not to be changed.
func (e *engine) kept() headList {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heads
}
