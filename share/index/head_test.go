package index

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"shoal/bt/bencode"
	"shoal/share/blob"
	"shoal/share/secret"
)

// keysOf are the keys of a role of the test share in an epoch.
func keysOf(t testing.TB, role secret.Role, epoch uint16) *secret.Keys {
	t.Helper()
	admin, err := secret.NewAdmin(bytes.NewReader(testConv[:]))
	if err != nil {
		t.Fatal(err)
	}
	if admin, err = admin.AtEpoch(epoch); err != nil {
		t.Fatal(err)
	}
	token, err := admin.Weaken(role)
	if err != nil {
		t.Fatal(err)
	}
	k, err := token.Keys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func certOf(t testing.TB, epoch uint16) []byte {
	t.Helper()
	cert, err := keysOf(t, secret.Admin, epoch).Certify()
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func draftOf(t testing.TB, epoch uint16) Draft {
	return Draft{
		Cert: certOf(t, epoch), Writer: Writer{1, 2}, Ctx: Context{{1, 2}: 7, {0xff}: math.MaxInt64, {}: 1},
		Root: capOf(blob.Node, "root"), Label: "näs \"2\"", Time: -5,
		Stores: HeadForStores{Tokens: []string{"shoals1a", "shoals1b"}, Policy: []byte("de")},
	}
}

// randomness is a reader of random bytes that can be had again.
func randomness() *rand.ChaCha8 { return rand.NewChaCha8(testConv) }

func TestHead(t *testing.T) {
	t.Parallel()
	d := draftOf(t, 3)
	h, err := NewHead(randomness(), keysOf(t, secret.Write, 3), d)
	if err != nil {
		t.Fatal(err)
	}
	store, reader := keysOf(t, secret.Store, 3), keysOf(t, secret.Read, 3)
	got, err := ParseHead(store.Share, h.ID, h.Blob)
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Fatalf("parsing gives %+v, %v", got, err)
	}
	if h.Share != store.Share || h.Epoch != 3 || h.Writer != d.Writer || !h.Ctx.Equal(d.Ctx) || h.Root != d.Root.ID {
		t.Errorf("the head is %+v", h)
	}
	if r, err := h.ForReaders(reader); err != nil || r != (HeadForReaders{d.Root.Key, d.Label, d.Time}) {
		t.Errorf("for readers: %v, %v", r, err)
	}
	if s, err := h.ForStores(store); err != nil || !reflect.DeepEqual(s, d.Stores) {
		t.Errorf("for stores: %v, %v", s, err)
	}
	if _, err := h.ForReaders(store); !errors.Is(err, secret.ErrRole) {
		t.Errorf("a store reads: %v", err)
	}
	if _, err := h.ForReaders(keysOf(t, secret.Read, 2)); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("the keys of another epoch open it: %v", err)
	}
	if _, err := NewHead(randomness(), reader, d); !errors.Is(err, secret.ErrRole) {
		t.Errorf("a reader signs: %v", err)
	}
}

