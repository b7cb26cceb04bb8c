package index

// Bytes is c as heads have it: writers in order, each with its counter.
func (c Context) Bytes() []byte { return c.encode() }
