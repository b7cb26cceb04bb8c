package bt

import "testing"

// What is for the local network alone asks no name server elsewhere.
func TestLocalResolver(t *testing.T) {
	t.Parallel()
	r := testTransport(t, Config{}).localResolver()
	if c, err := r.Dial(t.Context(), "udp", "203.0.113.9:53"); err == nil {
		t.Errorf("it asks %s", c.RemoteAddr())
	}
	if c, err := r.Dial(t.Context(), "udp", "127.0.0.53:53"); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}
