package node

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/wire"
)

// maxProof is how much ciphertext answers a challenge, in bytes.
const maxProof = 16 << 10

// How many KEEPs wait to be answered, of all and of one peer; more are not, which those who asked take for a no.
const (
	maxQuestions   = 64
	maxQuestionsOf = 8
)

// question is a KEEP of a peer.
type question struct {
	p *peer
	m *wire.Keep
}

// promiser answers KEEP, one after another, and waits for KEPT.
type promiser struct {
	e         *engine
	keeper    *keeper
	stripes   stripeIndex
	questions chan question
	waiting   answers
	copies    copies
}

func newPromiser(e *engine) *promiser {
	p := &promiser{e: e, questions: make(chan question, maxQuestions)}
	p.keeper = newKeeper(p, e.node.now)
	p.copies.ask = make(chan chan struct{}, 1)
	return p
}

// run answers until the engine ends.
func (k *promiser) run() {
	for {
		select {
		case <-k.e.ctx.Done():
			return
		case q := <-k.questions:
			a := k.answer(k.e.ctx, q.m)
			k.e.net.end(&q.p.keeps)
			if err := q.p.conn.Send(a); err != nil {
				k.e.log.Debug("a promise is not told", "why", err)
			}
		}
	}
}

// asked takes a KEEP; it does not block.
func (k *promiser) asked(p *peer, m *wire.Keep) {
	if !k.e.net.begin(&p.keeps, maxQuestionsOf) {
		return
	}
	select {
	case k.questions <- question{p, m}:
	default:
		k.e.net.end(&p.keeps)
	}
}

// answer is what this node says to a KEEP. A challenge counts in bytes of what travels: of the whole blob, or of the stripe.
func (k *promiser) answer(ctx context.Context, m *wire.Keep) *wire.Kept {
	out := &wire.Kept{N: m.N, Bitmap: make([]byte, (len(m.Units)+7)/8)}
	have, err := k.keeper.answer(ctx, m.Units, m.Secs)
	if err != nil {
		k.e.log.Warn("what is here cannot be told", "why", err)
		return out
	}
	for _, c := range m.Chal {
		var proof []byte
		if have[c.Unit] {
			if proof, err = k.cipher(ctx, m.Units[c.Unit], c.Off); err != nil {
				have[c.Unit] = false
			}
		}
		out.Proof = append(out.Proof, proof)
	}
	for i, ok := range have {
		if ok {
			out.Bitmap[i/8] |= 0x80 >> (i % 8)
			out.Until = min(m.Secs, maxKeep)
		}
	}
	return out
}

// cipher is up to 16 KiB of the ciphertext of a unit that is here.
func (k *promiser) cipher(ctx context.Context, u unit, off int64) ([]byte, error) {
	if b, err := k.e.serve(ctx, blob.ID(u)); err == nil {
		if off >= int64(len(b)) {
			return nil, io.EOF
		}
		return b[off:min(off+maxProof, int64(len(b)))], nil
	}
	s, ok, err := k.stripe(ctx, u)
	if err != nil || !ok {
		return nil, errors.Join(err, wire.ErrNotHere)
	}
	if off >= s.len() {
		return nil, io.EOF
	}
	st, _, end, err := k.e.sourceOf(s.info)
	if err != nil {
		return nil, err
	}
	defer end()
	b := make([]byte, min(maxProof, s.len()-off))
	_, err = st.ReadAt(b, int64(s.n)*stripeLen+off)
	if errors.Is(err, io.EOF) {
		err = nil // b is within the torrent
	}
	return b, err
}

func (k *promiser) stripe(ctx context.Context, u unit) (s stripe, ok bool, err error) {
	err = k.e.node.db.View(ctx, func(t *db.Tx) error {
		s, ok, err = k.stripes.find(t, k.e, u)
		return err
	})
	return s, ok, err
}

// place is where a unit may be.
type place struct {
	rows   []index.Base // files that are, or contain, it
	inFile bool         // a blob that a store has in a file
	data   *stripe      // of a store
}

