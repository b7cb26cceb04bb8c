package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"shoal/bt/bencode"
	"shoal/share/internal/golden"
	"shoal/share/secret"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// inviteSamples are messages of all kinds: with every key, and with as few as may be.
func inviteSamples() []wire.InviteMessage {
	addrs := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:6881"), netip.MustParseAddrPort("[2001:db8::1]:6882")}
	return []wire.InviteMessage{
		&wire.Knock{Ver: wire.Version},
		&wire.Offer{Ver: wire.Version, Share: secret.ShareID(fill32(1, 1)), By: fill32(2, 2), Sig: fill64(3), Role: secret.Write, Label: "Fotos, große", Approve: true},
		&wire.Offer{Ver: wire.Version, Role: secret.Store},
		&wire.Join{PK: fill32(4, 4), Box: fill32(5, 5), Sig: fill64(6), SigJ: fill64(7), Name: "Küche"},
		&wire.Join{},
		&wire.Grant{Token: "shoalr1text", Addrs: addrs},
		&wire.Grant{Token: "x"},
		&wire.Thanks{},
		&wire.Refused{Why: "used"},
	}
}

func TestInviteGolden(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, m := range inviteSamples() {
		e, err := wire.EncodeInvite(m)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s\n", m.Kind(), hex.EncodeToString(e))
		got, err := wire.DecodeInvite(e)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v came back as %+v, %v", m, got, err)
		}
	}
	golden.Check(t, "invite.txt", []byte(b.String()))
}

func TestInviteLimits(t *testing.T) {
	t.Parallel()
	many := make([]netip.AddrPort, 33)
	for i := range many {
		many[i] = netip.MustParseAddrPort("192.0.2.1:1")
	}
	for _, m := range []wire.InviteMessage{
		&wire.Offer{Ver: wire.Version, Role: secret.Admin}, &wire.Offer{Ver: wire.Version},
		&wire.Offer{Role: secret.Read, Label: strings.Repeat("x", 256)}, &wire.Offer{Role: secret.Read, Label: "\xff"},
		&wire.Join{Name: strings.Repeat("x", 65)}, &wire.Grant{}, &wire.Grant{Token: strings.Repeat("x", 129)},
		&wire.Grant{Token: "x", Addrs: many}, &wire.Refused{}, &wire.Refused{Why: "Used"}, &wire.Refused{Why: strings.Repeat("x", 33)},
	} {
		if b, err := wire.EncodeInvite(m); err == nil {
			t.Errorf("%+v is written as %q", m, b)
		}
	}
	for _, s := range []string{"", "d", "de", "i1e", "d1:m5:helloe", "d1:m5:knocke", "d1:m7:refused3:why1:Ae", "d1:m7:refused3:whyi1ee",
		"d1:m5:offer4:role5:admin3:veri256ee", "d1:m5:grant5:token0:e"} {
		if m, err := wire.DecodeInvite([]byte(s)); !errors.Is(err, wire.ErrProtocol) && !errors.Is(err, wire.ErrVersion) {
			t.Errorf("%q is read as %+v, %v", s, m, err)
		}
	}
	if _, err := wire.DecodeInvite([]byte("d1:m5:offer3:veri512e5:zzzzzi1ee")); !errors.Is(err, wire.ErrVersion) {
		t.Errorf("an offer of a later version: %v", err)
	}
}

// What is read is what is written again, but for keys that are not known.
func FuzzInviteMessage(f *testing.F) {
	for _, m := range inviteSamples() {
		b, err := wire.EncodeInvite(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.DecodeInvite(bytes.Clone(b))
		if err != nil {
			if !errors.Is(err, wire.ErrProtocol) && !errors.Is(err, wire.ErrVersion) {
				t.Fatalf("an error without a class: %v", err)
			}
			return
		}
		again, err := wire.EncodeInvite(m)
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", m, err)
		}
		if len(again) > len(b) {
			t.Fatalf("%d bytes became %d", len(b), len(again))
		}
		if err := bencode.Check(again, bencode.Limits{Depth: 3, Size: wire.MaxFrame, Count: 64}); err != nil {
			t.Fatal(err)
		}
		twice, err := wire.DecodeInvite(bytes.Clone(again))
		if err != nil || !reflect.DeepEqual(twice, m) {
			t.Fatalf("%+v came back as %+v, %v", m, twice, err)
		}
	})
}

// invited opens both ends of an invite.
func invited(t *testing.T, a, b secret.Invite) (dialler, listener *wire.InviteConn, err error) {
	t.Helper()
	la, lb := wiretest.Pair(wiretest.Options{})
	errs := make(chan error, 1)
	go func() {
		var err error
		listener, err = wire.OpenInvite(t.Context(), lb, b.Keys(), nil)
		errs <- err
	}()
	dialler, err = wire.OpenInvite(t.Context(), la, a.Keys(), nil)
	return dialler, listener, errors.Join(err, <-errs)
}

// Who says to have a key must have it, in this connection and in this role.
func TestInviteProofs(t *testing.T) {
	t.Parallel()
	code := secret.Invite{Code: [16]byte{1}}
	guest, host, err := invited(t, code, code)
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	share := secret.ShareID{9}
	if err := host.Offer(t.Context(), &wire.Offer{Share: share, Role: secret.Read}, identity(1)); err != nil {
		t.Fatal(err)
	}
	m, err := guest.Recv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	offer := m.(*wire.Offer)
	if err := guest.CheckOffer(offer); err != nil {
		t.Error(err)
	}
	if err := host.CheckOffer(offer); err == nil {
		t.Error("an offer can be thrown back")
	}
	if err := guest.Join(t.Context(), identity(2), share, "n"); err != nil {
		t.Fatal(err)
	}
	if m, err = host.Recv(t.Context()); err != nil {
		t.Fatal(err)
	}
	join := m.(*wire.Join)
	if err := host.CheckJoin(join, share); err != nil {
		t.Error(err)
	}
	if err := host.CheckJoin(join, secret.ShareID{8}); err == nil {
		t.Error("a wish to join one share counts for another")
	}
	stolen := *join
	stolen.PK = identity(3).Key()
	if err := host.CheckJoin(&stolen, share); err == nil {
		t.Error("a key was believed that is not the joiner's")
	}
	if err := host.CheckJoin(&wire.Join{}, share); err == nil {
		t.Error("the key that is none was believed")
	}
	_, other, err := invited(t, code, code)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.CheckJoin(join, share); !errors.Is(err, wire.ErrProtocol) {
		t.Error(err)
	}
}

// Who has another code learns nothing, and both sides know why.
func TestInviteWrongCode(t *testing.T) {
	t.Parallel()
	_, _, err := invited(t, secret.Invite{Code: [16]byte{1}}, secret.Invite{Code: [16]byte{2}})
	if !errors.Is(err, wire.ErrWrongSecret) {
		t.Error(err)
	}
	if err != nil && strings.Contains(err.Error(), "0101") {
		t.Error("the error shows the code")
	}
}
