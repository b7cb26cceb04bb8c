package node

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

const exportPath = "export" // in the tree of meta, above the entries of exports

// export is one that a share has.
type export struct {
	index.ExportRecord
	at string // of its entry
}

// exporting is what an engine knows of the exports of its share. The control goroutine owns it.
type exporting struct {
	meta   blob.Cap // that they were read from
	stores [32]byte // of a store: the frontier that they were read from
	all    []export
	tokens []secret.Token // store tokens of all exports
	due    map[secret.ShareID]time.Time
	own    bool // an own event has just been published
}

// linkLive makes an export of a place, and a link to it. The control goroutines of both shares do so one after the other:
// after a crash between them there is an export that nobody has.
func (n *Node) linkLive(ctx context.Context, info *api.LinkInfo, from *treeNow, natural string, dst *engine) error {
	src := from.e
	if src.token.Role != secret.Admin {
		return fail(codeDenied, "a live link takes the admin secret of %s; --pin does without", src.row.Name)
	}
	set, err := from.forest.Find(from.root, natural)
	if err != nil {
		return ioError("reading the share", err)
	}
	if set.Below.IsZero() && slices.ContainsFunc(set.Entries, func(x index.Entry) bool { return x.Type == index.Link }) {
		return fail(codeDenied, "%s:%s is a link itself: link what it leads to", src.row.Name, natural)
	}
	err = from.under(ctx, natural, func(s *index.Shown) error {
		if s.Type == index.File {
			info.Files++
			info.Bytes += s.Size
		}
		return nil
	})
	if err != nil {
		return err
	}
	ev, token, err := src.newExport(natural, dst)
	if err != nil {
		return err
	}
	info.Share = hex.EncodeToString(token.Share[:])
	if err := src.do(ctx, func() error { return src.commitEvents([]index.Event{ev}) }); err != nil {
		return err
	}
	link := index.Event{AddAt: info.TargetPath, Add: &index.Entry{Type: index.Link, Value: []byte(token.Text())}}
	return dst.do(ctx, func() error { return dst.commitEvents([]index.Event{link}) })
}

// newExport is the event of an export, whose next epochs go to the readers of dst, and its read token.
func (e *engine) newExport(natural string, dst *engine) (ev index.Event, read secret.Token, err error) {
	var eid [16]byte
	if _, err := io.ReadFull(e.node.random, eid[:]); err != nil {
		return ev, read, err
	}
	admin, err := e.token.Export(eid)
	if err != nil {
		return ev, read, err
	}
	keys, err := admin.Keys()
	if err != nil {
		return ev, read, err
	}
	r := index.ExportRecord{Path: natural, Label: dst.row.Name, To: []index.Recipient{{Label: dst.row.Name, Role: secret.Read, Box: [32]byte(dst.keys.Box.PublicKey().Bytes())}}}
	if r.Cert, err = keys.Certify(); err != nil {
		return ev, read, err
	}
	if r.Write, err = e.keys.Seal(e.node.random, secret.FieldExportWrite, keys.Write[:]); err != nil {
		return ev, read, err
	}
	if r.Store, err = admin.Weaken(secret.Store); err != nil {
		return ev, read, err
	}
	value, err := r.Encode()
	if err != nil {
		return ev, read, err
	}
	read, err = admin.Weaken(secret.Read)
	return index.Event{Meta: true, AddAt: exportPath + "/" + hex.EncodeToString(eid[:]), Add: &index.Entry{Type: index.Meta, Value: value}}, read, err
}

// exportsIn are the exports that a tree of meta names. Of siblings that of the highest epoch counts, then the smallest dot.
func (e *engine) exportsIn(f *index.Forest, meta blob.Cap) (all []export, err error) {
	top, err := f.Find(meta, exportPath)
	if err != nil || top.Below.IsZero() {
		return nil, err
	}
	for set, err := range f.Names(top.Below) {
		if err != nil {
			return nil, err
		}
		if eid, err := hex.DecodeString(set.Name); err != nil || len(eid) != 16 {
			continue
		}
		best := export{at: exportPath + "/" + set.Name}
		found := false
		for i := range set.Entries { // in the order of their dots
			r, err := index.ParseExport(set.Entries[i].Value)
			if err == nil && (!found || r.Epoch > best.Epoch) {
				best.ExportRecord, found = r, true
			}
		}
		if found && best.Store.Share != e.token.Share {
			all = append(all, best)
		}
	}
	return all, nil
}

