package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"shoal/bt/bencode"
	"shoal/share/blob"
	"shoal/share/internal/golden"
	"shoal/share/wire"
)

func fill32(first, rest byte) (id [32]byte) {
	for i := range id {
		id[i] = rest
	}
	id[0] = first
	return id
}

func fill64(x byte) (sig [64]byte) {
	for i := range sig {
		sig[i] = x
	}
	return sig
}

// samples are messages of all types: with every key, and with as few as may be.
func samples() []wire.Message {
	addrs := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:6881"), netip.MustParseAddrPort("[2001:db8::1]:6882")}
	head, node, file, info := blob.ID(fill32(5, 0x11)), blob.ID(fill32(1, 0x22)), blob.ID(fill32(2, 0x33)), blob.ID(fill32(4, 0x44))
	return []wire.Message{
		&wire.Hello{PK: fill32(1, 1), Sig: fill64(2), Ver: wire.Version, Box: fill32(3, 3), SigJ: fill64(4), Name: "Küche",
			Writer: [8]byte{5, 6}, Addrs: addrs, Heads: []blob.ID{head}, Feat: []string{"x"}},
		&wire.Hello{Ver: wire.Version},
		&wire.Heads{IDs: []blob.ID{head, blob.ID(fill32(5, 0x12))}},
		&wire.Get{IDs: []blob.ID{node, file}},
		&wire.No{IDs: []blob.ID{node}},
		&wire.No{IDs: []blob.ID{info}, Want: true},
		&wire.Blob{ID: file, Off: 40960, Total: 40965, Bytes: []byte("hello")},
		&wire.Blob{ID: file, Total: 5, Bytes: []byte("hello")},
		&wire.Ack{N: 262144},
		&wire.Ack{},
		&wire.Want{ID: info},
		&wire.State{Frontier: fill32(7, 7), Sum: bytes.Repeat([]byte{8}, 64), Mode: wire.Full, Missing: 1, Want: 2, Used: 3,
			Quota: 4, Full: true, Paused: true, Reports: []wire.Report{{PK: fill32(9, 9), Seq: 10, Box: []byte("sealed"), Sig: fill64(11)}}},
		&wire.State{},
		&wire.Keep{N: 1, Units: [][32]byte{fill32(2, 2), fill32(3, 3)}, Secs: 86400, Chal: []wire.Challenge{{Unit: 1, Off: 5}, {}}},
		&wire.Keep{Units: [][32]byte{{}}},
		&wire.Kept{N: 1, Bitmap: []byte{0xc0}, Until: 3600, Proof: [][]byte{[]byte("bytes"), {}}},
		&wire.Kept{},
		&wire.Peers{Addrs: addrs},
		&wire.Peers{},
		&wire.Moved{ID: blob.ID(fill32(6, 0x66))},
	}
}

func TestMessagesAreFrozen(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, m := range samples() {
		b, err := wire.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %s\n", m.Type(), hex.EncodeToString(b))
		if !bencode.IsCanonical(b) {
			t.Errorf("%s is not canonical: %q", m.Type(), b)
		}
		back, err := wire.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, m) {
			t.Errorf("%s comes back as %+v, was %+v", m.Type(), back, m)
		}
	}
	golden.Check(t, "messages.txt", []byte(all.String()))
}

