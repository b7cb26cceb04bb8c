package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

// Who gets the next keys (docs/shares.md §9). An admin node remembers everything that members were ever listed as: who is left
// out may have removed the entries of others, written others for them, or brought back old ones.

// seeMembers remembers, on an admin's node, what members are listed as. The control goroutine calls it.
func (e *engine) seeMembers() error {
	if e.forest == nil || e.token.Role != secret.Admin || e.row.Moving || e.seenMeta == e.row.State.Root.Meta {
		return nil
	}
	listed, err := e.listed(e.forest, e.row.State.Root.Meta)
	if err != nil {
		return err
	}
	err = e.node.db.Update(e.ctx, func(t *db.Tx) error {
		for i := range listed {
			if err := t.PutSeen(e.n, listed[i].PK, listed[i].encode()); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		e.seenMeta = e.row.State.Root.Meta
	}
	return err
}

// listed are all right records of members in a tree of meta, whoever signed them.
func (e *engine) listed(f *index.Forest, meta blob.Cap) (all []member, err error) {
	top, err := f.Find(meta, strings.TrimSuffix(memberPath, "/"))
	if err != nil || top.Below.IsZero() {
		return nil, err
	}
	for set, err := range f.Names(top.Below) {
		if err != nil {
			return nil, err
		}
		for i := range set.Entries {
			if m, ok := parseMember(set.Name, set.Entries[i].Value); ok && m.verify(e.token.Share) {
				all = append(all, m)
			}
		}
	}
	return all, nil
}

// letIn notes on an admin's node that one that may have been left out once is a member again: no other may say so.
func (e *engine) letIn(m *member) error {
	if e.token.Role != secret.Admin {
		return nil
	}
	return e.node.db.Update(e.ctx, func(t *db.Tx) error {
		if err := t.PutSeen(e.n, m.PK, m.encode()); err != nil {
			return err
		}
		return t.SetRemoved(e.n, m.PK, false)
	})
}

// A roll is who is to get the next keys, and who is not.
type roll struct {
	all  map[[32]byte]*member // that were ever listed, as they count with those who are left out
	kept map[[32]byte]*member // that get the keys, as they count without
	out  map[[32]byte]bool    // who is left out by name
	anew []*member            // that were admitted by somebody who is left out, and are confirmed
}

// reach is what records come to, when those of some do not count: of each node the strongest role that somebody gave who may.
func reach(share secret.ShareID, records []member, out map[[32]byte]bool) map[[32]byte]*member {
	got := map[[32]byte]*member{}
	for again := true; again; {
		again = false
		for i := range records {
			m := &records[i]
			by := got[m.By]
			if out[m.PK] || m.By != [32]byte(share) && (by == nil || by.Role < secret.Write) {
				continue
			}
			if was := got[m.PK]; was == nil || m.Role > was.Role {
				got[m.PK], again = m, true
			}
		}
	}
	return got
}

// callRoll finds who gets the next keys of the state: all but those named, and whom they admitted, unless confirmed.
func (e *engine) callRoll(ctx context.Context, f *index.Forest, meta blob.Cap, opts api.RekeyOptions) (*roll, error) {
	records, err := e.listed(f, meta)
	if err != nil {
		return nil, err
	}
	seen, err := e.seenRecords(ctx)
	if err != nil {
		return nil, err
	}
	gone := map[[32]byte]*member{}
	for i := range seen {
		m, ok := parseMember(hex.EncodeToString(seen[i].PK[:]), seen[i].Record)
		switch {
		case !ok || !m.verify(e.token.Share):
		case seen[i].Removed:
			gone[m.PK] = &m
		default:
			records = append(records, m)
		}
	}
	records = slices.DeleteFunc(records, func(m member) bool { return gone[m.PK] != nil })
	r := &roll{all: reach(e.token.Share, records, nil), out: map[[32]byte]bool{}}
	for _, name := range opts.Without {
		pk, err := e.called(ctx, r.all, name)
		if bt.CodeOf(err) == bt.NotFound {
			if again, e2 := e.called(ctx, gone, name); e2 == nil { // it was left out before
				pk, err = again, nil
			}
		}
		if err != nil {
			return nil, err
		}
		r.out[pk] = true
	}
	r.kept = reach(e.token.Share, records, r.out)
	for _, name := range opts.Keep {
		pk, err := e.called(ctx, r.all, name)
		if err != nil {
			return nil, err
		}
		m := r.all[pk]
		if m == nil || r.out[pk] {
			return nil, fail(bt.Usage, "%s cannot be kept: it is no member, or is to be left out", name)
		}
		if r.kept[pk] == nil {
			anew := *m
			e.vouch(&anew)
			r.anew, r.kept[pk] = append(r.anew, &anew), &anew
		}
	}
	return r, e.checkRoll(r)
}

// seenRecords is all that nodes were ever listed as, as far as this one saw it.
func (e *engine) seenRecords(ctx context.Context) (all []db.Seen, err error) {
	err = e.node.db.View(ctx, func(t *db.Tx) (err error) { all, err = t.Seen(e.n); return err })
	return all, err
}

func (e *engine) checkRoll(r *roll) error {
	for pk := range r.out {
		switch m := r.all[pk]; {
		case pk == e.pk:
			return fail(bt.Usage, "this machine cannot be left out by itself")
		case m != nil && m.Role == secret.Admin:
			return &bt.Error{Code: codeDenied, Err: errAdmin(m), Advice: "a new share is the only way to do without it"}
		}
	}
	return nil
}

type errAdminNode string

func (e errAdminNode) Error() string {
	return string(e) + " has the admin secret: it makes all keys itself"
}

func errAdmin(m *member) error { return errAdminNode(nodeName(m.Label, m.PK)) }

// called is the node of a name that a person gave: the beginning of its key, or its label where no other has that.
func (e *engine) called(ctx context.Context, all map[[32]byte]*member, name string) (pk [32]byte, err error) {
	var found [][32]byte
	for key, m := range all {
		if m.Label == name || len(name) >= 4 && strings.HasPrefix(hex.EncodeToString(key[:]), strings.ToLower(name)) {
			found = append(found, key)
		}
	}
	if len(found) == 0 {
		strangers, err := e.strangers(ctx, all)
		if err != nil {
			return pk, err
		}
		for i := range strangers {
			if s := &strangers[i]; s.Label == name && name != "" || len(name) >= 4 && strings.HasPrefix(s.Node, strings.ToLower(name)) {
				key, _ := hex.DecodeString(s.Node)
				found = append(found, [32]byte(key))
			}
		}
	}
	switch len(found) {
	case 0:
		return pk, &bt.Error{Code: bt.NotFound, Err: errNoMember(name), Advice: "\"shoal share members " + e.row.Name + "\" lists them"}
	case 1:
		return found[0], nil
	}
	return pk, fail(bt.NotFound, "several members are called %q, or have keys that begin so: say more of the key", name)
}

type errNoMember string

func (e errNoMember) Error() string {
	return "no member is called \"" + string(e) + "\", or has a key that begins so"
}

// strangers are the nodes that were met, and are not listed: they came with a token alone.
func (e *engine) strangers(ctx context.Context, all map[[32]byte]*member) ([]api.MemberInfo, error) {
	names := map[[32]byte]string{}
	var met []db.Peer
	if err := e.node.db.View(ctx, func(t *db.Tx) (err error) { met, err = t.Peers(e.n, 1000); return err }); err != nil {
		return nil, err
	}
	for i := range met {
		if len(met[i].PK) == 32 {
			names[[32]byte(met[i].PK)] = ""
		}
	}
	if o := e.node.byNumber(e.n); o != nil && o.net != nil {
		for _, p := range o.net.all() {
			names[p.pk] = p.conn.Hello().Name
		}
	}
	list := []api.MemberInfo{}
	for _, pk := range slices.SortedFunc(maps.Keys(names), func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) }) {
		if all[pk] == nil && pk != e.pk {
			list = append(list, api.MemberInfo{Node: hex.EncodeToString(pk[:]), Label: names[pk], By: []string{}, How: howToken})
		}
	}
	return list, nil
}