func TestHeadLimits(t *testing.T) {
	t.Parallel()
	k := keysOf(t, secret.Write, 0)
	for name, tt := range map[string]struct {
		change func(*Draft)
		want   error
	}{
		"4096 writers":    {func(d *Draft) { d.Ctx = contextOf(MaxWriters) }, nil},
		"4097 writers":    {func(d *Draft) { d.Ctx = contextOf(MaxWriters + 1) }, ErrLimit},
		"many tokens":     {func(d *Draft) { d.Stores.Tokens = strings.Split(strings.Repeat("t ", MaxForStores/3), " ") }, ErrLimit},
		"a large policy":  {func(d *Draft) { d.Stores.Policy = make([]byte, MaxForStores-100) }, nil},
		"a huge policy":   {func(d *Draft) { d.Stores.Policy = make([]byte, MaxHead) }, ErrLimit},
		"a long label":    {func(d *Draft) { d.Label = strings.Repeat("x", MaxLabel+1) }, ErrLimit},
		"a large counter": {func(d *Draft) { d.Ctx[Writer{9}] = 1 << 63 }, ErrInvalid},
		"no root":         {func(d *Draft) { d.Root = blob.Cap{} }, ErrInvalid},
		"no certificate":  {func(d *Draft) { d.Cert = nil }, ErrInvalid},
		"another's":       {func(d *Draft) { d.Cert = certOf(t, 1) }, ErrInvalid},
		"an empty state":  {func(d *Draft) { d.Ctx, d.Stores = nil, HeadForStores{} }, nil},
	} {
		d := draftOf(t, 0)
		tt.change(&d)
		if _, err := NewHead(randomness(), k, d); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func contextOf(n int) Context {
	c := make(Context, n)
	for i := range n {
		c[Writer{byte(i), byte(i >> 8)}] = 1 + uint64(i)
	}
	return c
}

// Whatever bit is changed on the way, a head is refused; so is one that stands for another share.
func TestHeadDamage(t *testing.T) {
	t.Parallel()
	h, err := NewHead(randomness(), keysOf(t, secret.Write, 0), draftOf(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i := range h.Blob {
		b := bytes.Clone(h.Blob)
		b[i] ^= 1 << (i % 8)
		if _, err := ParseHead(h.Share, h.ID, b); !errors.Is(err, ErrInvalid) {
			t.Fatalf("a bit of byte %d: %v", i, err)
		}
		if bh, err := blob.Parse(b); err == nil && bh.Kind == blob.Head && b[1] == h.Blob[1] {
			id, b := blob.Clear(blob.Head, bh.Refs, bh.Body)
			if _, err := ParseHead(h.Share, id, b); !errors.Is(err, ErrInvalid) {
				t.Fatalf("a bit of byte %d, under its own id: %v", i, err)
			}
		}
	}
	if _, err := ParseHead(secret.ShareID{1}, h.ID, h.Blob); !errors.Is(err, ErrInvalid) {
		t.Errorf("of another share: %v", err)
	}
}

// resign makes a head of any dictionary, with the right signature.
func resign(k *secret.Keys, dict []byte) (blob.ID, []byte) {
	refs := []blob.ID{capOf(blob.Node, "root").ID}
	sig := secret.Sign(k.Sign, secret.SignHead, append(blob.AppendHeader(nil, blob.Head, refs), dict...))
	return blob.Clear(blob.Head, refs, append(bytes.Clone(dict), sig...))
}

// What a later version adds is passed over.
func TestHeadOfLaterVersion(t *testing.T) {
	t.Parallel()
	k := keysOf(t, secret.Write, 0)
	h, err := NewHead(randomness(), k, draftOf(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	dict := h.encode()
	more := append(bytes.Clone(dict[:len(dict)-1]), "4:zzzzd1:ali1e1:xeee"...)
	id, b := resign(k, more)
	got, err := ParseHead(k.Share, id, b)
	if err != nil || !got.Ctx.Equal(h.Ctx) {
		t.Errorf("%v", err)
	}
	id, b = resign(k, bytes.Replace(more, []byte("4:zzzz"), []byte("1:a1:b"), 1))
	if _, err := ParseHead(k.Share, id, b); !errors.Is(err, ErrInvalid) {
		t.Errorf("keys out of order: %v", err)
	}
}

// A head that is accepted, whatever its writer put into it, is within the limits, and says the same when it is made
// again.
func FuzzHead(f *testing.F) {
	k := keysOf(f, secret.Write, 0)
	h, err := NewHead(randomness(), k, draftOf(f, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(h.encode())
	f.Add([]byte("d1:A32:" + strings.Repeat("a", 32) + "e"))
	f.Add(bencode.AppendString([]byte("d3:ctx"), Context{{1}: 1}.encode()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, dict []byte) {
		if len(dict) > MaxHead/2 {
			return
		}
		id, b := resign(k, dict)
		h, err := ParseHead(k.Share, id, b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if len(h.Ctx) > MaxWriters || h.Epoch != 0 || h.Share != k.Share {
			t.Fatalf("accepted: %+v", h)
		}
		again, b := resign(k, h.encode())
		h2, err := ParseHead(k.Share, again, b)
		if err != nil || !h2.Ctx.Equal(h.Ctx) || h2.Writer != h.Writer || len(b) > len(h.Blob) {
			t.Fatalf("made again: %+v, %v", h2, err)
		}
	})
}

// What is sealed in a head is no less a stranger's.
func FuzzHeadParts(f *testing.F) {
	f.Add(HeadForReaders{blob.Key{1}, "label", 5}.encode())
	f.Add(HeadForStores{[]string{"a", "b"}, []byte("de")}.encode())
	f.Add([]byte("de"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeForReaders(b); err == nil {
			if again, err := decodeForReaders(r.encode()); err != nil || again != r || len(r.Label) > MaxLabel {
				t.Fatalf("%+v, again %+v, %v", r, again, err)
			}
		}
		if s, err := decodeForStores(b); err == nil {
			again, err := decodeForStores(s.encode())
			if err != nil || fmt.Sprint(again) != fmt.Sprint(s) {
				t.Fatalf("%+v, again %+v, %v", s, again, err)
			}
		}
	})
}

func TestContext(t *testing.T) {
	t.Parallel()
	a, b := Context{{1}: 5, {2}: 1}, Context{{1}: 3, {3}: 9}
	m := a.Max(b)
	if !m.Equal(Context{{1}: 5, {2}: 1, {3}: 9}) || !a.Leq(m) || !b.Leq(m) || m.Leq(a) || a.Leq(b) || len(a) != 2 {
		t.Errorf("the maximum is %v", m)
	}
	if !a.Equal(Context{{1}: 5, {2}: 1, {7}: 0}) || !m.Covers(Dot{Writer{3}, 9}) || m.Covers(Dot{Writer{3}, 10}) || m.Covers(Dot{Writer{4}, 1}) {
		t.Error("a context covers what it has not seen, or not what it has")
	}
	c := m.Clone()
	c[Writer{1}] = 6
	if m[Writer{1}] != 5 || Context(nil).Clone() == nil {
		t.Error("a clone is not one")
	}
}
