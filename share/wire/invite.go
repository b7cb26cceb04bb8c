package wire

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"shoal/bt/bencode"
	"shoal/share/secret"
)

// Bounds of what the two ends of an invite say.
const (
	maxInviteLabel = 255 // bytes: the name of a share
	maxTokenText   = 128 // bytes
	maxWhy         = 32  // bytes of the word that says why somebody is refused
)

// An InviteMessage is what the two ends of an invite say to each other (docs/shares.md §7): a pointer to one of the
// structs below. The joiner says KNOCK, the inviter OFFER, the joiner JOIN, the inviter GRANT, the joiner OK; REFUSED
// takes the place of what the inviter would say.
type InviteMessage interface {
	Kind() string // the value of the key "m"
	fields(*codec)
}

// Knock is the joiner's first word: the other side says nothing before, so that a recorded handshake is answered by
// nothing that was not there already, and two joiners that meet know at once.
type Knock struct{ Ver int64 }

// Offer says which share the code is for.
type Offer struct {
	Ver     int64
	Share   secret.ShareID
	By      [32]byte // the inviter's key in that share
	Sig     [64]byte // by By: of its role in the handshake, and the handshake's hash
	Role    secret.Role
	Label   string // how the inviter calls the share
	Approve bool   // a person will be asked
}

// Join says who comes.
type Join struct {
	PK   [32]byte // the joiner's key in the share
	Sig  [64]byte // by PK, as in Offer
	Box  [32]byte // X25519: receives the keys of the next epoch
	SigJ [64]byte // by PK: of the share's id and Box
	Name string   // for people; "" = none
}

// Grant is what the joiner came for.
type Grant struct {
	Token string // text form: a secret
	Addrs []netip.AddrPort
}

// Thanks says that the joiner has it, durably. Its kind is "ok".
type Thanks struct{}

// Refused ends it. Why is a word of small letters.
type Refused struct{ Why string }

// Kind implements [InviteMessage], as those below.
func (*Knock) Kind() string   { return "knock" }
func (*Offer) Kind() string   { return "offer" }
func (*Join) Kind() string    { return "join" }
func (*Grant) Kind() string   { return "grant" }
func (*Thanks) Kind() string  { return "ok" }
func (*Refused) Kind() string { return "refused" }

func (m *Knock) fields(c *codec) { c.number("ver", &m.Ver, maxInt) }

func (m *Offer) fields(c *codec) {
	role := []byte(m.Role.String())
	c.fixed("A", m.Share[:], false)
	c.flag("approve", &m.Approve)
	c.fixed("by", m.By[:], false)
	c.words("label", &m.Label, maxInviteLabel)
	c.bytes("role", &role, 1, maxWhy)
	c.fixed("sig", m.Sig[:], false)
	c.number("ver", &m.Ver, maxInt)
	if c.err != nil {
		return
	}
	if r, err := secret.ParseRole(string(role)); err != nil || r == secret.Admin {
		c.fail("role", "%.20q is none that an invite gives", role)
	} else {
		m.Role = r
	}
}

func (m *Join) fields(c *codec) {
	c.fixed("box", m.Box[:], false)
	c.words("name", &m.Name, maxName)
	c.fixed("pk", m.PK[:], false)
	c.fixed("sig", m.Sig[:], false)
	c.fixed("sigj", m.SigJ[:], false)
}

func (m *Grant) fields(c *codec) {
	token := []byte(m.Token)
	c.addrs("addrs", &m.Addrs, maxAddrs)
	c.bytes("token", &token, 1, maxTokenText)
	m.Token = string(token)
}

func (*Thanks) fields(*codec) {}

func (m *Refused) fields(c *codec) {
	why := []byte(m.Why)
	c.bytes("why", &why, 1, maxWhy)
	for _, x := range why {
		if x < 'a' || x > 'z' {
			c.fail("why", "%.40q is no word", why)
			break
		}
	}
	m.Why = string(why)
}

func makeInviteMessage(name []byte) InviteMessage {
	switch string(name) {
	case "knock":
		return new(Knock)
	case "offer":
		return new(Offer)
	case "join":
		return new(Join)
	case "grant":
		return new(Grant)
	case "ok":
		return new(Thanks)
	case "refused":
		return new(Refused)
	}
	return nil
}

// EncodeInvite is m as it travels inside a frame: canonical bencode. The error is that m breaks a limit of its own.
func EncodeInvite(m InviteMessage) ([]byte, error) { return write(make([]byte, 0, 512), m.Kind(), m) }

