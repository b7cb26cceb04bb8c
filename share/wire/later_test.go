package wire_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"shoal/share/secret"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// goodHello is the HELLO of a dialler that is proved.
func goodHello(s *wire.Secure, id secret.Identity) *wire.Hello {
	share := keys(1).Share
	m := &wire.Hello{Ver: wire.Version, PK: [32]byte(id.Sign.Public().(ed25519.PublicKey)), Box: [32]byte(id.Box.PublicKey().Bytes())}
	m.Sig = [64]byte(ed25519.Sign(id.Sign, append([]byte("shoal/1/helloi"), s.Binding()...)))
	m.SigJ = [64]byte(ed25519.Sign(id.Sign, append(append([]byte("shoal/1/join"), share[:]...), m.Box[:]...)))
	return m
}

// Scenario 26: a node of a later minor version says more in HELLO than is known here, has features and sends messages that
// nobody knows, also in the middle of others. All that is passed over, and the two understand each other.
func TestLaterVersion(t *testing.T) {
	t.Parallel()
	dialler, listener := wiretest.Pair(wiretest.Options{})
	have, ids := fill(2, 100)
	cfg := config(2)
	cfg.Serve = have.Serve
	conns := make(chan *wire.Conn, 1)
	go func() {
		c, err := wire.Open(t.Context(), listener, cfg)
		if err != nil {
			t.Error(err)
		}
		conns <- c
	}()
	s, err := wire.Handshake(t.Context(), dialler, keys(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw := func(b string) {
		t.Helper()
		if err := s.Send(t.Context(), []byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	m := goodHello(s, identity(9))
	m.Ver, m.Feat = wire.Version+7, []string{"tomorrow", "teleport"}
	b, err := wire.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	raw("d4:aaaad3:newli1ei2eee" + strings.TrimSuffix(string(b[1:]), "e") + "4:zzzzl3:newee")
	if hear(t, s).Type() != wire.TypeHello {
		t.Fatal("no HELLO in return")
	}
	c := <-conns
	if c == nil {
		t.FailNow()
	}
	if h := c.Hello(); h.Ver != wire.Version+7 || len(h.Feat) != 2 {
		t.Errorf("%+v", h)
	}
	run(t, c)
	for _, id := range ids {
		raw("d1:m4:song6:verses" + "l3:one3:twoe" + "e")
		raw("d3:ids32:" + string(id[:]) + "1:m3:get5:speedi11ee")
		if got, ok := hear(t, s).(*wire.Blob); !ok || got.ID != id {
			t.Fatalf("%+v", got)
		}
	}
}