// holds looks for units: blobs that are kept, and files that are what B says. The archive does not count: it is given up by
// age, without asking anybody.
func (k *promiser) holds(ctx context.Context, units []unit, deep bool) ([]bool, error) {
	have, places := make([]bool, len(units)), make([]place, len(units))
	err := k.e.node.db.View(ctx, func(t *db.Tx) error {
		small, err := k.smallFiles(t, units)
		if err != nil {
			return err
		}
		for i, u := range units {
			if places[i].rows = small[u]; places[i].rows != nil {
				continue
			}
			if have[i], places[i], err = k.find(t, u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range units {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if !have[i] {
			have[i] = k.intact(units[i], &places[i], deep)
		}
	}
	return have, nil
}

// smallFiles are the files of units that are small ones: most are.
func (k *promiser) smallFiles(t *db.Tx, units []unit) (map[unit][]index.Base, error) {
	if k.e.store != nil {
		return nil, nil
	}
	var ids []blob.ID
	seen := make(map[unit]bool, len(units))
	for _, u := range units {
		if blob.ID(u).Kind() == blob.Data && !seen[u] {
			seen[u] = true
			ids = append(ids, u)
		}
	}
	files := make(map[unit][]index.Base, len(ids))
	return files, t.FilesOf(k.e.n, ids, func(id blob.ID, b *index.Base) {
		if len(files[id]) < 8 {
			files[id] = append(files[id], *b)
		}
	})
}

// find says whether a unit is here for certain, or else where it may be.
func (k *promiser) find(t *db.Tx, u unit) (have bool, p place, err error) {
	e, id := k.e, blob.ID(u)
	b, ok, err := t.Blob(e.n, id)
	if err != nil || ok {
		return b != nil, place{inFile: b == nil && ok}, err
	}
	s, ok, err := k.stripes.find(t, e, u)
	if err != nil || !ok {
		return false, p, err
	}
	if e.store != nil {
		return false, place{data: &s}, nil
	}
	recipe, ok, err := t.Large(e.n, s.info)
	if err == nil && ok {
		p.rows, err = t.ByCap(e.n, recipe, 8)
	}
	return false, p, err
}

func (k *promiser) intact(u unit, p *place, deep bool) bool {
	for i := range p.rows {
		if k.e.unchanged(&p.rows[i]) {
			return true
		}
	}
	switch s := k.e.store; {
	case p.inFile && s != nil && deep:
		_, err := s.read(blob.ID(u))
		return err == nil
	case p.inFile && s != nil:
		return s.holds(blob.ID(u))
	case p.data != nil && s != nil:
		return s.holdsData(p.data.info)
	}
	return false
}

// unchanged reports whether the file that a row is about is on disk, and is what the row says. One that is too young to be
// known by its identity is read, if it is small.
func (e *engine) unchanged(row *index.Base) bool {
	fsys := e.fsNow()
	if fsys == nil || !row.Present || row.Local || row.Type != index.File {
		return false
	}
	info, err := fsys.Lstat(row.Path)
	if err != nil || info.Type&fs.ModeType != 0 {
		return false
	}
	was := row.Ident
	if was.CTime > 0 {
		return info.Ident.Size == was.Size && info.Ident.MTime == was.MTime && info.Ident.CTime == was.CTime && info.Ident.Inode == was.Inode
	}
	if row.Size > blob.Small || len(row.Caps) == 0 || info.Ident.Size != row.Size {
		return false
	}
	_, err = e.seal(row.Path, row)
	return err == nil
}

func (k *promiser) promise(ctx context.Context, units []unit, until time.Time) error {
	return k.e.node.db.Update(ctx, func(t *db.Tx) error {
		if err := t.ForgetPromises(k.e.n, k.e.node.now()); err != nil {
			return err
		}
		return t.Promise(k.e.n, until, units...)
	})
}

func (k *promiser) promised(ctx context.Context, units []unit) (latest time.Time, err error) {
	now := k.e.node.now()
	err = k.e.node.db.View(ctx, func(t *db.Tx) error {
		for _, u := range units {
			until, err := t.Promised(k.e.n, u, now)
			if err != nil {
				return err
			}
			if until.After(latest) {
				latest = until
			}
		}
		return nil
	})
	return latest, err
}
