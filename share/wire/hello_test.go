package wire_test

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"shoal/share/blob"
	"shoal/share/secret"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// openBoth is open, with the errors.
func openBoth(t *testing.T, a, b wire.Config) (errA, errB error) {
	t.Helper()
	la, lb := wiretest.Pair(wiretest.Options{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, errB = wire.Open(t.Context(), lb, b)
	}()
	_, errA = wire.Open(t.Context(), la, a)
	<-done
	return errA, errB
}

func TestSelf(t *testing.T) {
	t.Parallel()
	if errA, errB := openBoth(t, config(1), config(1)); errA == nil || !errors.Is(errB, wire.ErrSelf) {
		t.Errorf("%v and %v", errA, errB)
	}
}

// TestHelloIsProved plays a member with the secret who claims to be another node.
func TestHelloIsProved(t *testing.T) {
	t.Parallel()
	good := func(s *wire.Secure, id secret.Identity, role string) *wire.Hello {
		m := &wire.Hello{Ver: wire.Version}
		m.PK = [32]byte(id.Sign.Public().(ed25519.PublicKey))
		m.Box = [32]byte(id.Box.PublicKey().Bytes())
		m.Sig = [64]byte(ed25519.Sign(id.Sign, append([]byte("shoal/1/hello"+role), s.Binding()...)))
		share := keys(1).Share
		m.SigJ = [64]byte(ed25519.Sign(id.Sign, append(append([]byte("shoal/1/join"), share[:]...), m.Box[:]...)))
		return m
	}
	for name, x := range map[string]struct {
		change func(s *wire.Secure) wire.Message
		want   error
	}{
		"all is well": {func(s *wire.Secure) wire.Message { return good(s, identity(9), "i") }, nil},
		"own key":     {func(s *wire.Secure) wire.Message { return good(s, identity(2), "i") }, wire.ErrSelf},
		"own key, elsewhere": {func(s *wire.Secure) wire.Message {
			m := good(s, identity(2), "i")
			m.Run = [8]byte{1}
			return m
		}, wire.ErrClone},
		"own key, not signed": {func(s *wire.Secure) wire.Message {
			m := good(s, identity(9), "i")
			m.PK, m.Run = good(s, identity(2), "i").PK, [8]byte{1}
			return m
		}, wire.ErrProtocol},
		"thrown back":     {func(s *wire.Secure) wire.Message { return good(s, identity(9), "r") }, wire.ErrProtocol},
		"not a hello":     {func(*wire.Secure) wire.Message { return &wire.Ack{} }, wire.ErrProtocol},
		"an unknown type": {func(*wire.Secure) wire.Message { return &wire.Unknown{} }, wire.ErrProtocol},
		"another connection": {func(*wire.Secure) wire.Message {
			other, _, _, _ := secure(t, keys(1), keys(1))
			return good(other, identity(9), "i")
		}, wire.ErrProtocol},
		"another's key": {func(s *wire.Secure) wire.Message {
			m := good(s, identity(9), "i")
			m.PK = good(s, identity(8), "i").PK
			return m
		}, wire.ErrProtocol},
		"another box": {func(s *wire.Secure) wire.Message {
			m := good(s, identity(9), "i")
			m.Box[0] ^= 1
			return m
		}, wire.ErrProtocol},
		"a later version": {func(*wire.Secure) wire.Message { return &wire.Hello{Ver: 512} }, wire.ErrVersion},
		"no version":      {func(*wire.Secure) wire.Message { return &wire.Hello{} }, wire.ErrVersion},
		"a later minor version": {func(s *wire.Secure) wire.Message {
			m := good(s, identity(9), "i")
			m.Ver++
			return m
		}, nil},
	} {
		dialler, listener := wiretest.Pair(wiretest.Options{})
		member := &tap{Link: listener}
		done := make(chan error, 1)
		go func() {
			_, err := wire.Open(t.Context(), member, config(2))
			done <- err
		}()
		s, err := wire.Handshake(t.Context(), dialler, keys(1), nil)
		if err != nil {
			t.Fatal(err)
		}
		say(t, s, x.change(s))
		want := 1
		if x.want == nil || x.want == wire.ErrVersion {
			if want = 2; hear(t, s).Type() != wire.TypeHello {
				t.Errorf("%s: no HELLO in return", name)
			}
		}
		if x.want == wire.ErrVersion { // so that it can say why, too; it leaves when it has heard
			dialler.Cut()
		}
		if err := <-done; !errors.Is(err, x.want) {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(member.frames()); n != want {
			t.Errorf("%s: %d frames were sent, want %d", name, n, want)
		}
	}
}

func TestStays(t *testing.T) {
	t.Parallel()
	small, large := [32]byte{1}, [32]byte{2}
	for _, dialler := range [][32]byte{small, large} {
		atSmall := wire.Stays(small, large, dialler == small)
		atLarge := wire.Stays(large, small, dialler == large)
		if atSmall != atLarge || atSmall != (dialler == small) {
			t.Errorf("dialled by %d: %v at the smaller key, %v at the larger", dialler[0], atSmall, atLarge)
		}
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	r := wire.Report{Seq: 7, Box: []byte("sealed")}
	share := keys(1).Share
	r.Sign(identity(1).Sign, share, 3)
	if !r.Verify(share, 3) {
		t.Error("a good report is refused")
	}
	seq, box, pk := r, r, r
	seq.Seq++
	box.Box = []byte("sealeD")
	pk.PK[0] ^= 1
	if seq.Verify(share, 3) || box.Verify(share, 3) || pk.Verify(share, 3) || r.Verify(share, 4) || r.Verify(secret.ShareID{}, 3) {
		t.Error("a changed report is accepted")
	}
}

// TestTapReadsNothing plays who listens on the way: of a whole conversation, with names and content in it, he sees how long
// the frames are (docs/shares.md §10).
func TestTapReadsNothing(t *testing.T) {
	t.Parallel()
	a, b := pairOf()
	taps := []*tap{{Link: a}, {Link: b}}
	canary := "canary-2207"
	_, plain := data(1, 10_000)
	copy(plain[5000:], canary)
	id, content := blob.Clear(blob.Info, nil, plain)
	conns := make(chan *wire.Conn, 2)
	heard := newEar()
	for i, link := range taps {
		cfg := config(byte(i + 1))
		cfg.Hello = func() wire.Hello { return wire.Hello{Name: canary, Feat: []string{canary}} }
		cfg.Serve, cfg.Handler = shelf{id: content}.Serve, heard
		go func() {
			c, err := wire.Open(t.Context(), link, cfg)
			if err != nil {
				t.Error(err)
			}
			conns <- c
		}()
	}
	one, other := run(t, <-conns), run(t, <-conns)
	f := wire.NewFetcher(wire.FetcherOptions{})
	defer f.Close()
	f.Add(one.Conn)
	if err := f.Fetch(t.Context(), []blob.ID{id}, func(blob.ID, []byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := other.Send(&wire.Want{ID: id}); err != nil {
		t.Fatal(err)
	}
	heard.wait(t, 1)
	k := keys(1)
	for _, tap := range taps {
		for _, frame := range tap.frames() {
			for _, s := range []string{canary, string(id[1:]), string(k.Share[:]), string(k.PSK[:]), string(content[5000:5011])} {
				if strings.Contains(string(frame), s) {
					t.Errorf("a frame has %q in it", s)
				}
			}
		}
	}
}
