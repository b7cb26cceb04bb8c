package node

import (
	"net/netip"
	"slices"
	"testing"
)

func TestUsefulAddresses(t *testing.T) {
	t.Parallel()
	var all []netip.AddrPort
	for _, a := range []string{"127.0.0.1:1", "192.168.1.2:2", "[fe80::1]:3", "[fd00::1]:4", "192.0.2.1:5", "0.0.0.0:6", "224.0.0.1:7", "192.0.2.1:0", "[::ffff:192.0.2.2]:8"} {
		all = append(all, netip.MustParseAddrPort(a))
	}
	for at, want := range map[string][]uint16{
		"127.0.0.1":       {1, 2, 3, 4, 5, 8},
		"10.0.0.1":        {2, 3, 4, 5, 8},
		"::ffff:10.0.0.1": {2, 3, 4, 5, 8},
		"198.51.100.1":    {5, 8},
	} {
		var got []uint16
		for _, a := range useful(all, netip.MustParseAddr(at)) {
			got = append(got, a.Port())
		}
		if !slices.Equal(got, want) {
			t.Errorf("to %s: %v, want %v", at, got, want)
		}
	}
}