// rekeyed lists what becomes of whom.
func (e *engine) rekeyed(ctx context.Context, r *roll) (kept, out, byHand []api.MemberInfo, err error) {
	kept, out = []api.MemberInfo{}, []api.MemberInfo{}
	for pk, m := range r.all {
		i := api.MemberInfo{Node: hex.EncodeToString(pk[:]), Label: m.Label, Role: m.Role.String(), How: cmp.Or(m.How, howCreate), Listed: true, Self: pk == e.pk, By: chainOf(r.all, m)}
		if k := r.kept[pk]; k != nil {
			i.Role, i.By = k.Role.String(), chainOf(r.kept, k)
			kept = append(kept, i)
		} else {
			out = append(out, i)
		}
	}
	strangers, err := e.strangers(ctx, r.all)
	if err != nil {
		return nil, nil, nil, err
	}
	byHand = []api.MemberInfo{}
	for i := range strangers {
		if pk, _ := hex.DecodeString(strangers[i].Node); r.out[[32]byte(pk)] {
			out = append(out, strangers[i])
		} else {
			byHand = append(byHand, strangers[i])
		}
	}
	for _, list := range [][]api.MemberInfo{kept, out} {
		slices.SortFunc(list, func(a, b api.MemberInfo) int { return cmp.Compare(a.Node, b.Node) })
	}
	return kept, out, byHand, nil
}

// chainOf are the keys of who admitted a member, and so on up to the admin.
func chainOf(all map[[32]byte]*member, m *member) []string {
	chain := []string{}
	for m != nil && len(chain) < maxChain {
		chain = append(chain, hex.EncodeToString(m.By[:]))
		m = all[m.By]
	}
	return chain
}

// recipients are the boxes of those who get the next keys; an admin needs none.
func (r *roll) recipients() (to []index.Recipient) {
	for _, pk := range slices.SortedFunc(maps.Keys(r.kept), func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) }) {
		if m := r.kept[pk]; m.Role < secret.Admin {
			to = append(to, index.Recipient{Label: m.Label, Role: m.Role, Box: m.Box})
		}
	}
	return to
}

// memberEvents list those who are kept, and nobody else, in a tree of meta.
func (e *engine) memberEvents(meta blob.Cap, r *roll) (events []index.Event, err error) {
	there := map[[32]byte]bool{}
	top, err := e.forest.Find(meta, strings.TrimSuffix(memberPath, "/"))
	if err != nil {
		return nil, err
	}
	for set, err := range e.forest.Names(top.Below) {
		if err != nil {
			return nil, err
		}
		pk, _ := hex.DecodeString(set.Name)
		var m *member
		if len(pk) == 32 {
			m = r.kept[[32]byte(pk)]
		}
		ev, right := index.Event{Meta: true, RemoveAt: memberPath + set.Name}, false
		for i := range set.Entries {
			if m != nil && string(set.Entries[i].Value) == string(m.encode()) && !right {
				right = true
				continue
			}
			ev.Remove = append(ev.Remove, set.Entries[i].Dot)
		}
		if right {
			there[m.PK] = true
		}
		if len(ev.Remove) > 0 {
			events = append(events, ev)
		}
	}
	for _, pk := range slices.SortedFunc(maps.Keys(r.kept), func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) }) {
		if !there[pk] {
			events = append(events, e.listing(r.kept[pk]))
		}
	}
	return events, nil
}
