package bencode

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

func (j *jsonWriter) int(digits []byte) {
	if len(digits) > 15 {
		n, ok := parseInt64(digits)
		ok = ok && -maxSafeInt <= n && n <= maxSafeInt
		if !ok || oddInt(digits) {
			j.bigInt(digits)
			return
		}
	} else if oddInt(digits) {
		j.bigInt(digits)
		return
	}
	j.out = append(j.out, digits...)
}

func (j *jsonWriter) bigInt(digits []byte) {
	j.out = append(j.out, `{"$int":"`...)
	j.out = append(j.out, digits...)
	j.out = append(j.out, `"}`...)
}

// simple writes a short text that stands for itself, which most are; false when s is anything else.
func (j *jsonWriter) simple(s []byte) bool {
	if !isSimple(s) {
		return false
	}
	out := append(j.out, '"')
	out = append(out, s...)
	j.out = append(out, '"')
	return true
}

func isSimple(s []byte) bool {
	if len(s) == 0 || len(s) > 100 || s[0] == '$' || len(s) > 3 && s[3] == ':' || len(s) > 6 && s[6] == ':' {
		return false
	}
	for _, c := range s {
		if !simpleByte[c] {
			return false
		}
	}
	return true
}

// simpleByte are the bytes that stand for themselves in JSON, and are ASCII.
var simpleByte = func() (t [256]bool) {
	for c := range t {
		t[c] = plain[c] && c < utf8.RuneSelf
	}
	return t
}()

// string writes a string that is a value: s, or what is left of a long one. Omitted means that it is not there.
func (j *jsonWriter) string(s []byte, binary bool) (omitted bool, err error) {
	length, long := int64(len(s)), j.r.left > 0
	if long {
		length = j.r.left
		binary = binary || j.found.binary.has(j.longs)
		j.longs++
	} else {
		binary = binary || !utf8.Valid(s)
	}
	switch {
	case j.opts.Binary == Omit && binary:
		j.omit()
		return true, j.skipRest()
	case j.opts.Binary == Summary && length > summarised:
		prefix := textPrefix
		if binary {
			prefix = hexPrefix
		}
		j.out = fmt.Appendf(j.out, `"%s%s%s bytes)"`, prefix, summaryMark, thousands(length))
		return false, j.skipRest()
	}
	j.out = append(j.out, '"')
	switch {
	case long:
		err = j.long(binary)
	case binary:
		j.binary(s)
	default:
		j.text(s, true, false)
	}
	j.out = append(j.out, '"')
	return false, err
}

// omit takes the key back when there is one.
func (j *jsonWriter) omit() {
	if n := len(j.open); n > 0 && j.open[n-1].dict {
		top := &j.open[n-1]
		j.out = j.out[:top.entry]
		top.n--
		return
	}
	j.out = append(j.out, "null"...)
}

// skipRest steps over what is left of a long string.
func (j *jsonWriter) skipRest() error {
	for j.r.left > 0 {
		if _, err := j.r.piece(); err != nil {
			return err
		}
	}
	return nil
}

// long writes what is left of a long string.
func (j *jsonWriter) long(binary bool) error {
	var enc io.WriteCloser
	switch {
	case binary && j.opts.Binary == Base64:
		j.out = append(j.out, base64Prefix...)
		enc = base64.NewEncoder(base64.StdEncoding, appender{&j.out})
	case binary:
		j.out = append(j.out, hexPrefix...)
	}
	for first := true; j.r.left > 0; first = false {
		b, err := j.r.piece()
		if err != nil {
			return err
		}
		switch {
		case enc != nil:
			_, _ = enc.Write(b) // an appender does not fail
		case binary:
			j.out = hex.AppendEncode(j.out, b)
		default:
			j.text(b, first, false)
		}
		if err := j.flush(); err != nil {
			return err
		}
	}
	if enc != nil {
		return enc.Close()
	}
	return nil
}

type appender struct{ to *[]byte }

func (a appender) Write(p []byte) (int, error) {
	*a.to = append(*a.to, p...)
	return len(p), nil
}

// text writes a text, or a piece of one; the key of a plain object must not begin with "$".
func (j *jsonWriter) text(s []byte, first, key bool) {
	if first && len(s) > 0 && (s[0] == 'h' || s[0] == 'b' || s[0] == 's' || s[0] == '$') {
		if hasPrefix(string(s[:min(len(s), len(base64Prefix))])) || key && s[0] == '$' {
			j.out = append(j.out, textPrefix...)
		}
	}
	done := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if plain[c] && (c < utf8.RuneSelf || !j.opts.Graphic) {
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(s[i:])
			if unicode.IsGraphic(r) {
				i += n - 1
				continue
			}
			j.out = append(j.out, s[done:i]...)
			j.escapeRune(r)
			size = n
		} else {
			j.out = append(j.out, s[done:i]...)
			j.escape(c)
		}
		done = i + size
		i = done - 1
	}
	j.out = append(j.out, s[done:]...)
}

// plain are the bytes of a text that stand for themselves in JSON.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= ' ' && c != '"' && c != '\\' && c != 0x7f
	}
	return t
}()

func (j *jsonWriter) escape(c byte) {
	switch c {
	case '"', '\\':
		j.out = append(j.out, '\\', c)
	case '\n':
		j.out = append(j.out, `\n`...)
	default:
		j.out = fmt.Appendf(j.out, `\u%04x`, c)
	}
}

func (j *jsonWriter) escapeRune(r rune) {
	if r1, r2 := utf16.EncodeRune(r); r1 != unicode.ReplacementChar {
		j.out = fmt.Appendf(j.out, `\u%04x\u%04x`, r1, r2)
		return
	}
	j.out = fmt.Appendf(j.out, `\u%04x`, r)
}

func (j *jsonWriter) binary(s []byte) {
	if j.opts.Binary == Base64 {
		j.out = append(j.out, base64Prefix...)
		j.out = base64.StdEncoding.AppendEncode(j.out, s)
		return
	}
	j.out = append(j.out, hexPrefix...)
	j.out = hex.AppendEncode(j.out, s)
}

const (
	hexPrefix    = "hex:"
	base64Prefix = "base64:"
	textPrefix   = "str:"
	summaryMark  = "…(" // after a prefix: what follows is not the string
)

func hasPrefix(s string) bool {
	return strings.HasPrefix(s, hexPrefix) || strings.HasPrefix(s, base64Prefix) || strings.HasPrefix(s, textPrefix)
}

// thousands is a number as people read it: 34,300.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
