package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"unicode/utf8"

	"shoal/bt/bencode"
	"shoal/share/blob"
)

// A codec walks the keys of a dictionary in their order, either way: it writes the fields that it is shown, or fills them.
// So one description of a message is its canonical form, its parser and its limits. Fields must be shown sorted by key.
type codec struct {
	writing bool
	err     error // the first; fields after it are left alone

	kind string // writing: the value of "m", until it is written
	out  []byte

	in  *bencode.Cursor
	key []byte // reading: the key before the cursor; nil at the end
}

// write appends a message of a kind to b: canonical bencode. The error is that m breaks a limit of its own.
func write(b []byte, kind string, m interface{ fields(*codec) }) ([]byte, error) {
	c := codec{writing: true, kind: kind, out: append(b, 'd')}
	m.fields(&c)
	c.end()
	if c.err == nil && len(c.out)-len(b) > MaxFrame-overhead {
		c.fail("message", "%d bytes, want at most %d", len(c.out)-len(b), MaxFrame-overhead)
	}
	if c.err != nil {
		return nil, fmt.Errorf("writing a %s message: %w", kind, c.err)
	}
	return c.out, nil
}

// read fills in m, of a kind, from b, which is bencode. An error wraps ErrProtocol.
func read(b []byte, kind string, m interface{ fields(*codec) }) error {
	c := codec{in: bencode.NewCursor(b)}
	c.open()
	m.fields(&c)
	c.end()
	if c.err != nil {
		return fmt.Errorf("%w: reading a %s message: %w", ErrProtocol, kind, c.err)
	}
	return nil
}

// limits of a frame whatever it says. No message has more than two levels and some 300 values.
var limits = bencode.Limits{Depth: 8, Size: MaxFrame, Count: 4096}

func (c *codec) fail(key, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...))
	}
}

// open steps into the dictionary that comes next.
func (c *codec) open() {
	if !c.in.Enter(bencode.Dict) {
		c.fail("message", "not a dictionary")
		return
	}
	c.nextKey()
}

// nextKey steps to the next key; keys are sorted and unique in the canonical form.
func (c *codec) nextKey() {
	last := c.key
	if !c.in.More() {
		c.key = nil
		return
	}
	c.key, _ = c.in.Bytes()
	if last != nil && bytes.Compare(last, c.key) >= 0 {
		c.fail("message", "key %.40q out of order", c.key)
		c.key = nil
	}
	if c.key == nil { // the empty key
		c.key = []byte{}
	}
}

// at reports whether the field of this key is there: to be read now, or to be written now because it says something.
func (c *codec) at(key string, says bool) bool {
	if c.err != nil {
		return false
	}
	if c.writing {
		if !says {
			return false
		}
		c.typed(key)
		c.out = bencode.AppendString(c.out, key)
		return true
	}
	for c.key != nil && string(c.key) < key {
		c.in.Skip() // unknown, or "m"
		c.nextKey()
	}
	return c.err == nil && string(c.key) == key && c.key != nil
}

// typed writes the type where its key belongs.
func (c *codec) typed(before string) {
	if c.kind != "" && before > "m" {
		c.out = bencode.AppendString(c.out, "m")
		c.out = bencode.AppendString(c.out, c.kind)
		c.kind = ""
	}
}

// end closes the dictionary, past keys that are unknown.
func (c *codec) end() {
	if c.writing {
		c.typed("n")
		c.out = append(c.out, 'e')
		return
	}
	for c.err == nil && c.key != nil {
		c.in.Skip()
		c.nextKey()
	}
}

// text reads a string after at.
func (c *codec) text(key string) []byte {
	b, ok := c.in.Bytes()
	if !ok {
		c.fail(key, "not a string")
	}
	c.nextKey()
	return b
}

// bytes is a string of low to high bytes; when low is 0 it may be absent. What is read is a slice of the frame.
func (c *codec) bytes(key string, v *[]byte, low, high int) {
	if !c.at(key, len(*v) > 0) {
		if low > 0 {
			c.fail(key, "missing")
		}
		return
	}
	b := *v
	if c.writing {
		c.out = bencode.AppendString(c.out, b)
	} else if b = c.text(key); len(b) > 0 {
		*v = b
	}
	if len(b) < low || len(b) > high {
		c.fail(key, "%d bytes, want %d to %d", len(b), low, high)
	}
}

