package wire

import (
	"fmt"
	"net/netip"

	"shoal/bt/bencode"
	"shoal/share/blob"
)

// A Type is what a message is.
type Type uint8

// The types of message (docs/shares.md §5.3). Others are ignored.
const (
	Other Type = iota
	TypeHello
	TypeHeads
	TypeGet
	TypeNo
	TypeBlob
	TypeAck
	TypeWant
	TypeState
	TypeKeep
	TypeKept
	TypePeers
	TypeMoved
	types = iota
)

// String is the value of the key "m"; "other" of Other.
func (t Type) String() string {
	names := [types]string{"other", "hello", "heads", "get", "no", "blob", "ack", "want", "state", "keep", "kept", "peers", "moved"}
	if t >= types {
		t = Other
	}
	return names[t]
}

// A Message is a pointer to one of the structs below.
type Message interface {
	Type() Type
	fields(*codec)
}

// make is an empty message of the type that "m" names; nil when it is unknown.
func makeMessage(name []byte) Message {
	switch string(name) {
	case "hello":
		return new(Hello)
	case "heads":
		return new(Heads)
	case "get":
		return new(Get)
	case "no":
		return new(No)
	case "blob":
		return new(Blob)
	case "ack":
		return new(Ack)
	case "want":
		return new(Want)
	case "state":
		return new(State)
	case "keep":
		return new(Keep)
	case "kept":
		return new(Kept)
	case "peers":
		return new(Peers)
	case "moved":
		return new(Moved)
	}
	return nil
}

// Hello is the first message of both sides. PK, Sig, Ver, Box and SigJ are filled in and checked by Open.
type Hello struct {
	PK     [32]byte // who: the node's key in this share
	Sig    [64]byte // by PK: of the role in the handshake, "i" or "r", and the handshake's hash
	Ver    int64    // 256 × major + minor
	Box    [32]byte // X25519: receives the keys of the next epoch
	SigJ   [64]byte // by PK: of the share's id and Box
	Name   string   // for people; "" = none
	Writer [8]byte  // own writer id: asks for all heads of it; zero = none
	Run    [8]byte  // of this process: one key in two of them is a machine that was cloned; zero = not said
	Addrs  []netip.AddrPort
	Heads  []blob.ID // the frontier, and incomplete ones
	Feat   []string  // what this node can do beyond Ver
}

// Heads says that these heads are here; bodies by GET.
type Heads struct{ IDs []blob.ID }

// Get asks for blobs.
type Get struct{ IDs []blob.ID }

// No says of blobs that they do not come: not here, not of this share, or too many asked for.
type No struct {
	IDs  []blob.ID
	Want bool // answers a WANT: nothing of the torrent is here
}

// Blob is a part of a blob.
type Blob struct {
	ID    blob.ID
	Off   int64  // of Bytes in the blob
	Total int64  // bytes of the blob
	Bytes []byte // of a message that was received: a slice of its frame
}

// Ack says how many bytes of blobs were taken in since the connection began.
type Ack struct{ N int64 }

// Want asks to open the torrent of an info blob on both sides.
type Want struct{ ID blob.ID }

// A Mode is what a node means to hold.
type Mode byte

// The modes.
const (
	Part Mode = iota
	Full
)

// State is what a node claims of itself: for display, and for the order of fetching only.
type State struct {
	Frontier [32]byte // H(sorted ids of the frontier)
	Sum      []byte   // H(ctx)||root id of the merged state, 64 bytes; nil from stores
	Mode     Mode
	Missing  int64 // bytes it should hold and does not
	Want     int64 // of those, what it is to fetch without a person; 0 = it waits for nothing
	Used     int64 // bytes
	Quota    int64 // bytes; 0 = none
	Full     bool  // it takes no more
	Paused   bool
	Reports  []Report // its own and the latest known of others; at most 16
}

// A Report is sealed statistics of a node, which others pass on.
type Report struct {
	PK  [32]byte
	Seq int64  // the highest counts
	Box []byte // at most 1 KiB
	Sig [64]byte
}

// Keep asks for a promise to hold units; Secs = 0 only asks whether they are held.
type Keep struct {
	N     int64 // the answer has the same
	Units [][32]byte
	Secs  int64 // at most a day
	Chal  []Challenge
}

// A Challenge asks for 16 KiB of a unit's ciphertext, fewer at its end.
type Challenge struct {
	Unit int64 // index into Units
	Off  int64
}

// Kept promises units until a time.
type Kept struct {
	N      int64
	Bitmap []byte   // bit 7 of byte 0 is the first unit
	Until  int64    // seconds from now, by the clock of who promises
	Proof  [][]byte // of each challenge; an empty one is none
}

// Peers are addresses where members were met.
type Peers struct{ Addrs []netip.AddrPort }

// Moved names the blob that leads to the next epoch.
type Moved struct{ ID blob.ID }

// Unknown is a message of a type that this version does not know.
type Unknown struct{ Name string }

const maxInt = 1<<63 - 1

func (*Hello) Type() Type   { return TypeHello }
func (*Heads) Type() Type   { return TypeHeads }
func (*Get) Type() Type     { return TypeGet }
func (*No) Type() Type      { return TypeNo }
func (*Blob) Type() Type    { return TypeBlob }
func (*Ack) Type() Type     { return TypeAck }
func (*Want) Type() Type    { return TypeWant }
func (*State) Type() Type   { return TypeState }
func (*Keep) Type() Type    { return TypeKeep }
func (*Kept) Type() Type    { return TypeKept }
func (*Peers) Type() Type   { return TypePeers }
func (*Moved) Type() Type   { return TypeMoved }
func (*Unknown) Type() Type { return Other }

