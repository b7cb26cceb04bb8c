package bt

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
)

// What goes out and comes in is counted once, whatever is hashed, before it goes; who waits for that does not keep the data
// from being closed.
func TestDataPace(t *testing.T) {
	t.Parallel()
	info, data := secretData(4<<20, 64<<10)
	a, b := discreet(t), discreet(t)
	var up, down atomic.Int64
	count := func(to *atomic.Int64) func(context.Context, int) error {
		return func(_ context.Context, n int) error { to.Add(int64(n)); return nil }
	}
	got := memory(data, 64<<10, none)
	openData(t, a, DataOptions{Info: info, Storage: memory(data, 64<<10, all), Admit: func(netip.Addr) bool { return true }, Up: count(&up), Down: count(&down)})
	d := openData(t, b, DataOptions{Info: info, Storage: got, Peers: []netip.AddrPort{online(t, a)}, Up: count(&up), Down: count(&down)})
	if err := d.Wait(patient(t)); err != nil || !bytes.Equal(got.data, data) {
		t.Fatal(err)
	}
	for _, n := range []int64{up.Load(), down.Load()} {
		if n < int64(len(data)) || n > int64(len(data))*11/10 {
			t.Errorf("%d bytes were counted of %d", n, len(data))
		}
	}

	waits := make(chan bool, 100)
	shut := func(ctx context.Context, _ int) error { waits <- true; <-ctx.Done(); return ctx.Err() }
	info, data = secretData(4<<20+1, 64<<10)
	da := openData(t, a, DataOptions{Info: info, Storage: memory(data, 64<<10, all), Admit: func(netip.Addr) bool { return true }})
	db := openData(t, b, DataOptions{Info: info, Storage: memory(data, 64<<10, none), Peers: []netip.AddrPort{online(t, a)}, Down: shut})
	<-waits
	if err := errors.Join(db.Close(), da.Close()); err != nil {
		t.Error(err)
	}
}
