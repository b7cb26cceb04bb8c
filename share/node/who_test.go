package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"
	"testing"

	"shoal/bt/bttest"
	"shoal/share/api"
)

// A tracker learns the infohash of the meeting and an address: no share, no name, no size, and the same of every member
// (docs/shares.md §10).
func TestTrackerSeesLittle(t *testing.T) {
	t.Parallel()
	tracker := bttest.NewTracker(t)
	a, b := newMachine(t, "canary-a"), newMachine(t, "canary-b")
	write(t, a.dir, "canary.txt", bytes.Repeat([]byte("canary"), 1000))
	config := api.ShareConfig{Trackers: []string{tracker.HTTP}}
	if _, err := a.n.Create(context.Background(), api.CreateOptions{Name: "s", Dir: a.dir, Options: config}); err != nil {
		t.Fatal(err)
	}
	a.n.Start()
	token, err := a.n.Token(t.Context(), "s", "store")
	if err != nil {
		t.Fatal(err)
	}
	config.Hosts = []string{a.addr()}
	if _, err := b.n.Add(t.Context(), api.AddOptions{Token: token, Dir: b.dir, Name: "s", Options: config}); err != nil {
		t.Fatal(err)
	}
	b.n.Start()
	b.synced()
	all := tracker.Wait(t, func(all []bttest.Announce) bool { return len(all) >= 2 })
	keys := byName(t, a, "s").keys
	for _, x := range all {
		if x.InfoHash != keys.Rendezvous || x.Uploaded != 0 || x.Downloaded != 0 {
			t.Errorf("%+v", x)
		}
		for _, secret := range []string{"canary", hex.EncodeToString(keys.Share[:]), hex.EncodeToString(keys.PSK[:])} {
			if strings.Contains(x.Path, secret) || strings.Contains(string(x.PeerID[:]), secret) {
				t.Errorf("a tracker sees %q in %+v", secret, x)
			}
		}
		if x.Left != all[0].Left || x.PeerID == [20]byte(keys.Share[:20]) {
			t.Errorf("a tracker can tell members apart: %+v", x)
		}
	}
}