// TestLargestMessages checks that the limits of each message fit into a frame.
func TestLargestMessages(t *testing.T) {
	t.Parallel()
	ids := func(n int, kind byte) (list []blob.ID) {
		for range n {
			list = append(list, blob.ID(fill32(kind, 0xff)))
		}
		return list
	}
	ap := netip.MustParseAddrPort("[2001:db8::1]:6882")
	var hello wire.Hello
	hello.Ver, hello.Name, hello.Writer = wire.Version, strings.Repeat("n", 64), [8]byte{1}
	hello.Heads = ids(256, 5)
	for range 32 {
		hello.Addrs = append(hello.Addrs, ap)
		hello.Feat = append(hello.Feat, strings.Repeat("f", 64))
	}
	const big = 1<<63 - 1
	state := wire.State{Sum: make([]byte, 64), Mode: wire.Full, Missing: big, Want: big, Used: big, Quota: big}
	for range 16 {
		state.Reports = append(state.Reports, wire.Report{Seq: big, Box: make([]byte, 1024)})
	}
	peers := wire.Peers{}
	for range 200 {
		peers.Addrs = append(peers.Addrs, ap)
	}
	for _, m := range []wire.Message{
		&hello, &state, &peers,
		&wire.Heads{IDs: ids(256, 5)}, &wire.Get{IDs: ids(64, 1)}, &wire.No{IDs: ids(64, 1)},
		&wire.Blob{ID: blob.ID(fill32(2, 2)), Off: 1<<20 - 40<<10, Total: 1 << 20, Bytes: make([]byte, 40<<10)},
		&wire.Keep{N: big, Units: make([][32]byte, 1024), Secs: 86400, Chal: []wire.Challenge{{Unit: 1023, Off: big}, {Unit: 1023, Off: big}}},
		&wire.Kept{N: big, Bitmap: make([]byte, 128), Until: 86400, Proof: [][]byte{make([]byte, 16<<10), make([]byte, 16<<10)}},
	} {
		b, err := wire.Encode(m)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := wire.Decode(b); err != nil {
			t.Error(err)
		}
	}
}

// TestMessagesBeyondLimits checks that neither side takes what breaks a limit.
func TestMessagesBeyondLimits(t *testing.T) {
	t.Parallel()
	ap := netip.MustParseAddrPort("192.0.2.1:1")
	heads := make([]blob.ID, 257)
	for i := range heads {
		heads[i][0] = 5
	}
	for name, m := range map[string]wire.Message{
		"heads":            &wire.Heads{IDs: heads},
		"no heads":         &wire.Heads{},
		"a head of kind 0": &wire.Heads{IDs: make([]blob.ID, 1)},
		"ids":              &wire.Get{IDs: make([]blob.ID, 65)},
		"no ids":           &wire.Get{},
		"an empty part":    &wire.Blob{ID: blob.ID{2}, Total: 1},
		"a long part":      &wire.Blob{ID: blob.ID{2}, Total: 1 << 20, Bytes: make([]byte, 40<<10+1)},
		"a part behind":    &wire.Blob{ID: blob.ID{2}, Total: 4, Bytes: make([]byte, 5)},
		"a part past":      &wire.Blob{ID: blob.ID{2}, Off: 1, Total: 4, Bytes: make([]byte, 4)},
		"a long blob":      &wire.Blob{ID: blob.ID{2}, Total: 1<<20 + 1, Bytes: make([]byte, 4)},
		"off < 0":          &wire.Blob{ID: blob.ID{2}, Off: -1, Total: 4, Bytes: make([]byte, 4)},
		"ack < 0":          &wire.Ack{N: -1},
		"want of data":     &wire.Want{ID: blob.ID{2}},
		"moved of data":    &wire.Moved{ID: blob.ID{2}},
		"sum":              &wire.State{Sum: make([]byte, 63)},
		"mode":             &wire.State{Mode: 2},
		"reports":          &wire.State{Reports: make([]wire.Report, 17)},
		"report":           &wire.State{Reports: []wire.Report{{Box: make([]byte, 1025)}}},
		"empty report":     &wire.State{Reports: []wire.Report{{}}},
		"units":            &wire.Keep{Units: make([][32]byte, 1025)},
		"no units":         &wire.Keep{},
		"secs":             &wire.Keep{Units: make([][32]byte, 1), Secs: 86401},
		"challenges":       &wire.Keep{Units: make([][32]byte, 1), Chal: make([]wire.Challenge, 3)},
		"challenge":        &wire.Keep{Units: make([][32]byte, 1), Chal: []wire.Challenge{{Unit: 1}}},
		"bitmap":           &wire.Kept{Bitmap: make([]byte, 129)},
		"proofs":           &wire.Kept{Proof: make([][]byte, 3)},
		"proof":            &wire.Kept{Proof: [][]byte{make([]byte, 16<<10+1)}},
		"addresses":        &wire.Peers{Addrs: append(make([]netip.AddrPort, 0), repeat(ap, 201)...)},
		"hello addresses":  &wire.Hello{Ver: wire.Version, Addrs: repeat(ap, 33)},
		"hello name":       &wire.Hello{Ver: wire.Version, Name: strings.Repeat("n", 65)},
		"hello bytes":      &wire.Hello{Ver: wire.Version, Name: "\xff"},
		"features":         &wire.Hello{Ver: wire.Version, Feat: make([]string, 33)},
	} {
		if b, err := wire.Encode(m); err == nil {
			t.Errorf("%s: it was written as %q", name, b)
		}
	}
	for _, s := range []string{
		"", "de", "i1e", "d1:m3:gete", "d3:ids31:" + strings.Repeat("x", 31) + "1:m3:gete",
		"d3:ids32:" + strings.Repeat("x", 32) + "1:m3:get1:m3:gete", // a key twice
		"d1:m3:get3:ids32:" + strings.Repeat("x", 32) + "e",         // out of order
		"d3:idsle1:m3:gete", "d3:idsi1e1:m3:gete",
		"d1:m3:ack1:n1:1e", "d1:m3:ack1:ni-1ee", "d1:m3:ack1:ni9223372036854775808ee",
		"d5:addrsl5:xxxxxe1:m5:peerse", "d5:addrsli1ee1:m5:peerse", "d5:addrs6:xxxxxx1:m5:peerse",
		"d1:m3:ack1:ni1ee1", "d1:m3:ack1:x" + strings.Repeat("l", 9) + strings.Repeat("e", 9) + "e",
		"d1:m3:ack1:xl" + strings.Repeat("le", 5000) + "ee",
	} {
		m, err := wire.Decode([]byte(s))
		if _, unknown := m.(*wire.Unknown); err == nil && !unknown || err != nil && !errors.Is(err, wire.ErrProtocol) {
			t.Errorf("%.60q: %+v, %v", s, m, err)
		}
	}
}

