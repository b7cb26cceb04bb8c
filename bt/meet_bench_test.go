package bt

import (
	"net/netip"
	"runtime"
	"testing"
)

// Frames a second, one way, a window of 64 under way.
func BenchmarkMeetFrames(b *testing.B) {
	for _, size := range []int{100, 40 << 10} {
		b.Run(map[int]string{100: "100B", 40 << 10: "40KiB"}[size], func(b *testing.B) {
			ca, cb := pair(b, discreet(b), discreet(b))
			b.SetBytes(int64(size))
			window := make(chan struct{}, 64)
			ended := make(chan error, 1)
			b.ResetTimer()
			go func() {
				for range b.N {
					if _, err := cb.Recv(b.Context()); err != nil {
						ended <- err
						return
					}
					<-window
				}
				ended <- nil
			}()
			for range b.N {
				window <- struct{}{}
				if err := ca.Send(b.Context(), make([]byte, size)); err != nil {
					b.Fatal(err)
				}
			}
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// There and back.
func BenchmarkMeetLatency(b *testing.B) {
	ca, cb := pair(b, discreet(b), discreet(b))
	go func() {
		for {
			f, err := cb.Recv(b.Context())
			if err != nil || cb.Send(b.Context(), f) != nil {
				return
			}
		}
	}()
	b.ResetTimer()
	for range b.N {
		if err := ca.Send(b.Context(), []byte("ping")); err != nil {
			b.Fatal(err)
		}
		if _, err := ca.Recv(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// What a meeting holds that nobody comes to, and one connection of it.
func BenchmarkMeetIdle(b *testing.B) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc + s.StackInuse)
	}
	for b.Loop() {
		const n = 1000
		c := discreet(b)
		online(b, c)
		before, running := heap(), runtime.NumGoroutine()
		var open []*Meeting
		for i := range n {
			m, err := c.Meet(b.Context(), MeetOptions{InfoHash: InfoHash{1, byte(i), byte(i >> 8)}, Extension: meetName, OnConn: func(*MeetConn) {}})
			if err != nil {
				b.Fatal(err)
			}
			open = append(open, m)
		}
		b.ReportMetric(float64(heap()-before)/n, "B/meeting")
		b.ReportMetric(float64(runtime.NumGoroutine()-running)/n, "goroutines/meeting")
		for _, m := range open {
			m.Close()
		}
		b.ReportMetric(connectionCost(b, heap), "B/connection")
		c.Close()
	}
}

// connectionCost is what both ends of a connection hold, with its meetings.
func connectionCost(b *testing.B, heap func() int64) float64 {
	const n = 50
	one, two := discreet(b), discreet(b)
	to := online(b, one)
	online(b, two)
	before := heap()
	met := make(chan *MeetConn, 2*n)
	for i := range n {
		opts := MeetOptions{InfoHash: InfoHash{2, byte(i)}, Extension: meetName, OnConn: func(c *MeetConn) { c.Accept(); met <- c }}
		if _, err := one.Meet(b.Context(), opts); err != nil {
			b.Fatal(err)
		}
		opts.Peers = []string{to.String()}
		if _, err := two.Meet(b.Context(), opts); err != nil {
			b.Fatal(err)
		}
	}
	for range 2 * n {
		within(b, "a connection", met)
	}
	cost := float64(heap()-before) / n
	one.Close()
	two.Close()
	return cost
}

// One session fetches from another through callers' storages.
func BenchmarkData(b *testing.B) {
	for _, o := range []struct {
		name       string
		n, length  int
		unverified int64
		both       bool
	}{
		{"64MiB", 64 << 20, 256 << 10, 0, false},
		{"64MiB-both", 64 << 20, 256 << 10, 0, true},
		{"512MiB", 512 << 20, 256 << 10, 0, false},
		{"512MiB-unverified512", 512 << 20, 256 << 10, 512 << 20, false},
	} {
		b.Run(o.name, func(b *testing.B) {
			info, data := secretData(o.n, o.length)
			b.SetBytes(int64(o.n))
			var kicks int64
			for b.Loop() {
				b.StopTimer()
				cfg := func(c *Config) { c.MaxUnverified = o.unverified }
				one, two := discreet(b, cfg), discreet(b, cfg)
				sink := memory(data, o.length, none)
				do := openData(b, one, DataOptions{Info: info, Storage: &memStore{pieceLength: int64(o.length), data: data, have: memoryAll(o.n, o.length)},
					Admit: func(netip.Addr) bool { return true }})
				b.StartTimer()
				dt := openData(b, two, DataOptions{Info: info, Storage: sink, Peers: []netip.AddrPort{online(b, one)},
					Admit: func(netip.Addr) bool { return true }})
				if o.both {
					do.AddPeers([]netip.AddrPort{online(b, two)})
				}
				if err := dt.Wait(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				kicks += dt.swarm.kicks.Load()
				one.Close()
				two.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(kicks), "kicks")
		})
	}
}

func memoryAll(n, length int) map[int]bool {
	have := map[int]bool{}
	for i := 0; i*length < n; i++ {
		have[i] = true
	}
	return have
}
