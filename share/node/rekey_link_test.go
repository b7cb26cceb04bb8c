package node

import (
	"encoding/hex"
	"testing"

	"shoal/share/api"
	"shoal/share/secret"
)

// admitted makes a machine a member of a share of another, in the role that it has.
func (m *machine) admitted(by *machine, name string) {
	m.t.Helper()
	e := byName(m.t, m, name)
	pk := hex.EncodeToString(e.pk[:])
	waitFor(m.t, "admission", func() bool { return by.n.Admit(m.t.Context(), name, pk, e.token.Role.String()) == nil })
	waitFor(m.t, "a member", func() bool {
		v, _ := byName(m.t, m, name).look()
		x := byName(m.t, by, name)
		w, _ := x.look()
		return v.Settled && w.Settled && frontierHash(byName(m.t, m, name).kept().frontier()) == frontierHash(x.kept().frontier())
	})
}

// linkTokens are the tokens of links that a share has.
func linkTokens(t *testing.T, m *machine, name string) (all []secret.Token) {
	t.Helper()
	e := byName(t, m, name)
	v, _ := e.look()
	for p, err := range e.reader().Walk(v.Root.Files, "") {
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Entries {
			if token, err := secret.ParseToken(string(p.Entries[i].Value)); err == nil {
				all = append(all, token)
			}
		}
	}
	return all
}

// A share that is linked has other keys: who follows the link goes along by itself, also one that was off, and fetches nothing
// again; a store of the source goes on serving both; who was left out of the source is left out of the export too; and the link
// leads those who join later to the new keys.
func TestRekeyLinked(t *testing.T) {
	t.Parallel()
	owner, store, fred, last := newMachine(t, "owner"), newMachine(t, "store"), newMachine(t, "fred"), newMachine(t, "last")
	big := string(noise(7, 600_000))
	photos := owner.made("photos", map[string]string{"a/one": "1", "a/big": big, "b": "b"})
	owner.made("family", map[string]string{"note": "hello"})
	store.joins(owner, "photos", "store", owner)
	freds := fred.joins(owner, "photos", "read", owner)
	store.admitted(owner, "photos")
	fred.admitted(owner, "photos")
	owner.link("photos:a", "family:a", false)
	at := last.joins(owner, "family", "read", owner, store)
	want := map[string]string{"note": "hello", "a/one": "1", "a/big": big}
	holds(t, at, want)
	holds(t, freds, map[string]string{"a/one": "1", "a/big": big, "b": "b"})
	waitFor(t, "those beside", func() bool { return store.beside() != nil && fred.beside() != nil })
	last.close()
	got, _ := store.n.transfers.traffic()
	old := fred.beside().token

	pk := byName(t, fred, "photos").pk
	info, err := owner.n.Rekey(t.Context(), "photos", api.RekeyOptions{Without: []string{hex.EncodeToString(pk[:])}})
	if err != nil || len(info.Members) != 2 || len(info.Out) != 1 || len(info.Exports) != 1 || info.Exports[0] != "a" {
		t.Fatalf("%+v, %v", info, err)
	}
	waitFor(t, "those who go along", func() bool {
		return byName(t, store, "photos").token.Epoch == 1 && store.beside() != nil && store.beside().token.Epoch == 1 && owner.mounted() != nil && owner.mounted().token.Epoch == 1
	})
	waitFor(t, "who is left out", func() bool {
		return byName(t, fred, "photos").isStranded() && fred.beside() != nil && fred.beside().isStranded()
	})
	write(t, photos, "a/two", []byte("2"))
	waitFor(t, "the link", func() bool {
		all := linkTokens(t, owner, "family")
		return len(all) == 1 && all[0].Epoch == 1
	})
	last.open()
	last.n.Start()
	want["a/two"] = "2"
	holds(t, at, want)
	if e := last.mounted(); e == nil || e.token.Epoch != 1 || e.token.Share != old.Share {
		t.Errorf("the link is %+v", e)
	}
	if now, _ := store.n.transfers.traffic(); now != got {
		t.Errorf("the store fetched %d bytes of large files again", now-got)
	}
	if read, _ := last.n.transfers.traffic(); read != 0 {
		t.Errorf("who follows the link fetched %d bytes of large files again", read)
	}
	if fred.beside().token != old {
		t.Error("who was left out has other keys of the export")
	}
	if got := files(t, freds); len(got) != 3 {
		t.Errorf("who was left out has %v", got)
	}
	fred.close()
	fred.open()
	fred.n.Start()
	waitFor(t, "the limits, which are those of the export too", func() bool { return fred.beside().bounds().up.isOpen() })
}

// A recipient that is itself in a share with other keys is found by the present ones: its old ones are those of who was left out.
func TestRekeyBoth(t *testing.T) {
	t.Parallel()
	owner, last := newMachine(t, "owner"), newMachine(t, "last")
	photos := owner.made("photos", map[string]string{"a/one": "1"})
	owner.made("family", map[string]string{})
	at := last.joins(owner, "family", "read", owner)
	last.admitted(owner, "family")
	owner.link("photos:a", "family:a", false)
	holds(t, at, map[string]string{"a/one": "1"})
	for i, name := range []string{"family", "photos", "photos", "family"} {
		var err error
		if i == 2 {
			_, err = owner.n.Compact(t.Context(), name)
		} else {
			_, err = owner.n.Rekey(t.Context(), name, api.RekeyOptions{})
		}
		if err != nil {
			t.Fatal(name, err)
		}
		owner.settled(name)
	}
	write(t, photos, "a/two", []byte("2"))
	holds(t, at, map[string]string{"a/one": "1", "a/two": "2"})
	waitFor(t, "the keys", func() bool {
		return last.mounted() != nil && last.mounted().token.Epoch == 2 && byName(t, last, "family").token.Epoch == 2
	})
}
