package secret

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// source gives bytes that follow from a seed.
func source(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func admin(t testing.TB, seed byte) Token {
	t.Helper()
	tok, err := NewAdmin(source(seed))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// at is the token of a role of the share of a seed.
func at(t testing.TB, seed byte, epoch uint16, role Role) Token {
	t.Helper()
	tok, err := admin(t, seed).AtEpoch(epoch)
	if err != nil {
		t.Fatal(err)
	}
	if tok, err = tok.Weaken(role); err != nil {
		t.Fatal(err)
	}
	return tok
}

func keys(t testing.TB, tok Token) *Keys {
	t.Helper()
	k, err := tok.Keys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var roles = []Role{Store, Read, Write, Admin}

// Whichever way one goes down the ladder, one comes to the same secrets.
func TestLadder(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		tok := at(t, 1, 7, role)
		k := keys(t, tok)
		if k.Token() != tok {
			t.Errorf("%v: the keys are of %v", role, k.Token())
		}
		for _, weaker := range roles {
			w, err := tok.Weaken(weaker)
			if weaker > role {
				if !errors.Is(err, ErrRole) || w != (Token{}) {
					t.Errorf("%v gives %v: %v", role, weaker, err)
				}
				continue
			}
			if err != nil || w != at(t, 1, 7, weaker) || w.Role != weaker || w.Share != tok.Share || w.Epoch != 7 {
				t.Errorf("%v to %v: %v", role, weaker, err)
			}
			below := keys(t, w)
			if below.PSK != k.PSK || below.Rendezvous != k.Rendezvous || below.Extension != k.Extension || below.SealedStore != k.SealedStore {
				t.Errorf("%v and %v do not meet", role, weaker)
			}
			if weaker >= Read && (below.Conv != k.Conv || below.Head != k.Head || below.Report != k.Report || !below.Box.Equal(k.Box)) {
				t.Errorf("%v and %v do not read the same", role, weaker)
			}
			if weaker >= Write && (!below.Sign.Equal(k.Sign) || below.SealedWrite != k.SealedWrite) {
				t.Errorf("%v and %v do not write the same", role, weaker)
			}
		}
	}
}

// What a role does not give is not there.
func TestRolesLack(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		k := keys(t, at(t, 1, 0, role))
		has := map[Role]bool{
			Store: k.Store != [32]byte{} && k.SealedStore != [32]byte{},
			Read:  k.Read != [32]byte{} || k.Conv != [32]byte{} || k.Head != [32]byte{} || k.Report != [32]byte{} || k.Box != nil,
			Write: k.Write != [32]byte{} || k.SealedWrite != [32]byte{} || k.Sign != nil,
			Admin: k.Admin != [32]byte{} || k.AdminSign != nil,
		}
		for _, r := range roles {
			if has[r] != (r <= role) {
				t.Errorf("%v has what %v has: %v", role, r, has[r])
			}
		}
		tok := at(t, 1, 0, role)
		_, err1 := tok.AtEpoch(1)
		_, err2 := tok.Export([16]byte{})
		_, err3 := k.Certify()
		for _, err := range []error{err1, err2, err3} {
			if (err == nil) != (role == Admin) || err != nil && !errors.Is(err, ErrRole) {
				t.Errorf("%v: %v", role, err)
			}
		}
		for f, need := range map[Field]Role{FieldHeadStore: Store, FieldHeadRead: Read, FieldReport: Read, FieldExportWrite: Write, FieldMoved: Admin + 1, "x": Admin + 1} {
			_, sealErr := k.Seal(source(1), f, nil)
			_, openErr := k.Open(f, make([]byte, 100))
			if errors.Is(sealErr, ErrRole) != (role < need) || errors.Is(openErr, ErrRole) != (role < need) {
				t.Errorf("%v seals %q: %v, opens: %v", role, f, sealErr, openErr)
			}
		}
	}
}

// No two secrets of a share, of two epochs, or of two shares are equal: each has its own label.
func TestNothingTwice(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	add := func(what string, b []byte) {
		short := hex.EncodeToString(b[:4])
		if first, twice := seen[short]; twice {
			t.Errorf("%s is %s", what, first)
		}
		seen[short] = what
	}
	for share := range byte(2) {
		tok := admin(t, share)
		add(fmt.Sprint(share, "a"), tok.Secret[:])
		add(fmt.Sprint(share, "A"), tok.Share[:])
		exp, err := tok.Export([16]byte{9})
		if err != nil {
			t.Fatal(err)
		}
		add(fmt.Sprint(share, "export"), exp.Secret[:])
		id := NodeSeed{1}.Identity(tok.Share)
		for what, key := range map[string][32]byte{"node": id.Key(), "nodebox": id.BoxKey(), "node seed": [32]byte(id.Sign.Seed()), "box": [32]byte(id.Box.Bytes())} {
			add(fmt.Sprint(share, what), key[:])
		}
		for _, epoch := range []uint16{0, 1, 256} {
			k := keys(t, at(t, share, epoch, Admin))
			x, _ := hex.DecodeString(k.Extension[1:])
			for what, b := range map[string][]byte{
				"w": k.Write[:], "W": k.Sign.Seed(), "z": k.SealedWrite[:], "r": k.Read[:], "c": k.Conv[:], "h": k.Head[:], "q": k.Report[:],
				"b": k.Box.Bytes(), "s": k.Store[:], "rz": k.Rendezvous[:], "x": x, "k": k.PSK[:], "o": k.SealedStore[:],
			} {
				add(fmt.Sprint(share, epoch, what), b)
			}
		}
	}
}

func TestTokensThatAreNone(t *testing.T) {
	t.Parallel()
	other := admin(t, 1)
	other.Share = admin(t, 2).Share
	for _, tok := range []Token{{}, {Role: 9}, other} {
		_, err1 := tok.Keys()
		_, err2 := tok.Weaken(Store)
		if err1 == nil || err2 == nil || tok.Text() != "" {
			t.Errorf("%v was taken", tok)
		}
	}
	if _, err := NewAdmin(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("31 random bytes made a share")
	}
	if _, err := NewNodeSeed(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("31 random bytes made a node")
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	priv := ed25519.NewKeyFromSeed(make([]byte, 32))
	pub := priv.Public().(ed25519.PublicKey)
	for p := SignEpoch; p <= SignMember; p++ {
		sig := Sign(priv, p, []byte("m"))
		for q := range Purpose(12) {
			if Verify(pub, q, []byte("m"), sig) != (p == q) {
				t.Errorf("signed for %v, verified for %v", p, q)
			}
			// The word is followed by the message without a mark between: no word begins with another.
			if p != q && q.String() != "" && strings.HasPrefix(p.String(), q.String()) {
				t.Errorf("%v begins with %v", p, q)
			}
		}
		if Verify(pub, p, []byte("n"), sig) || Verify(pub, p, []byte("m"), nil) || Verify(nil, p, []byte("m"), sig) || Verify(pub[:31], p, []byte("m"), sig) {
			t.Errorf("%v: a wrong signature was taken", p)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("signed for no purpose")
		}
	}()
	Sign(priv, 0, nil)
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	k := keys(t, at(t, 1, 3, Admin))
	cert, err := k.Certify()
	if err != nil {
		t.Fatal(err)
	}
	w := k.Sign.Public().(ed25519.PublicKey)
	next := keys(t, at(t, 1, 4, Admin)).Sign.Public().(ed25519.PublicKey)
	for name, got := range map[string]bool{
		"another epoch": VerifyCert(k.Share, 4, w, cert),
		"another share": VerifyCert(admin(t, 2).Share, 3, w, cert),
		"another key":   VerifyCert(k.Share, 3, next, cert),
		"a short key":   VerifyCert(k.Share, 3, w[:31], cert),
		"no cert":       VerifyCert(k.Share, 3, w, nil),
	} {
		if got {
			t.Errorf("%s was taken", name)
		}
	}
	if !VerifyCert(k.Share, 3, w, cert) {
		t.Error("a good certificate was refused")
	}
}

// Nothing that is printed, logged or encoded shows a secret.
func TestNothingPrints(t *testing.T) {
	t.Parallel()
	tok := at(t, 1, 0, Write)
	k := keys(t, tok)
	seed := NodeSeed(tok.Secret)
	id := seed.Identity(tok.Share)
	inv := Invite{Code: [16]byte(tok.Secret[:16])}
	u := URL{Token: tok}
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{tok, &tok, k, *k, seed, id, &id, inv, inv.Keys(), u} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%t"} {
			fmt.Fprintf(&out, verb, v)
			fmt.Fprintf(&out, verb, []any{v})
		}
		log.Info("m", "v", v)
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("%T became JSON: %s", v, b)
		}
	}
	var secrets []string
	for _, b := range [][]byte{tok.Secret[:], k.Read[:], k.Store[:], k.PSK[:], k.Sign.Seed(), id.Sign.Seed(), id.Box.Bytes(), inv.Code[:]} {
		secrets = append(secrets, string(b[:4]), hex.EncodeToString(b[:4]), strings.ToUpper(hex.EncodeToString(b[:4])), strings.Trim(fmt.Sprint(b[:4]), "[]"), fmt.Sprintf("%#v", b[:2])[7:])
	}
	secrets = append(secrets, tok.Text()[7:20])
	for _, s := range secrets {
		if strings.Contains(out.String(), strings.TrimSuffix(s, "}")) {
			t.Errorf("%q was printed", s)
		}
	}
	if want := "token(write, share " + tok.Share.String()[:8] + "…)"; !strings.Contains(out.String(), want) {
		t.Errorf("%s was not printed", want)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, r := range roles {
		var back Role
		if b, err := r.MarshalText(); err != nil || back.UnmarshalText(b) != nil || back != r {
			t.Errorf("%v became %v", r, back)
		}
	}
	if _, err := ParseRole("none"); err == nil {
		t.Error("none is a role")
	}
	id := admin(t, 1).Share
	var back ShareID
	if err := back.UnmarshalText([]byte(id.String())); err != nil || back != id {
		t.Error(err)
	}
	for _, bad := range []string{"", id.String()[1:], "g" + id.String()[1:]} {
		if _, err := ParseShareID(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestSealing(t *testing.T) {
	t.Parallel()
	fields := map[Field]Role{FieldHeadRead: Read, FieldHeadStore: Store, FieldReport: Read, FieldExportWrite: Write}
	rapid.Check(t, func(rt *rapid.T) {
		m := rapid.SliceOf(rapid.Byte()).Draw(rt, "m")
		f := rapid.SampledFrom(slices.Sorted(maps.Keys(fields))).Draw(rt, "field")
		k := keys(t, at(t, 1, 0, Admin))
		b, err := k.Seal(source(rapid.Byte().Draw(rt, "seed")), f, m)
		if err != nil || len(b) != len(m)+Overhead {
			rt.Fatal(err)
		}
		// The weakest role that may opens it.
		if got, err := keys(t, at(t, 1, 0, fields[f])).Open(f, b); err != nil || !bytes.Equal(got, m) {
			rt.Fatal(err)
		}
		for name, other := range map[string]*Keys{"epoch": keys(t, at(t, 1, 1, Admin)), "share": keys(t, at(t, 2, 0, Admin))} {
			if _, err := other.Open(f, b); !errors.Is(err, ErrSealed) {
				rt.Fatalf("another %s opens it: %v", name, err)
			}
		}
		// The same keys do not make it good for another epoch, share or field.
		for _, change := range []func(k *Keys){
			func(k *Keys) { k.Epoch++ }, func(k *Keys) { k.Share[5]++ },
			func(k *Keys) { k.Head = k.Report; k.Report = keys(t, at(t, 1, 0, Read)).Head },
		} {
			forged := *k
			change(&forged)
			g := f
			if forged.Head != k.Head {
				g = map[Field]Field{FieldHeadRead: FieldReport, FieldReport: FieldHeadRead}[f]
			}
			if _, err := forged.Open(g, b); err == nil {
				rt.Fatal("opened as something else")
			}
		}
		b[rapid.IntRange(0, len(b)-1).Draw(rt, "at")] ^= 1
		if _, err := k.Open(f, b); !errors.Is(err, ErrSealed) {
			rt.Fatalf("a flipped bit: %v", err)
		}
	})
}

func TestBoxes(t *testing.T) {
	t.Parallel()
	share := admin(t, 1).Share
	node := NodeSeed{1}.Identity(share)
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SliceOf(rapid.Byte()).Draw(t, "m")
		b, err := SealTo(source(rapid.Byte().Draw(t, "seed")), node.BoxKey(), share, 3, FieldMoved, m)
		if err != nil || len(b) != len(m)+BoxOverhead {
			t.Fatal(err)
		}
		if got, err := OpenBox(node.Box, share, 3, FieldMoved, b); err != nil || !bytes.Equal(got, m) {
			t.Fatal(err)
		}
		_, err1 := OpenBox(node.Box, share, 4, FieldMoved, b)
		_, err2 := OpenBox(node.Box, ShareID{}, 3, FieldMoved, b)
		_, err3 := OpenBox(node.Box, share, 3, FieldReport, b)
		_, err4 := OpenBox(NodeSeed{2}.Identity(share).Box, share, 3, FieldMoved, b)
		// The top bit of a coordinate is not looked at by X25519, but it is bound into the key.
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		_, err5 := OpenBox(node.Box, share, 3, FieldMoved, b)
		for i, err := range []error{err1, err2, err3, err4, err5} {
			if !errors.Is(err, ErrSealed) {
				t.Fatalf("%d: %v", i+1, err)
			}
		}
	})
	// A key of small order: everybody would know the result.
	if _, err := SealTo(source(1), [32]byte{1}, share, 0, FieldMoved, nil); err == nil {
		t.Error("sealed to a key of small order")
	}
	if _, err := OpenBox(node.Box, share, 0, FieldMoved, make([]byte, 100)); !errors.Is(err, ErrSealed) {
		t.Errorf("opened a box from a key of small order: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	k := keys(f, at(f, 1, 0, Admin))
	node := NodeSeed{1}.Identity(k.Share)
	sealed, err := k.Seal(source(1), FieldReport, []byte("m"))
	if err != nil {
		f.Fatal(err)
	}
	boxed, err := SealTo(source(1), node.BoxKey(), k.Share, 0, FieldMoved, []byte("m"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(boxed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := k.Open(FieldReport, b); err == nil && !bytes.Equal(b, sealed) {
			t.Fatalf("opened to %q", m)
		}
		if m, err := OpenBox(node.Box, k.Share, 0, FieldMoved, b); err == nil && !bytes.Equal(b, boxed) {
			t.Fatalf("opened to %q", m)
		}
	})
}