// DecodeInvite is the message that b holds. Unknown keys are passed over, unknown types are errors. An error wraps
// ErrProtocol, or is ErrVersion for a KNOCK or OFFER of another major version, whatever else that holds.
func DecodeInvite(b []byte) (InviteMessage, error) {
	if err := bencode.Check(b, limits); err != nil {
		return nil, fmt.Errorf("%w: reading a message: %w", ErrProtocol, err)
	}
	name, _ := peek(b)
	m := makeInviteMessage(name)
	if m == nil {
		return nil, fmt.Errorf("%w: a message of type %.20q to an invite", ErrProtocol, name)
	}
	switch m.(type) {
	case *Knock, *Offer:
		if err := checkVersion(versionIn(b)); err != nil {
			return nil, err
		}
	}
	if err := read(b, m.Kind(), m); err != nil {
		return nil, err
	}
	return m, nil
}

// versionIn is the value of "ver"; 0 without.
func versionIn(b []byte) (ver int64) {
	c := bencode.NewCursor(b)
	for c.Enter(bencode.Dict); c.More(); {
		if key, _ := c.Bytes(); string(key) == "ver" {
			ver, _ = c.Int64()
			return ver
		}
		c.Skip()
	}
	return 0
}

// An InviteConn is a connection between two that know the code of an invite. One goroutine uses it.
type InviteConn struct{ s *Secure }

// OpenInvite proves to each side that the other knows the code of an invite, as [Handshake] does it for a share. random
// makes the ephemeral key; nil is the system's. The error wraps ErrWrongSecret when the other side does not; the link is
// closed after any error. ctx bounds it.
func OpenInvite(ctx context.Context, link Link, keys secret.InviteKeys, random io.Reader) (*InviteConn, error) {
	prologue := append([]byte("shoal/1/invite"), keys.Rendezvous[:]...)
	s, err := handshake(ctx, link, prologue, keys.PSK[:], random)
	if err != nil {
		link.Close()
		return nil, fmt.Errorf("shaking hands: %w", err)
	}
	return &InviteConn{s}, nil
}

// Send queues a message.
func (c *InviteConn) Send(ctx context.Context, m InviteMessage) error {
	b, err := EncodeInvite(m)
	if err != nil {
		return err
	}
	return c.s.Send(ctx, b)
}

// Recv is the next message. After an error that wraps ErrProtocol the link is closed.
func (c *InviteConn) Recv(ctx context.Context) (InviteMessage, error) {
	b, err := c.s.Recv(ctx)
	if err != nil {
		return nil, err
	}
	m, err := DecodeInvite(b)
	if err != nil {
		c.s.Close()
	}
	return m, err
}

// Drain waits until the other side has closed, so that what was said last is not lost with the link, and closes it. ctx
// bounds it.
func (c *InviteConn) Drain(ctx context.Context) {
	_, _ = c.s.Recv(ctx)
	c.s.Close()
}

// Close closes the link.
func (c *InviteConn) Close() { c.s.Close() }

// proof is what a side signs to show that a key is its own, in this handshake and no other.
func (c *InviteConn) proof(dialled bool) []byte { return append([]byte{role(dialled)}, c.s.binding...) }

// Offer fills in version, key and proof of m, and sends it.
func (c *InviteConn) Offer(ctx context.Context, m *Offer, id secret.Identity) error {
	m.Ver, m.By = Version, id.Key()
	m.Sig = [64]byte(secret.Sign(id.Sign, secret.SignHello, c.proof(c.s.link.Dialled())))
	return c.Send(ctx, m)
}

// CheckOffer reports whether who sent m has the key that it names.
func (c *InviteConn) CheckOffer(m *Offer) error {
	if !secret.Verify(m.By[:], secret.SignHello, c.proof(!c.s.link.Dialled()), m.Sig[:]) {
		return fmt.Errorf("%w: an offer that is not signed", ErrProtocol)
	}
	return nil
}

// Join sends who the joiner is in the share that was offered.
func (c *InviteConn) Join(ctx context.Context, id secret.Identity, share secret.ShareID, name string) error {
	m := &Join{PK: id.Key(), Box: id.BoxKey(), Name: name}
	m.Sig = [64]byte(secret.Sign(id.Sign, secret.SignHello, c.proof(c.s.link.Dialled())))
	m.SigJ = [64]byte(secret.Sign(id.Sign, secret.SignJoin, append(share[:], m.Box[:]...)))
	return c.Send(ctx, m)
}

// CheckJoin reports whether who sent m has the key that it names, and wants to be a member of the share with its box.
func (c *InviteConn) CheckJoin(m *Join, share secret.ShareID) error {
	if m.PK == ([32]byte{}) || !secret.Verify(m.PK[:], secret.SignHello, c.proof(!c.s.link.Dialled()), m.Sig[:]) ||
		!secret.Verify(m.PK[:], secret.SignJoin, append(share[:], m.Box[:]...), m.SigJ[:]) {
		return fmt.Errorf("%w: a wish to join that is not signed", ErrProtocol)
	}
	return nil
}