func repeat[T any](x T, n int) (list []T) {
	for range n {
		list = append(list, x)
	}
	return list
}

// TestUnknown checks that what later versions add is passed over.
func TestUnknown(t *testing.T) {
	t.Parallel()
	m, err := wire.Decode([]byte("d1:ali1ed1:bi2eee1:m3:ack1:ni7e1:zd1:yleee"))
	if ack, ok := m.(*wire.Ack); err != nil || !ok || ack.N != 7 {
		t.Errorf("unknown keys: %+v, %v", m, err)
	}
	m, err = wire.Decode([]byte("d1:m4:song1:ni7ee"))
	if u, ok := m.(*wire.Unknown); err != nil || !ok || u.Name != "song" {
		t.Errorf("an unknown type: %+v, %v", m, err)
	}
	_, err = wire.Decode([]byte("d1:m5:hello3:veri512ee"))
	if !errors.Is(err, wire.ErrVersion) {
		t.Errorf("a later version: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		b, err := wire.Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("d1:ali1ed1:bi2eee1:m3:ack1:ni7e1:zd1:yleee"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.Decode(b)
		if err != nil || m.Type() == wire.Other {
			return
		}
		again, err := wire.Encode(m)
		if err != nil {
			t.Fatalf("what was read breaks a limit: %v", err)
		}
		if !bencode.IsCanonical(again) || len(again) > len(b)+16 {
			t.Fatalf("%q became %q", b, again)
		}
		back, err := wire.Decode(again)
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Fatalf("%+v became %+v, %v", m, back, err)
		}
	})
}

// TestDecodeIsBounded checks that no message costs much more memory than its frame.
func TestDecodeIsBounded(t *testing.T) {
	for _, b := range []string{
		"d5:addrsl" + strings.Repeat("6:xxxxxx", 5000) + "e1:m5:peerse",
		"d4:chall" + strings.Repeat("de", 20000) + "e1:m4:keepe",
		"d4:featl" + strings.Repeat("0:", 20000) + "e1:m5:hello3:veri256ee",
		"d1:m5:state7:reportsl" + strings.Repeat("de", 20000) + "ee",
		"d1:m4:kept5:proofl" + strings.Repeat("0:", 20000) + "ee",
	} {
		const runs = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			if _, err := wire.Decode([]byte(b)); err == nil {
				t.Errorf("%.30q was read", b)
			}
		}
		runtime.ReadMemStats(&after)
		allocs := (after.TotalAlloc - before.TotalAlloc) / runs
		if allocs > 3*wire.MaxFrame {
			t.Errorf("%.30q: %d bytes", b, allocs)
		}
	}
}
