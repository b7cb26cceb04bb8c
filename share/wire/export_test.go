package wire

// Secure is what c speaks through, for tests that speak in its place.
func (c *Conn) Secure() *Secure { return c.secure }
