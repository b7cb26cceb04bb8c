package node

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"encoding/hex"
	"reflect"
	"testing"

	"shoal/share/index"
	"shoal/share/internal/golden"
	"shoal/share/secret"
)

// goldenMember is a node with a fixed key, admitted by a fixed share.
func goldenMember(t testing.TB) (*engine, index.Event, secret.ShareID) {
	t.Helper()
	admin, err := secret.NewAdmin(bytes.NewReader(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := admin.Keys()
	if err != nil {
		t.Fatal(err)
	}
	box, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	id := secret.Identity{Sign: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32)), Box: box}
	e := &engine{token: admin, keys: keys}
	ev, err := e.memberEvent(id, "désk", secret.Write)
	if err != nil {
		t.Fatal(err)
	}
	return e, ev, admin.Share
}

// The record of a member is frozen: path and value, in hex.
func TestMemberVector(t *testing.T) {
	t.Parallel()
	_, ev, share := goldenMember(t)
	got := hex.EncodeToString([]byte(ev.AddAt)) + "\n" + hex.EncodeToString(ev.Add.Value) + "\n"
	golden.Check(t, "member.txt", []byte(got))
	m, ok := parseMember(ev.AddAt[len(memberPath):], ev.Add.Value)
	if !ok || m.Label != "désk" || m.Role != secret.Write || !m.verify(share) {
		t.Errorf("read back: %+v, %t", m, ok)
	}
}

// A member that is read says the same when it is written and read again, and a changed byte of what is signed shows.
func FuzzMember(f *testing.F) {
	_, ev, share := goldenMember(f)
	name := ev.AddAt[len(memberPath):]
	f.Add(name, ev.Add.Value)
	f.Add(name, []byte("d3:box0:e"))
	m, _ := parseMember(name, ev.Add.Value)
	m.How = howInvite // it is signed: this one is not
	f.Add(name, m.encode())
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		m, ok := parseMember(name, value)
		if !ok {
			return
		}
		back, ok := parseMember(m.path()[len(memberPath):], m.encode())
		if !ok || !reflect.DeepEqual(back, m) {
			t.Fatalf("%+v came back as %+v, %t", m, back, ok)
		}
		if good := m.verify(share); good && !bytes.Equal(m.encode(), ev.Add.Value) {
			t.Fatalf("a forged member: %+v", m)
		}
	})
}
