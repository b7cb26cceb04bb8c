package bencode

import "bytes"

// fastRoom is more than an integer or the length of a string takes here.
const fastRoom = 24

// fast takes tokens in the first reading as long as they are of the common kind: whole in buf, within a list or
// dictionary that stays open, canonical. All else it leaves to survey, which it spares most of its work.
func (d *Decoder) fast() {
	r := d.r
	g := &r.g
	b, i, count := r.buf, r.pos, g.count
	for i+fastRoom < len(b) && len(g.open) > 0 && count < g.lim.Count {
		top := &g.open[len(g.open)-1]
		next := i
		switch c := b[i]; {
		case isDigit(c):
			var text []byte
			if text, next = fastString(b, i); next < 0 {
				break
			}
			if *top != 'd' {
				break
			}
			l := &d.levels[len(d.levels)-1]
			if l.any && bytes.Compare(l.last, text) >= 0 {
				next = -1
				break
			}
			l.any, l.last = true, append(l.last[:0], text...)
			*top = 'v'
			i = next
			count++
			continue
		case *top == 'd':
			if next = -1; c == 'e' && len(g.open) > 1 {
				next = d.fastEnd(i)
				count--
			}
		case c == 'i':
			next = fastInt(b, i)
		case c == 'e' && *top == 'l' && len(g.open) > 1:
			next = d.fastEnd(i)
			count--
		case (c == 'l' || c == 'd') && len(g.open) < g.lim.Depth:
			nth := -1
			if c == 'd' {
				nth = d.found.dicts
				d.found.dicts++
			}
			d.open(nth)
			g.open = append(g.open, c)
			count++
			i++
			continue
		default:
			next = -1
		}
		if next < 0 {
			break
		}
		if top := &g.open[len(g.open)-1]; *top == 'v' {
			*top = 'd'
		}
		count++
		i = next
	}
	r.pos, g.count = i, count
}

// fast does the same in the second reading, as long as there is room in out. What most values are, short integers and
// simple strings, it writes itself.
func (j *jsonWriter) fast() {
	r := j.r
	g := &r.g
	b, i := r.buf, r.pos
	for i+fastRoom < len(b) && len(g.open) > 0 && len(j.out) < jsonBuffer {
		top := len(g.open) - 1
		in, c, next := g.open[top], b[i], -1
		switch {
		case isDigit(c):
			var text []byte
			if text, next = fastString(b, i); next < 0 {
				break
			}
			if in == 'd' {
				j.key(text)
				g.open[top] = 'v'
				i = next
				continue
			}
			if lv := &j.open[top]; lv.dict && (lv.odd || lv.next.binary) || !j.simpleItem(lv, text) {
				_ = j.one(String, text) // the error is that of a long string, of which there is none here
			}
		case in == 'd' && c != 'e':
		case c == 'i':
			if next = fastInt(b, i); next < 0 {
				break
			}
			if lv := &j.open[top]; next-i > 17 || lv.odd {
				_ = j.one(Int, b[i+1:next-1])
			} else {
				if !lv.dict {
					j.item(lv)
				}
				j.out = append(j.out, b[i+1:next-1]...)
			}
		case (c == 'l' || c == 'd') && len(g.open) < g.lim.Depth:
			_ = j.one(Kind(c), nil)
			g.open = append(g.open, c)
			i++
			continue
		case c == 'e' && in != 'v' && top > 0:
			next = i + 1
			g.open = g.open[:top]
			j.close()
			top--
		}
		if next < 0 {
			break
		}
		i = next
		if g.open[top] == 'v' {
			g.open[top] = 'd'
		}
	}
	r.pos = i
}

// simpleItem writes a simple string as an item of a list, or as the value of a key.
func (j *jsonWriter) simpleItem(lv *jsonLevel, text []byte) bool {
	if !isSimple(text) {
		return false
	}
	if !lv.dict {
		j.item(lv)
	}
	out := append(j.out, '"')
	out = append(out, text...)
	j.out = append(out, '"')
	return true
}

// fastEnd closes what is open, and returns where to go on.
func (d *Decoder) fastEnd(i int) int {
	d.r.g.open = d.r.g.open[:len(d.r.g.open)-1]
	d.levels = d.levels[:len(d.levels)-1]
	return i + 1
}

// fastString is the string at b[i:] and where it ends; -1 when it is not whole, or too long for this.
func fastString(b []byte, i int) (text []byte, next int) {
	n := int(b[i] - '0')
	for i++; isDigit(b[i]); i++ {
		if n == 0 || n > 999 {
			return nil, -1
		}
		n = n*10 + int(b[i]-'0')
	}
	if i++; b[i-1] != ':' || i+n > len(b) {
		return nil, -1
	}
	return b[i : i+n], i + n
}

// fastInt is where the integer at b[i:] ends; -1 when it is long or not canonical.
func fastInt(b []byte, i int) (next int) {
	i++
	if b[i] == '-' {
		i++
		if b[i] == '0' {
			return -1
		}
	}
	if b[i] == '0' && b[i+1] != 'e' {
		return -1
	}
	first := i
	for isDigit(b[i]) {
		if i++; i-first > 18 {
			return -1
		}
	}
	if i == first || b[i] != 'e' {
		return -1
	}
	return i + 1
}