// seeExports notes which exports the share has, when that may have changed, and is beside them. The control goroutine calls it.
func (e *engine) seeExports() error {
	if e.isBeside() || e.link != nil || e.row.Moving {
		return nil // an export has none of its own; those of the next epoch are not known yet
	}
	x := &e.exports
	if e.forest == nil {
		if at := frontierHash(e.kept().frontier()); at != x.stores {
			x.stores, x.tokens = at, e.tokensInHeads()
			return e.beside(x.tokens)
		}
		return e.besideAgain()
	}
	if meta := e.row.State.Root.Meta; meta != x.meta {
		all, err := e.exportsIn(e.forest, meta)
		if err != nil {
			return err
		}
		x.meta, x.all, x.tokens = meta, all, nil
		for i := range all {
			x.tokens = append(x.tokens, all[i].Store)
		}
		return e.beside(x.tokens)
	}
	return e.besideAgain()
}

// tokensInHeads are the store tokens that the newest heads tell stores.
func (e *engine) tokensInHeads() (all []secret.Token) {
	for _, id := range e.kept().frontier() {
		b, err := e.blobs.Get(id)
		if err != nil {
			continue
		}
		h, err := index.ParseHead(e.token.Share, id, b)
		if err != nil {
			continue
		}
		s, err := h.ForStores(e.keys)
		if err != nil {
			continue
		}
		for _, text := range s.Tokens {
			t, err := secret.ParseToken(text)
			if err == nil && t.Role == secret.Store && t.Share != e.token.Share && !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// storeTokens are what a head tells stores: as many as fit.
func (e *engine) storeTokens() (texts []string) {
	room := index.MaxForStores / 2
	for i := range e.exports.tokens {
		text := e.exports.tokens[i].Text()
		if room -= len(text) + 8; room < 0 {
			break
		}
		texts = append(texts, text)
	}
	return texts
}

// otherDelay is the longest that a writer waits for the writer of an event to publish the export that it changes.
const otherDelay = 30 * time.Second

// publishExports signs heads of the exports that show something else now. Who made the event does so at once; others wait a
// random time, and do it when nobody has by then.
func (e *engine) publishExports() (next time.Duration, err error) {
	x := &e.exports
	own := x.own
	x.own = false
	next = idleLook
	if e.token.Role < secret.Write || e.row.Writer == (index.Writer{}) || e.row.Moving {
		return next, nil
	}
	for i := range x.all {
		wait, err := e.publishExport(&x.all[i], own)
		if err != nil {
			return next, err
		}
		next = min(next, wait)
	}
	return next, nil
}

func (e *engine) publishExport(x *export, own bool) (wait time.Duration, err error) {
	to := e.node.byShare(x.Store.Share)
	if to == nil || to.token.Epoch != x.Epoch {
		return idleLook, nil // it is on its way
	}
	write, err := e.keys.Open(secret.FieldExportWrite, x.Write)
	if err != nil || len(write) != 32 {
		return idleLook, nil // somebody wrote nonsense
	}
	keys, err := secret.Token{Role: secret.Write, Epoch: x.Epoch, Secret: [32]byte(write), Share: x.Store.Share}.Keys()
	if err != nil || !secret.VerifyCert(keys.Share, keys.Epoch, keys.Sign[32:], x.Cert) {
		return idleLook, nil
	}
	mem := &index.MemBlobs{Behind: e.blobs}
	root, err := index.Export(e.forest, index.NewForest(keys.Conv, mem), e.row.State.Root.Files, x.Path)
	if err != nil {
		return idleLook, err
	}
	kept := to.kept().of(x.Epoch)
	if slices.ContainsFunc(kept.all, func(h db.Head) bool { return h.Complete && h.Superseded.IsZero() && h.Root == root.ID }) {
		delete(e.exports.due, x.Store.Share)
		return idleLook, nil
	}
	if !own && kept.any() {
		if wait := e.waitForOther(x.Store.Share); wait > 0 {
			return wait, nil
		}
	}
	delete(e.exports.due, x.Store.Share)
	head, err := index.NewHead(e.node.random, keys, index.Draft{Cert: x.Cert, Writer: e.row.Writer, Ctx: e.row.State.Ctx, Root: root,
		Label: e.node.label, Time: e.node.now().UnixNano()})
	if err != nil {
		return idleLook, err
	}
	return idleLook, to.takeHead(head, mem)
}

// waitForOther is how long to wait yet for another writer.
func (e *engine) waitForOther(id secret.ShareID) time.Duration {
	if e.exports.due == nil {
		e.exports.due = map[secret.ShareID]time.Time{}
	}
	at, ok := e.exports.due[id]
	if !ok {
		var b [1]byte
		_, _ = io.ReadFull(e.node.random, b[:])
		at = e.node.now().Add(otherDelay * time.Duration(b[0]) / 256)
		e.exports.due[id] = at
	}
	return max(0, at.Sub(e.node.now()))
}

// takeHead takes in a head of an export that a share of this node signed, and what is new below it. Who mounts the export
// gets all of its index; who is beside finds that in the share.
func (e *engine) takeHead(head *index.Head, from *index.MemBlobs) error {
	h := db.Head{ID: head.ID, Epoch: head.Epoch, Writer: head.Writer, Ctx: head.Ctx, Root: head.Root, Complete: true, Received: e.node.now()}
	blobs := map[blob.ID][]byte{head.ID: head.Blob}
	for id, b := range from.New {
		blobs[id] = b
	}
	if !e.isBeside() {
		skip := func(id blob.ID) bool {
			if id.Kind() != blob.Node {
				return true
			}
			here, err := e.blobs.has(id)
			return err == nil && here
		}
		for id, err := range index.Reach(index.RefsIn(from), []blob.ID{head.Root}, skip) {
			if err != nil {
				return err
			}
			b, err := from.Get(id)
			if err != nil {
				return err
			}
			blobs[id] = b
		}
	}
	err := e.node.db.Update(e.ctx, func(t *db.Tx) error {
		for id, b := range blobs {
			if err := t.PutBlob(e.n, id, b, int64(len(b))); err != nil {
				return err
			}
		}
		if err := t.SetCert(e.n, head.Cert); err != nil {
			return err
		}
		return t.PutHead(e.n, &h)
	})
	if err != nil {
		return err
	}
	e.setCert(head.Cert)
	e.changeHeads(func(l *headList) {
		if !l.has(h.ID) {
			l.all = append(l.all, h)
		}
	})
	if s := e.swarmNow(); s != nil {
		s.announce(h.ID)
	}
	e.poke()
	return nil
}

// endExports ends exports that were made for links which are gone, as far as this node has the secrets.
func (n *Node) endExports(ctx context.Context, shares []secret.ShareID) error {
	for _, e := range n.all() {
		if e.forest == nil || e.token.Role != secret.Admin {
			continue
		}
		v, _ := e.look()
		all, err := e.exportsIn(e.reader(), v.Root.Meta)
		if err != nil {
			return ioError("reading the share", err)
		}
		for i := range all {
			if !slices.Contains(shares, all[i].Store.Share) {
				continue
			}
			if err := e.do(ctx, func() error { return e.endExport(all[i].at) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *engine) endExport(at string) error {
	set, err := e.forest.Find(e.row.State.Root.Meta, at)
	if err != nil {
		return err
	}
	ev := index.Event{Meta: true, RemoveAt: at}
	for i := range set.Entries {
		ev.Remove = append(ev.Remove, set.Entries[i].Dot)
	}
	if len(ev.Remove) == 0 {
		return nil
	}
	return e.commitEvents([]index.Event{ev})
}

// linkName is what a share that came by a link is called here: after the share that it is mounted in, and its path.
func (n *Node) linkName(in, p string, id secret.ShareID) string {
	name := strings.NewReplacer("/", ".", ":", ".").Replace(path.Join(in, p))
	name = strings.ToValidUTF8(name[:min(len(name), 200)], "")
	if _, err := n.named(name); err == nil || !goodName(name) {
		name = in + "-" + hex.EncodeToString(id[:4])
	}
	return name
}

var errCircle = errors.New("it leads to where it is")
