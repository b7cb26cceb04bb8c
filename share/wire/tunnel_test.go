package wire_test

import (
	"errors"
	"testing"

	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// tunnel opens one; the listener's side dials when that is asked for.
func tunnel(t *testing.T, key wire.TunnelKey, a wire.TunnelAddress, listenerDials bool) (x, y *wire.Secure, errX, errY error) {
	t.Helper()
	la, lb := wiretest.Pair(wiretest.Options{})
	if listenerDials {
		la, lb = lb, la
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		y, errY = key.Accept(t.Context(), lb)
	}()
	x, errX = a.Connect(t.Context(), la)
	<-done
	return x, y, errX, errY
}

// TestTunnel: whoever dials, both sides have a connection; another address, or who has only that, opens none.
func TestTunnel(t *testing.T) {
	t.Parallel()
	key, err := wire.NewTunnelKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := wire.NewTunnelKey()
	if err != nil {
		t.Fatal(err)
	}
	a, err := key.Address()
	if err != nil {
		t.Fatal(err)
	}
	for _, dials := range []bool{false, true} {
		x, y, errX, errY := tunnel(t, key, a, dials)
		if err := errors.Join(errX, errY); err != nil {
			t.Fatal(err)
		}
		if err := x.Send(t.Context(), []byte("word")); err != nil {
			t.Fatal(err)
		}
		if b, err := y.Recv(t.Context()); err != nil || string(b) != "word" {
			t.Errorf("%q, %v", b, err)
		}
	}
	if _, _, errX, errY := tunnel(t, other, a, false); errX == nil || !errors.Is(errY, wire.ErrWrongSecret) {
		t.Errorf("another key: %v and %v", errX, errY)
	}
	// Two that connect to each other: neither has the key.
	la, lb := wiretest.Pair(wiretest.Options{})
	errs := make(chan error, 1)
	go func() {
		_, err := a.Connect(t.Context(), la)
		errs <- err
	}()
	if _, err := a.Connect(t.Context(), lb); err == nil {
		t.Error("who has only the address is taken for the listener")
	}
	if err := <-errs; err == nil {
		t.Error("who has only the address is taken for the listener")
	}
}

// FuzzTunnelAddress: a text that parses is the one it parses to.
func FuzzTunnelAddress(f *testing.F) {
	f.Add(wire.TunnelAddress{1}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := wire.ParseTunnelAddress(s); err == nil && a.String() != s {
			t.Errorf("%q is %q", s, a)
		}
	})
}
