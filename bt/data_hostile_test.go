package bt

import (
	"bytes"
	"net/netip"
	"testing"
	"time"
)

// A peer vouches for pieces that are not what they should be. None of them is taken for good, and who is honest brings them.
func TestDataHostileSeeder(t *testing.T) {
	t.Parallel()
	const length = 32 << 10
	info, data := secretData(40*length-99, length)
	at := func(addr string) func(*Config) { return func(c *Config) { c.Listen = addr } }
	liar, honest, leech := discreet(t, at("127.0.0.66")), discreet(t, at("127.0.0.67")), discreet(t, at("127.0.0.68"))
	spoilt := bytes.Clone(data)
	for i := 0; i < len(spoilt); i += 3 * length {
		spoilt[i+7] ^= 1
	}
	lies := memory(spoilt, length, all)
	openData(t, liar, DataOptions{Info: info, Storage: lies, ServeOnly: true, Admit: func(netip.Addr) bool { return true }})
	got := memory(data, length, none)
	d := openData(t, leech, DataOptions{Info: info, Storage: got, Peers: []netip.AddrPort{online(t, liar)}})
	lied := func() bool { s := d.swarm.lib.Stats(); return s.PiecesDirtiedBad.Int64() > 0 }
	for end := time.Now().Add(time.Minute); !lied() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	openData(t, honest, DataOptions{Info: info, Storage: memory(data, length, all), ServeOnly: true, Admit: func(netip.Addr) bool { return true }})
	d.AddPeers([]netip.AddrPort{online(t, honest)})
	if err := d.Wait(patient(t)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.data, data) {
		t.Error("a wrong byte is here")
	}
	if !lied() {
		t.Error("nobody lied")
	}
}
