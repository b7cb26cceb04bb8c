package bencode

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// A Document is one value of any size that can be looked into. It is not held in memory: what it is read from is read
// again, or was kept in a temporary file, see [Decoder].
type Document struct {
	d    *Decoder
	root Node
}

// NewDocument reads the one value of r, and checks it. A *SyntaxError says that it is none, or that something follows.
// Of the limits Count is none unless it is given.
func NewDocument(r io.Reader, lim Limits) (*Document, error) {
	d := NewDecoder(r, DecoderOptions{Limits: lim})
	err := d.Next(nil)
	if err == io.EOF {
		err = &SyntaxError{d.Offset(), "a value", endOfInput}
	}
	if err == nil {
		err = d.End()
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	in := d.again
	if in == nil {
		in = &d.kept
	}
	return &Document{d, Node{in: &readAhead{r: in}, off: d.begin, size: d.length, odd: d.found.odd}}, nil
}

// Root is all of the value.
func (doc *Document) Root() Node { return doc.root }

// Close removes the temporary file, if there is one. What it was read from stays open.
func (doc *Document) Close() error { return doc.d.Close() }

// A Node is a value within a Document, or that itself. The zero Node is none. Nodes of a document must not be used
// concurrently.
type Node struct {
	in        io.ReaderAt
	off, size int64
	odd       bits // which dictionaries of the document have unsorted or repeated keys
	dicts     int  // dictionaries of the document that begin before this node
}

// Exists reports whether n is a node.
func (n Node) Exists() bool { return n.in != nil }

// Reader reads the bytes of the node as they stand.
func (n Node) Reader() *io.SectionReader { return io.NewSectionReader(n.in, n.off, n.size) }

// Kind is the kind of the value, End when it cannot be read.
func (n Node) Kind() Kind {
	var b [1]byte
	if n.in == nil || n.size == 0 {
		return End
	}
	if _, err := n.in.ReadAt(b[:], n.off); err != nil && err != io.EOF {
		return End
	}
	return NewCursor(b[:]).Kind()
}

// WriteJSON writes the node as JSON, as [Decoder.WriteJSON] does.
func (n Node) WriteJSON(w io.Writer, opts JSONOptions) error {
	d := NewDecoder(n.Reader(), DecoderOptions{Limits: unlimited})
	d.r.least = n.least()
	if err := d.Next(nil); err != nil {
		return changed(err)
	}
	return d.WriteJSON(w, opts)
}

// WriteText writes the bytes of a string, or the digits of an integer; of other kinds nothing.
func (n Node) WriteText(w io.Writer) error {
	r := n.tokens()
	t, _, err := r.next()
	if err != nil {
		return changed(err)
	}
	if _, err := w.Write(r.buf[t.start:t.end]); err != nil {
		return err
	}
	for r.left > 0 {
		b, err := r.piece()
		if err != nil {
			return changed(err)
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func (n Node) tokens() *Reader {
	r := NewReader(n.Reader(), unlimited)
	r.split, r.least = true, n.least()
	return r
}

// least is how much to read at a time: small nodes are many.
func (n Node) least() int { return int(min(n.size+1, 32<<10)) }

// changed is for what was good when it was checked.
func changed(err error) error {
	if err == io.EOF || IsSyntax(err) {
		return fmt.Errorf("reading it again: it has changed: %w", err)
	}
	return err
}

// A child is an item of a list, or an entry of a dictionary.
type child struct {
	Node
	key []byte // valid until the next child is asked for
}

// children steps through the children of a node, which go on until one does not exist.
type children struct {
	n    Node
	r    *Reader
	kind Kind
}

func (n Node) children() (*children, error) {
	c := &children{n: n, r: n.tokens()}
	t, _, err := c.r.next()
	c.kind = t.kind
	if t.kind == Dict {
		c.n.dicts++
	}
	return c, changed(err)
}

func (c *children) next() (child, error) {
	var key []byte
	if c.kind == Dict {
		c.r.forget()
		t, done, err := c.r.next()
		if done || err != nil {
			return child{}, changed(err)
		}
		key = bytes.Clone(c.r.buf[t.start:t.end])
	}
	at := Node{in: c.n.in, off: c.n.off + c.r.Offset(), odd: c.n.odd, dicts: c.n.dicts}
	end, err := c.skip()
	if end || err != nil {
		return child{}, changed(err)
	}
	at.size = c.n.off + c.r.Offset() - at.off
	return child{at, key}, nil
}

// skip steps over a value; end means that there was none.
func (c *children) skip() (end bool, err error) {
	for depth := 0; ; {
		c.r.forget()
		t, done, err := c.r.next()
		if err != nil || done {
			return true, err
		}
		for c.r.left > 0 {
			if _, err := c.r.piece(); err != nil {
				return false, err
			}
		}
		switch t.kind {
		case Dict:
			c.n.dicts++
			depth++
		case List:
			depth++
		case End:
			depth--
		}
		if depth == 0 {
			return false, nil
		}
	}
}

// text reads the bytes of a string, and says how many they are.
func (n Node) text() (io.Reader, int64, error) {
	head := make([]byte, min(n.size, 24)) // longer than the head of any string
	if _, err := n.in.ReadAt(head, n.off); err != nil && err != io.EOF {
		return nil, 0, err
	}
	colon := int64(bytes.IndexByte(head, ':')) + 1
	size := n.size - colon
	return bufio.NewReader(io.NewSectionReader(n.in, n.off+colon, size)), size, nil
}

// A readAhead reads many small pieces that lie one after the other as fewer large ones.
type readAhead struct {
	r   io.ReaderAt
	buf []byte // what r has at off
	off int64
}

const readAheadSize = 64 << 10

func (a *readAhead) ReadAt(p []byte, off int64) (int, error) {
	if len(p) > readAheadSize/4 {
		return a.r.ReadAt(p, off)
	}
	if off < a.off || off+int64(len(p)) > a.off+int64(len(a.buf)) {
		if a.buf == nil {
			a.buf = make([]byte, readAheadSize)
		}
		n, err := a.r.ReadAt(a.buf[:readAheadSize], off)
		if a.buf, a.off = a.buf[:n], off; n < len(p) {
			return copy(p, a.buf), err
		}
	}
	return copy(p, a.buf[off-a.off:]), nil
}
