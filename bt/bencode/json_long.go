package bencode

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// longString reads a string that is not held as a whole, and writes it to out. It begins at a byte of the stream.
func (p *Encoder) longString(at int64) error {
	p.pos++
	r := &stringReader{p: p}
	head := make([]byte, len(base64Prefix))
	n, err := io.ReadFull(r, head)
	if r.err != nil {
		return r.err
	}
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	all := func(prefix string) io.Reader {
		return io.MultiReader(strings.NewReader(string(head[len(prefix):n])), r)
	}
	text, wrong := all(""), error(nil)
	switch s := string(head[:n]); {
	case strings.HasPrefix(s, hexPrefix):
		text, wrong = hex.NewDecoder(all(hexPrefix)), notHex(nil, at)
	case strings.HasPrefix(s, base64Prefix):
		text, wrong = base64.NewDecoder(base64.StdEncoding.Strict(), all(base64Prefix)), notBase64(nil, at)
	case strings.HasPrefix(s, textPrefix):
		text = all(textPrefix)
	}
	start := p.out.size()
	// Not p.out itself: only what has no ReadFrom or WriteTo of its own is copied in pieces of a bounded size.
	size, err := io.Copy(struct{ io.Writer }{&p.out}, text)
	switch {
	case r.err != nil:
		return r.err
	case err != nil && wrong != nil:
		return wrong
	case err != nil:
		return err
	}
	p.out.insert(start, append(strconv.AppendInt(nil, size, 10), ':'))
	return nil
}

// A stringReader reads what the rest of a JSON string stands for, up to and including its quote.
type stringReader struct {
	p    *Encoder
	have []byte // not given yet
	rune [utf8.UTFMax]byte
	end  bool
	err  error
}

func (r *stringReader) Read(b []byte) (int, error) {
	for len(r.have) == 0 {
		switch {
		case r.err != nil:
			return 0, r.err
		case r.end:
			return 0, io.EOF
		}
		r.have, r.err = r.more()
	}
	n := copy(b, r.have)
	r.have = r.have[n:]
	return n, nil
}

// more is some bytes that come next; none at the end.
func (r *stringReader) more() ([]byte, error) {
	const longest = 12 // bytes that an escape takes
	p := r.p
	p.forget()
	for len(p.buf)-p.pos < longest && p.fill() == nil {
	}
	b := p.buf[p.pos:]
	n := 0
	for n < len(b) && plain[b[n]] || n < len(b) && b[n] == 0x7f {
		n++
	}
	switch {
	case n == len(b) && n > 0:
		if n -= cutRune(b); n == 0 {
			n = len(b)
		}
		fallthrough
	case n > 0:
		if !utf8.Valid(b[:n]) {
			p.pos += invalidAt(b[:n])
			return nil, p.want("UTF-8")
		}
		p.pos += n
		return b[:n], p.sizeError()
	case len(b) == 0:
		return nil, p.want(endOfString)
	case b[0] == '"':
		p.pos++
		r.end = true
		return nil, nil
	case b[0] == '\\':
		c, n, ok := escape(b)
		p.pos += n
		if !ok {
			return nil, p.want(wantEscape)
		}
		return r.rune[:utf8.EncodeRune(r.rune[:], c)], nil
	}
	return nil, p.want(noControl)
}

// sizeError is nil while the value is within its limit.
func (p *Encoder) sizeError() error {
	if p.offset()-p.begin > int64(p.lim.Size) {
		return p.tooLarge()
	}
	return p.out.err
}
