package bt_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"shoal/bt"
	"shoal/bt/bttest"
)

// A limit holds from the moment it is set, both ways.
func TestRealLimits(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"down", "up"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			const size, limit = 4 << 20, 1 << 20
			m, torrent, path := single(t, size, bt.CreateOptions{})
			from, to := session(t, bt.Config{}), session(t, bt.Config{})
			seeded(t, from, m, path, bt.SeedOptions{})
			if way == "down" {
				to.SetLimits(limit, 0)
			} else {
				from.SetLimits(0, limit)
			}
			began := time.Now()
			download(t, to, torrent, path, bt.DownloadOptions{
				Peers: []string{from.Addr().String()}, Progress: func(p bt.Progress) {
					took := time.Since(began)
					if took > 2*time.Second {
						from.SetLimits(0, 0)
						to.SetLimits(0, 0)
						return
					}
					// A burst of blocks, and what the kernel holds, may be ahead of the limit.
					if most := int64(took.Seconds()*limit) + 1<<20; p.Done > most {
						t.Errorf("%d bytes after %v at %d a second", p.Done, took, limit)
					}
				},
			})
			if took := time.Since(began); took < 2*time.Second || took > 10*time.Second {
				t.Errorf("it took %v, with the limit gone after 2 s", took)
			}
		})
	}
}

func TestRealBlocked(t *testing.T) {
	t.Parallel()
	list, err := bt.ReadBlocklist(strings.NewReader("127.0.0.0/8\n"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		from, to bt.Config
		want     bt.Code
	}{
		{"blocklist, dialled", bt.Config{}, bt.Config{Blocklist: list}, bt.NoPeers},
		{"blocklist, dialling", bt.Config{Blocklist: list}, bt.Config{}, bt.NoPeers},
		{"allowlist", bt.Config{}, bt.Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, bt.NoPeers},
		{"allowlist of the seed", bt.Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, bt.Config{}, bt.NoPeers},
		{"allowed", bt.Config{}, bt.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, bt.OK},
		{"local only", bt.Config{LANOnly: true}, bt.Config{LANOnly: true}, bt.OK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, torrent, path := single(t, 100_000, bt.CreateOptions{})
			from := session(t, tt.from)
			seeded(t, from, m, path, bt.SeedOptions{})
			_, err := session(t, tt.to).Download(t.Context(), source(t, torrent), bt.DownloadOptions{
				Dir: t.TempDir(), Peers: []string{from.Addr().String()}, StallTimeout: 2 * time.Second,
			})
			if bt.CodeOf(err) != tt.want {
				t.Errorf("code %q, want %q: %v", bt.CodeOf(err), tt.want, err)
			}
		})
	}
}

// Four seeds, of which only two may be talked to at once.
func TestRealMaxPeers(t *testing.T) {
	t.Parallel()
	m, torrent, path := single(t, 2<<20, bt.CreateOptions{})
	var peers []string
	for range 4 {
		c := session(t, bt.Config{UploadLimit: 300 << 10})
		seeded(t, c, m, copied(t, path), bt.SeedOptions{})
		peers = append(peers, c.Addr().String())
	}
	most := 0
	download(t, session(t, bt.Config{MaxPeers: 2}), torrent, path, bt.DownloadOptions{
		Peers: peers, Progress: func(p bt.Progress) { most = max(most, p.Peers) },
	})
	if most < 1 || most > 2 {
		t.Errorf("%d peers at once", most)
	}
}

// A session may be closed at any time, twice, and what it was doing ends.
func TestRealCloseEarly(t *testing.T) {
	t.Parallel()
	m, torrent, path := single(t, 4<<20, bt.CreateOptions{})
	from := session(t, bt.Config{UploadLimit: 300 << 10})
	seeding := seeded(t, from, m, path, bt.SeedOptions{})
	for _, arg := range []string{torrent, magnet(m, from.Addr().String())} {
		c := session(t, bt.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
		defer cancel()
		started := make(chan struct{})
		over := make(chan error, 1)
		src := source(t, arg)
		go func() {
			told := false
			_, err := c.Download(ctx, src, bt.DownloadOptions{
				Dir: t.TempDir(), Peers: []string{from.Addr().String()}, Progress: func(p bt.Progress) {
					if p.State == "downloading" && !told {
						told = true
						close(started)
					}
				},
			})
			over <- err
		}()
		<-started
		for range 2 {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-over; err == nil || ctx.Err() != nil {
			t.Errorf("the download in a closed session: %v", err)
		}
		if _, err := c.Download(t.Context(), src, bt.DownloadOptions{Dir: t.TempDir()}); err == nil {
			t.Error("a closed session downloads")
		}
	}
	for range 2 {
		if err := seeding.Close(); err != nil {
			t.Error(err)
		}
	}
}
