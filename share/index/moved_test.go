package index

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"testing"

	"shoal/share/blob"
	"shoal/share/secret"
)

func identities(t testing.TB, n int) (all []secret.Identity) {
	t.Helper()
	for range n {
		seed, err := secret.NewNodeSeed(randomness())
		if err != nil {
			t.Fatal(err)
		}
		seed[0] = byte(len(all))
		all = append(all, seed.Identity(keysOf(t, secret.Store, 0).Share))
	}
	return all
}

func movedOf(t testing.TB, epoch uint16) (*Moved, []secret.Identity) {
	t.Helper()
	ids := identities(t, 3)
	m, err := NewMoved(randomness(), keysOf(t, secret.Admin, epoch), []Recipient{{"w", secret.Write, ids[0].BoxKey()}, {"s", secret.Store, ids[1].BoxKey()}})
	if err != nil {
		t.Fatal(err)
	}
	return m, ids
}

// Each of those it is for finds the token of its role, others nothing; and nobody but the admin makes one.
func TestMoved(t *testing.T) {
	t.Parallel()
	m, ids := movedOf(t, 3)
	got, err := ParseMoved(m.Share, m.ID, m.Blob)
	if err != nil || got.Epoch != 3 || got.Boxes() != 2 || got.ID.Kind() != blob.Moved {
		t.Fatalf("%+v, %v", got, err)
	}
	const golden = "068c0c0045205fba34cdbc6bfd351ee16fe446d829ceb6c80d27a028669022c8"
	if m.ID.String() != golden {
		t.Errorf("the format has changed: %s", m.ID)
	}
	for i, role := range []secret.Role{secret.Write, secret.Store} {
		if token, ok := got.Open(ids[2].Box, ids[i].Box); !ok || token != keysOf(t, role, 3).Token() {
			t.Errorf("%v gets %v, %v", role, token, ok)
		}
	}
	if token, ok := got.Open(ids[2].Box); ok {
		t.Errorf("who it is not for gets %v", token)
	}
	if _, err := NewMoved(randomness(), keysOf(t, secret.Write, 3), nil); !errors.Is(err, secret.ErrRole) {
		t.Errorf("a writer makes one: %v", err)
	}
	if _, err := NewMoved(randomness(), keysOf(t, secret.Admin, 3), make([]Recipient, MaxBoxes+1)); !errors.Is(err, ErrLimit) {
		t.Errorf("too many: %v", err)
	}
	other := m.Share
	other[0]++
	if _, err := ParseMoved(other, m.ID, m.Blob); !errors.Is(err, ErrInvalid) {
		t.Errorf("of another share: %v", err)
	}
}

// A box that has been put into another MOVED, or holds what it should not, opens nothing.
func TestMovedBoxes(t *testing.T) {
	t.Parallel()
	old, ids := movedOf(t, 2)
	m, _ := movedOf(t, 3)
	m.boxes[0].box = old.boxes[0].box
	if token, ok := m.Open(ids[0].Box); ok {
		t.Errorf("a box of epoch 2 gives %v in epoch 3", token)
	}
	for _, text := range []string{"", "shoalw1", keysOf(t, secret.Admin, 3).Token().Text(), keysOf(t, secret.Write, 2).Token().Text()} {
		box, err := secret.SealTo(randomness(), ids[0].BoxKey(), m.Share, 3, secret.FieldMoved, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		m.boxes[0].box = box
		if token, ok := m.Open(ids[0].Box); ok {
			t.Errorf("%q gives %v", text, token)
		}
	}
	if _, ok := m.Open([]*ecdh.PrivateKey{}...); ok {
		t.Error("no key opens something")
	}
}

// MOVED with all boxes that it may have fits into a blob.
func TestMovedFull(t *testing.T) {
	t.Parallel()
	ids := identities(t, 1)
	to := make([]Recipient, MaxBoxes)
	for i := range to {
		to[i] = Recipient{"r", secret.Read, ids[0].BoxKey()}
	}
	m, err := NewMoved(randomness(), keysOf(t, secret.Admin, 1), to)
	if err != nil || m.Boxes() != MaxBoxes {
		t.Fatal(err)
	}
	t.Logf("%d bytes", len(m.Blob))
}

// What is taken is what the admin signed: every change of a byte is refused.
func FuzzMoved(f *testing.F) {
	m, ids := movedOf(f, 1)
	f.Add(m.Blob)
	f.Add(m.Blob[:len(m.Blob)-1])
	f.Add([]byte("S\x01\x06\x00\x00de"))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, _ := blob.Clear(blob.Moved, nil, b)
		if h, err := blob.Parse(b); err == nil && h.Kind == blob.Moved {
			id, _ = blob.Clear(blob.Moved, nil, h.Body)
		}
		got, err := ParseMoved(m.Share, id, b)
		if err != nil {
			return
		}
		if !bytes.Equal(b, m.Blob) {
			t.Fatal("a forgery is taken")
		}
		got.Open(ids[0].Box)
	})
}

// The lexer of a MOVED alone, without the signature: never a panic, never more than its bounds.
func FuzzMovedDict(f *testing.F) {
	m, _ := movedOf(f, 1)
	h, err := blob.Parse(m.Blob)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(h.Body[:len(h.Body)-secret.SignatureSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, l := &Moved{}, lexer{b: b}
		if l.moved(got); l.err == nil && (got.Epoch == 0 || got.Boxes() > MaxBoxes || len(got.Cert) != secret.SignatureSize) {
			t.Fatalf("%+v", got)
		}
	})
}
