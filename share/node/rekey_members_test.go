package node

import (
	"bytes"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/index"
	"shoal/share/secret"
)

// A rollOf is a share of records: nodes are called by letters.
type rollOf struct {
	share secret.ShareID
	admin *secret.Keys
	ids   map[string]secret.Identity
}

func newRollOf(t *testing.T) *rollOf {
	t.Helper()
	token, err := secret.NewAdmin(bytes.NewReader(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	k, err := token.Keys()
	if err != nil {
		t.Fatal(err)
	}
	return &rollOf{share: token.Share, admin: k, ids: map[string]secret.Identity{}}
}

func (r *rollOf) id(name string) secret.Identity {
	if _, ok := r.ids[name]; !ok {
		r.ids[name] = secret.NodeSeed{name[0]}.Identity(r.share)
	}
	return r.ids[name]
}

// record is "X by Y as role"; by A is by the admin.
func (r *rollOf) record(t *testing.T, text string) member {
	t.Helper()
	f := strings.Fields(text)
	role, err := secret.ParseRole(f[4])
	if err != nil {
		t.Fatal(err)
	}
	id := r.id(f[0])
	m := member{PK: id.Key(), Label: f[0], Role: role, Box: id.BoxKey(), By: [32]byte(r.share)}
	m.SigJ = secret.Sign(id.Sign, secret.SignJoin, joinSigned(r.share, m.Box))
	key := r.admin.AdminSign
	if f[2] != "A" {
		m.By, key = r.id(f[2]).Key(), r.id(f[2]).Sign
	}
	m.SigB = secret.Sign(key, secret.SignMember, m.signed(r.share))
	if !m.verify(r.share) {
		t.Fatal("a record that does not verify")
	}
	return m
}

// Who gets the next keys: everybody to whom a chain leads without those who are left out, as the strongest that it makes him;
// what those who are left out wrote about others neither helps nor harms.
func TestReach(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ records, out, want string }{
		{"b by A as write; c by b as read", "", "b write; c read"},
		{"b by A as write; c by b as read", "b", ""},
		{"b by A as write; c by b as write; d by c as read", "b", ""},
		{"b by A as write; c by b as write; d by c as read", "c", "b write"},
		// x lists others anew, to take them with him or to make them less, or more.
		{"x by A as write; b by A as write; b by x as read", "x", "b write"},
		{"x by A as write; b by A as read; b by x as write", "x", "b read"},
		{"x by A as write; b by A as read; b by x as write", "", "x write; b write"},
		// A circle leads nowhere, and a reader admits nobody.
		{"x by A as write; y by x as write; x by y as write", "x", ""},
		{"b by A as read; c by b as read", "", "b read"},
		{"b by c as write; c by b as write", "", ""},
		// Two ways to one.
		{"b by A as write; c by A as write; d by b as read; d by c as read", "b", "c write; d read"},
	} {
		r := newRollOf(t)
		var records []member
		for text := range strings.SplitSeq(c.records, "; ") {
			records = append(records, r.record(t, text))
		}
		out := map[[32]byte]bool{}
		for name := range strings.FieldsSeq(c.out) {
			out[r.id(name).Key()] = true
		}
		want := map[string]string{}
		for text := range strings.SplitSeq(c.want, "; ") {
			if name, role, ok := strings.Cut(text, " "); ok {
				want[name] = role
			}
		}
		for range 2 {
			got := map[string]string{}
			for _, m := range reach(r.share, records, out) {
				got[m.Label] = m.Role.String()
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s without %q: %v, want %v", c.records, c.out, got, want)
			}
			slices.Reverse(records) // in any order
		}
	}
}

// Who is left out removes the entries of others before, lists one under himself, and is brought back by one who knows of
// nothing: all others have the keys, he has not, until the admin lets him in again.
func TestSimRekeyRecords(t *testing.T) {
	t.Parallel()
	simulate(t, 47, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.create()
		b, c, x := a.member("write"), a.member("read"), a.member("write")
		code := a.invite(api.InviteOptions{Role: "read"}).Code
		w.settle(time.Hour)
		x.vandalises(b, c)
		w.settle(time.Hour)
		if got := len(a.listed()); got != 3 {
			t.Fatalf("x did nothing: %v", a.listed())
		}
		if info := a.rekey(x); names(info.Members) != "m0 m1 m2" || names(info.Out) != "m3" {
			t.Fatalf("%+v", info)
		}
		x.stranded()
		w.settle(time.Hour)
		if got := len(b.listed()); got != 3 || b.engine().token.Epoch != 1 || c.engine().token.Epoch != 1 {
			t.Errorf("%v", b.listed())
		}
		// b lists him again, with a record that is as good as ever.
		rec := x.memberRecord(t, a)
		be := b.engine()
		if err := be.do(t.Context(), func() error { return be.commitEvents([]index.Event{be.listing(rec)}) }); err != nil {
			t.Fatal(err)
		}
		w.settle(time.Hour)
		if info := a.rekey(); names(info.Members) != "m0 m1 m2" {
			t.Errorf("he is back: %+v", info)
		}
		w.settle(time.Hour)
		// The owner invites him, and he begins anew.
		if err := x.node().Remove(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		if j := <-x.redeemed(t.Context(), a.invite(api.InviteOptions{Role: "read"}).Code); j.err != nil {
			t.Fatal(j.err)
		}
		x.role = "read"
		w.settle(time.Hour)
		if info := a.rekey(); names(info.Members) != "m0 m1 m2 m3" {
			t.Errorf("he is not a member again: %+v", info)
		}
		w.settle(time.Hour)
		// An invite that was given out before all that gives the keys of now.
		d := w.machine("read")
		if j := <-d.redeemed(t.Context(), code); j.err != nil || d.engine().token.Epoch != 3 {
			t.Errorf("keys %d, %v", d.engine().token.Epoch, j.err)
		}
		w.settle(time.Hour)
		_, err := a.node().Rekey(t.Context(), "s", api.RekeyOptions{Without: []string{hex.EncodeToString(a.engine().pk[:])}})
		wantFail(t, err, bt.Usage, "left out by itself")
	})
}

// vandalises removes the entry of one member, and lists another as one that it has admitted itself.
func (m *simMachine) vandalises(gone, mine *simMachine) {
	m.w.t.Helper()
	e := m.engine()
	err := e.do(m.w.t.Context(), func() error {
		all, _, err := e.members(e.row.State.Root)
		if err != nil {
			return err
		}
		var events []index.Event
		for _, x := range []*member{all[gone.engine().pk], all[mine.engine().pk]} {
			set, err := e.forest.Find(e.row.State.Root.Meta, x.path())
			if err != nil {
				return err
			}
			ev := index.Event{Meta: true, RemoveAt: x.path(), Remove: []index.Dot{set.Entries[0].Dot}}
			if x.PK == mine.engine().pk {
				anew := *x
				e.vouch(&anew)
				listing := e.listing(&anew)
				ev.AddAt, ev.Add = listing.AddAt, listing.Add
			}
			events = append(events, ev)
		}
		return e.commitEvents(events)
	})
	if err != nil {
		m.w.t.Fatal(err)
	}
}

// memberRecord is the first record that an admin's machine saw of a machine.
func (m *simMachine) memberRecord(t *testing.T, admin *simMachine) *member {
	t.Helper()
	e := admin.engine()
	seen, err := e.seenRecords(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pk := m.engine().pk
	for i := range seen {
		if seen[i].PK == pk {
			if r, ok := parseMember(hex.EncodeToString(pk[:]), seen[i].Record); ok {
				return &r
			}
		}
	}
	t.Fatal("no record")
	return nil
}
