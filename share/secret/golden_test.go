package secret

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"testing"

	"shoal/share/internal/golden"
)

// vectors is the format as numbers, for other implementations. Byte strings are hex, names are those of docs/shares.md
// §1. Messages are the ASCII of "message"; the random bytes of boxes stand beside them.
type vectors struct {
	A        string            `json:"a"`
	Share    string            `json:"A"`
	Epochs   []epochVector     `json:"epochs"`
	EID      string            `json:"eid"`
	Export   string            `json:"export"`   // a' of eid
	Exported map[Role]string   `json:"exported"` // the tokens of that share
	NodeSeed string            `json:"node_seed"`
	NodeText string            `json:"node_text"` // the seed as text
	Node     map[string]string `json:"node"`      // pk, its box (public), and both private halves
	Seal     []boxVector       `json:"seal"`      // in epoch 1
	SealTo   boxVector         `json:"sbox"`      // to the box of the node, in epoch 1
	Sign     map[string]string `json:"sign"`      // by the node, of each purpose
	Invite   map[string]string `json:"invite"`    // and the words of the node
	URL      string            `json:"url"`
}

type epochVector struct {
	Epoch   uint16            `json:"epoch"`
	Secrets map[string]string `json:"secrets"`
	Cert    string            `json:"cert"`
	Tokens  map[Role]string   `json:"tokens"`
}

type boxVector struct {
	Field  Field  `json:"field"`
	Random string `json:"random"`
	Box    string `json:"box"`
}

// pattern is n bytes: from, from+1, ...
func pattern(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

func TestGolden(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(makeVectors(t), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "vectors.json", append(got, '\n'))
}

func makeVectors(t *testing.T) vectors {
	x := hex.EncodeToString
	ok := func(b []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x(b)
	}
	tok, err := NewAdmin(bytes.NewReader(pattern(0, 32)))
	if err != nil {
		t.Fatal(err)
	}
	eid := [16]byte(pattern(0x40, 16))
	export, err := tok.Export(eid)
	if err != nil {
		t.Fatal(err)
	}
	v := vectors{A: x(tok.Secret[:]), Share: x(tok.Share[:]), EID: x(eid[:]), Export: x(export.Secret[:]), Sign: map[string]string{}, Exported: map[Role]string{}}
	for _, role := range roles {
		weak, err := export.Weaken(role)
		if err != nil {
			t.Fatal(err)
		}
		v.Exported[role] = weak.Text()
	}
	for _, epoch := range []uint16{0, 1, 65535} {
		v.Epochs = append(v.Epochs, makeEpoch(t, tok, epoch))
	}
	seed := NodeSeed(pattern(0x80, 32))
	id := seed.Identity(tok.Share)
	pk, box := id.Key(), id.BoxKey()
	v.NodeSeed, v.NodeText = x(seed[:]), seed.Text()
	v.Node = map[string]string{"pk": x(pk[:]), "pk_seed": x(id.Sign.Seed()), "box": x(box[:]), "box_private": x(id.Box.Bytes())}
	if tok, err = tok.AtEpoch(1); err != nil {
		t.Fatal(err)
	}
	k, m := keys(t, tok), []byte("message")
	for i, f := range []Field{FieldHeadRead, FieldHeadStore, FieldReport, FieldExportWrite} {
		nonce := pattern(byte(0xa0+i), 24)
		v.Seal = append(v.Seal, boxVector{f, x(nonce), ok(k.Seal(bytes.NewReader(nonce), f, m))})
	}
	fresh := pattern(0xe0, 32)
	v.SealTo = boxVector{FieldMoved, x(fresh), ok(SealTo(bytes.NewReader(fresh), box, k.Share, 1, FieldMoved, m))}
	for p := SignEpoch; p <= SignMember; p++ {
		v.Sign[p.String()] = x(Sign(id.Sign, p, m))
	}
	inv := Invite{Code: [16]byte(pattern(0x10, 16))}
	ik := inv.Keys()
	v.Invite = map[string]string{"words": Words(tok.Share, pk), "code": x(inv.Code[:]), "text": inv.Text(), "rz": x(ik.Rendezvous[:]), "psk": x(ik.PSK[:]), "ext": ik.Extension}
	inv.Hint = netip.MustParseAddrPort("192.0.2.1:7000")
	v.Invite["text_ip4"] = inv.Text()
	inv.Hint = netip.MustParseAddrPort("[2001:db8::1]:7000")
	v.Invite["text_ip6"] = inv.Text()
	read, err := tok.Weaken(Read)
	if err != nil {
		t.Fatal(err)
	}
	v.URL = URL{Token: read, Label: "a b&c", Peers: []string{"[2001:db8::1]:7000"}, Trackers: []string{"udp://t.example:1/a"}}.Text()
	return v
}

func makeEpoch(t *testing.T, tok Token, epoch uint16) epochVector {
	t.Helper()
	x := hex.EncodeToString
	tok, err := tok.AtEpoch(epoch)
	if err != nil {
		t.Fatal(err)
	}
	k := keys(t, tok)
	cert, err := k.Certify()
	if err != nil {
		t.Fatal(err)
	}
	v := epochVector{Epoch: epoch, Cert: x(cert), Tokens: map[Role]string{}, Secrets: map[string]string{
		"w": x(k.Write[:]), "W": x(k.Sign[32:]), "z": x(k.SealedWrite[:]), "r": x(k.Read[:]), "c": x(k.Conv[:]), "h": x(k.Head[:]),
		"q": x(k.Report[:]), "b": x(k.Box.Bytes()), "b_public": x(k.Box.PublicKey().Bytes()), "s": x(k.Store[:]),
		"rz": x(k.Rendezvous[:]), "ext": k.Extension, "k": x(k.PSK[:]), "o": x(k.SealedStore[:]),
	}}
	for _, role := range roles {
		weak, err := tok.Weaken(role)
		if err != nil {
			t.Fatal(err)
		}
		v.Tokens[role] = weak.Text()
	}
	return v
}
