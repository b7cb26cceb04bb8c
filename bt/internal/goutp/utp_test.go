package utp

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// A connection carries bytes both ways, and plain packets still pass beside it.
func TestSocket(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	a, err := NewSocket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewSocketFromPacketConn(pc)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	go func() {
		c, err := b.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.Copy(c, c)
	}()
	c, err := a.DialContext(ctx, "udp4", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("over uTP")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("over uTP"))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "over uTP" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := a.WriteTo([]byte("d1:x1:ye"), b.Addr()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := b.ReadFrom(got); err != nil || string(got[:n]) != "d1:x1:ye" {
		t.Errorf("%q, %v", got[:n], err)
	}
}
