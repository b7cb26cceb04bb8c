package index

import "maps"

// Covers reports whether d was seen.
func (c Context) Covers(d Dot) bool { return d.Counter <= c[d.Writer] }

// Max is the context of all that c or d has seen.
func (c Context) Max(d Context) Context {
	m := c.Clone()
	for w, n := range d {
		m[w] = max(m[w], n)
	}
	return m
}

// Leq reports whether d has seen all that c has.
func (c Context) Leq(d Context) bool {
	for w, n := range c {
		if n > d[w] {
			return false
		}
	}
	return true
}

// Equal reports whether c and d have seen the same.
func (c Context) Equal(d Context) bool { return c.Leq(d) && d.Leq(c) }

// Clone is a copy of c, never nil.
func (c Context) Clone() Context {
	if c == nil {
		return Context{}
	}
	return maps.Clone(c)
}