// fixed is a string that fills v.
func (c *codec) fixed(key string, v []byte, optional bool) {
	if !c.at(key, !optional || !isZero(v)) {
		if !optional {
			c.fail(key, "missing")
		}
		return
	}
	if c.writing {
		c.out = bencode.AppendString(c.out, v)
		return
	}
	if b := c.text(key); copy(v, b) != len(b) || len(b) != len(v) {
		c.fail(key, "%d bytes, want %d", len(b), len(v))
	}
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// words is an optional text in UTF-8.
func (c *codec) words(key string, v *string, high int) {
	b := []byte(*v)
	c.bytes(key, &b, 0, high)
	if !utf8.Valid(b) {
		c.fail(key, "not UTF-8")
	}
	*v = string(b)
}

// number is an integer from 0 to high, absent when 0.
func (c *codec) number(key string, v *int64, high int64) {
	if !c.at(key, *v != 0) {
		return
	}
	if c.writing {
		c.out = bencode.AppendInt(c.out, *v)
	} else {
		n, ok := c.in.Int64()
		if !ok {
			c.fail(key, "not a number")
		}
		*v = n
		c.nextKey()
	}
	if *v < 0 || *v > high {
		c.fail(key, "%d, want 0 to %d", *v, high)
	}
}

func (c *codec) flag(key string, v *bool) {
	n := int64(0)
	if *v {
		n = 1
	}
	c.number(key, &n, 1)
	*v = n == 1
}

// ids is one string of low to high ids; kind 0 is any.
func (c *codec) ids(key string, v *[]blob.ID, low, high int, kind blob.Kind) {
	const size = len(blob.ID{})
	var b []byte
	if c.writing {
		b = make([]byte, 0, size*len(*v))
		for _, id := range *v {
			b = append(b, id[:]...)
		}
	}
	if c.bytes(key, &b, low*size, high*size); c.err != nil {
		return
	}
	if len(b)%size != 0 {
		c.fail(key, "%d bytes are not whole ids", len(b))
		return
	}
	var list []blob.ID
	if n := len(b) / size; n > 0 && !c.writing {
		list = make([]blob.ID, n)
	}
	for i := range len(b) / size {
		id := blob.ID(b[i*size:])
		if kind != 0 && id.Kind() != kind {
			c.fail(key, "an id of kind %d, want %d", id.Kind(), kind)
		}
		if !c.writing {
			list[i] = id
		}
	}
	if !c.writing {
		*v = list
	}
}

// id is one id, of a kind unless that is 0.
func (c *codec) id(key string, v *blob.ID, kind blob.Kind) {
	c.fixed(key, v[:], false)
	if c.err == nil && kind != 0 && v.Kind() != kind {
		c.fail(key, "an id of kind %d, want %d", v.Kind(), kind)
	}
}

// list is a list of at most high items, absent when empty; item reads or writes one.
func list[T any](c *codec, key string, v *[]T, high int, item func(*codec, *T)) {
	if !c.at(key, len(*v) > 0) {
		return
	}
	if c.writing {
		c.out = append(c.out, 'l')
		for i := range *v {
			item(c, &(*v)[i])
		}
		c.out = append(c.out, 'e')
	} else if c.in.Enter(bencode.List) {
		for c.err == nil && len(*v) <= high && c.in.More() {
			var x T
			item(c, &x)
			*v = append(*v, x)
		}
		if len(*v) <= high {
			c.nextKey()
		}
	} else {
		c.fail(key, "not a list")
	}
	if len(*v) > high {
		c.fail(key, "more than %d", high)
	}
}

// dict is an item of a list that is a dictionary.
func dict(c *codec, fields func(*codec)) {
	if c.writing {
		c.out = append(c.out, 'd')
		inner := codec{writing: true, out: c.out, err: c.err}
		fields(&inner)
		inner.end()
		c.out, c.err = inner.out, inner.err
		return
	}
	inner := codec{in: c.in, err: c.err}
	inner.open()
	fields(&inner)
	inner.end()
	c.err = inner.err
}

// item is a string of a list, of at most high bytes.
func (c *codec) item(key string, v *[]byte, high int) {
	if c.writing {
		c.out = bencode.AppendString(c.out, *v)
	} else {
		b, ok := c.in.Bytes()
		if !ok {
			c.fail(key, "not a list of strings")
		}
		*v = b
	}
	if len(*v) > high {
		c.fail(key, "%d bytes, want at most %d", len(*v), high)
	}
}

// addrs is a list of addresses in their compact form. Zones are not sent: they mean something on one machine only.
func (c *codec) addrs(key string, v *[]netip.AddrPort, high int) {
	list(c, key, v, high, func(c *codec, a *netip.AddrPort) {
		var b []byte
		if c.writing {
			b = binary.BigEndian.AppendUint16(a.Addr().Unmap().WithZone("").AsSlice(), a.Port())
		}
		c.item(key, &b, 18)
		if n := len(b) - 2; n != 4 && n != 16 {
			c.fail(key, "an address of %d bytes", len(b))
		} else if ip, _ := netip.AddrFromSlice(b[:n]); !c.writing {
			*a = netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(b[n:]))
		}
	})
}

// units is one string of 1 to MaxUnits units.
func (c *codec) units(key string, v *[][32]byte) {
	var b []byte
	if c.writing {
		b = bytes.Join(asSlices(*v), nil)
	}
	if c.bytes(key, &b, 32, MaxUnits*32); c.err != nil || c.writing {
		return
	}
	if len(b)%32 != 0 {
		c.fail(key, "%d bytes are not whole units", len(b))
		return
	}
	*v = make([][32]byte, 0, len(b)/32)
	for u := range slices.Chunk(b, 32) {
		*v = append(*v, [32]byte(u))
	}
}

func asSlices(units [][32]byte) [][]byte {
	out := make([][]byte, len(units))
	for i := range units {
		out[i] = units[i][:]
	}
	return out
}