func (m *Hello) fields(c *codec) {
	c.addrs("addrs", &m.Addrs, maxAddrs)
	c.fixed("box", m.Box[:], false)
	list(c, "feat", &m.Feat, maxFeat, func(c *codec, s *string) {
		b := []byte(*s)
		c.item("feat", &b, maxName)
		*s = string(b)
	})
	c.ids("heads", &m.Heads, 0, MaxHeads, blob.Head)
	c.words("name", &m.Name, maxName)
	c.fixed("pk", m.PK[:], false)
	c.fixed("run", m.Run[:], true)
	c.fixed("sig", m.Sig[:], false)
	c.fixed("sigj", m.SigJ[:], false)
	c.number("ver", &m.Ver, maxInt)
	c.fixed("w", m.Writer[:], true)
}

func (m *Heads) fields(c *codec) { c.ids("ids", &m.IDs, 1, MaxHeads, blob.Head) }
func (m *Get) fields(c *codec)   { c.ids("ids", &m.IDs, 1, MaxAsked, 0) }

func (m *No) fields(c *codec) {
	c.ids("ids", &m.IDs, 1, MaxAsked, 0)
	c.flag("want", &m.Want)
}

func (m *Blob) fields(c *codec) {
	c.bytes("bytes", &m.Bytes, 1, MaxPart)
	c.id("id", &m.ID, 0)
	c.number("off", &m.Off, blob.MaxBlob)
	c.number("total", &m.Total, blob.MaxBlob)
	if c.err == nil && m.Off+int64(len(m.Bytes)) > m.Total {
		c.fail("off", "a part from %d to %d of %d bytes", m.Off, m.Off+int64(len(m.Bytes)), m.Total)
	}
}

func (m *Ack) fields(c *codec)   { c.number("n", &m.N, maxInt) }
func (m *Want) fields(c *codec)  { c.id("id", &m.ID, blob.Info) }
func (m *Moved) fields(c *codec) { c.id("id", &m.ID, blob.Moved) }
func (m *Peers) fields(c *codec) { c.addrs("addrs", &m.Addrs, MaxPeers) }
func (*Unknown) fields(*codec)   {}

func (m *State) fields(c *codec) {
	mode := int64(m.Mode)
	c.fixed("frontier", m.Frontier[:], false)
	c.flag("full", &m.Full)
	c.number("missing", &m.Missing, maxInt)
	c.number("mode", &mode, int64(Full))
	c.flag("paused", &m.Paused)
	c.number("quota", &m.Quota, maxInt)
	list(c, "reports", &m.Reports, 16, func(c *codec, r *Report) { dict(c, r.fields) })
	c.bytes("sum", &m.Sum, 0, 64)
	if n := len(m.Sum); n != 0 && n != 64 {
		c.fail("sum", "%d bytes, want 64", n)
	}
	c.number("used", &m.Used, maxInt)
	c.number("want", &m.Want, maxInt)
	m.Mode = Mode(mode)
}

func (r *Report) fields(c *codec) {
	c.bytes("box", &r.Box, 1, maxReport)
	c.fixed("pk", r.PK[:], false)
	c.number("seq", &r.Seq, maxInt)
	c.fixed("sig", r.Sig[:], false)
}

func (m *Keep) fields(c *codec) {
	list(c, "chal", &m.Chal, 2, func(c *codec, x *Challenge) {
		dict(c, func(c *codec) {
			c.number("off", &x.Off, maxInt)
			c.number("unit", &x.Unit, MaxUnits-1)
		})
	})
	c.number("n", &m.N, maxInt)
	c.number("secs", &m.Secs, maxKeep)
	c.units("units", &m.Units)
	for _, x := range m.Chal {
		if c.err == nil && x.Unit >= int64(len(m.Units)) {
			c.fail("chal", "unit %d of %d", x.Unit, len(m.Units))
		}
	}
}

func (m *Kept) fields(c *codec) {
	c.bytes("bitmap", &m.Bitmap, 0, MaxUnits/8)
	c.number("n", &m.N, maxInt)
	list(c, "proof", &m.Proof, 2, func(c *codec, b *[]byte) { c.item("proof", b, maxProof) })
	c.number("until", &m.Until, maxKeep)
}

// Encode is m as it travels inside a frame: canonical bencode. The error is that m breaks a limit of its own.
func Encode(m Message) ([]byte, error) { return appendMessage(nil, m) }

func appendMessage(b []byte, m Message) ([]byte, error) { return write(b, m.Type().String(), m) }

// Decode is the message that b holds, an *Unknown when its type is. Strings of it may be slices of b. Unknown keys are
// ignored. An error wraps ErrProtocol, or is ErrVersion for a HELLO of another major version, whatever else that holds.
func Decode(b []byte) (Message, error) {
	if err := bencode.Check(b, limits); err != nil {
		return nil, fmt.Errorf("%w: reading a message: %w", ErrProtocol, err)
	}
	name, ver := peek(b)
	m := makeMessage(name)
	if m == nil {
		return &Unknown{Name: string(name[:min(len(name), maxName)])}, nil
	}
	if m.Type() == TypeHello {
		if err := checkVersion(ver); err != nil {
			return nil, err
		}
	}
	if err := read(b, m.Type().String(), m); err != nil {
		return nil, err
	}
	return m, nil
}

// peek is the type of a message, and its version when it has one.
func peek(b []byte) (name []byte, ver int64) {
	c := bencode.NewCursor(b)
	for c.Enter(bencode.Dict); c.More(); {
		switch key, _ := c.Bytes(); string(key) {
		case "m":
			name, _ = c.Bytes()
			if string(name) != "hello" { // only that one has a version
				return name, 0
			}
		case "ver":
			ver, _ = c.Int64()
		default:
			c.Skip()
		}
	}
	return name, ver
}
