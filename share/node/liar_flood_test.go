package node

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/wire"
)

// heapNow is how much memory is in use.
func heapNow() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// floods are messages that cost their sender nothing.
func floods(ids []blob.ID) map[string][]wire.Message {
	var addrs []netip.AddrPort
	for i := range wire.MaxPeers {
		addrs = append(addrs, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 66, byte(i >> 8), byte(i)}), uint16(i+1)))
	}
	var units [][32]byte
	for i := range wire.MaxUnits {
		units = append(units, ids[i%len(ids)])
	}
	state := wire.State{Sum: make([]byte, 64), Missing: 1 << 62, Want: 1 << 62, Used: 1 << 62, Quota: 1, Full: true}
	all := map[string][]wire.Message{
		"PEERS": {&wire.Peers{Addrs: addrs}}, "KEEP": {&wire.Keep{N: 1, Units: units, Secs: 86400, Chal: []wire.Challenge{{Unit: 1, Off: 1 << 62}, {}}}},
		"KEPT": {&wire.Kept{N: 1, Bitmap: make([]byte, 128), Until: 86400}}, "STATE": {&state}, "ACK": {&wire.Ack{}},
	}
	for _, id := range ids[:64] {
		all["WANT"] = append(all["WANT"], &wire.Want{ID: id})
		all["NO"] = append(all["NO"], &wire.No{IDs: []blob.ID{id}}, &wire.No{IDs: []blob.ID{id}, Want: true})
	}
	for i := 0; i+64 <= len(ids); i += 64 {
		all["GET"] = append(all["GET"], &wire.Get{IDs: ids[i : i+64]})
	}
	return all
}

// Whoever has the store secret can send as much as it likes of every message: that costs a bounded number of goroutines and
// bytes, and the others go on.
func TestSimLiarFloods(t *testing.T) {
	// Not beside others: it counts what the process has.
	simulate(t, 321, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 5, 3000, 0)
		w.share("admin", "write", "store")
		for what, ms := range floods(fakeIDs(7, blob.Info, 1024)) {
			l := w.liar("store", wire.Hello{})
			l.come()
			l.meets(3)
			heap := heapNow()
			for i := range 32 {
				if l.say(ms...); i%8 == 7 {
					w.quiet() // else it would have to wait for itself
					time.Sleep(time.Second)
				}
			}
			if heap = heapNow() - heap; heap > 48<<20 {
				t.Errorf("a flood of %s: %d bytes", what, heap)
			}
			w.stillSync(t, what, a)
			l.leave()
		}
		w.check(strict{gone: true})
	})
}

// While this node is busy, what one peer asks of it waits in bounded numbers: each WANT would have a goroutine.
func TestSimLiarWaits(t *testing.T) {
	t.Parallel()
	simulate(t, 323, func(t *testing.T, w *simWorld) {
		w.share("admin", "store")
		l := w.liar("store", wire.Hello{})
		l.come()
		l.meets(2)
		s := w.all[0].engine().net
		var p *peer
		for _, q := range s.all() {
			if q.pk == l.self.Key() {
				p = q
			}
		}
		busy := &w.all[0].node().transfers.mu
		busy.Lock()
		for _, id := range fakeIDs(8, blob.Info, 1000) {
			s.Message(p.conn, &wire.Want{ID: id})
		}
		s.mu.Lock()
		if p.wants != maxWants {
			t.Errorf("%d WANTs wait", p.wants)
		}
		s.mu.Unlock()
		busy.Unlock()
		w.quiet()
		time.Sleep(time.Minute)
		l.mu.Lock()
		if n := l.heard[wire.TypeNo]; n != 1000 {
			t.Errorf("%d of them are answered", n)
		}
		l.mu.Unlock()
		w.stillSync(t, "after", w.all[0])
	})
}

// A node comes again and again, under other keys and with other addresses each time: no more than so many are remembered.
func TestSimLiarAddresses(t *testing.T) {
	t.Parallel()
	simulate(t, 322, func(t *testing.T, w *simWorld) {
		w.share("admin", "store")
		for i := range 40 {
			var addrs []netip.AddrPort
			for j := range 32 {
				addrs = append(addrs, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 67, byte(i), byte(j)}), 4000))
			}
			l := w.liar("store", wire.Hello{Addrs: addrs})
			l.come()
			l.meets(2)
			time.Sleep(time.Second)
			l.leave()
		}
		for _, m := range w.all {
			e := m.engine()
			err := e.node.db.View(e.ctx, func(t *db.Tx) error {
				all, err := t.Peers(e.n, 9999)
				if len(all) != db.MaxPeers {
					w.t.Errorf("%s remembers %d addresses", m.name, len(all))
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		w.stillSync(t, "after", w.all[0])
	})
}

// A member says that it can be reached far away. In a share that is for the local network alone that is no address: large
// files would be asked for there, and others told of it.
func TestSimLiarFarAway(t *testing.T) {
	t.Parallel()
	for _, local := range []bool{true, false} {
		simulate(t, 323, func(t *testing.T, w *simWorld) {
			m := w.machine("admin")
			m.create()
			l := w.liar("read", wire.Hello{Addrs: []netip.AddrPort{netip.MustParseAddrPort("203.0.113.7:6881"), netip.MustParseAddrPort("10.9.9.9:6881")}})
			e := m.engine()
			e.net.config.LANOnly = local // it meets nobody yet
			l.come()
			l.meets(1)
			var far []netip.AddrPort
			for _, a := range e.net.dataAddrs() {
				if !isLocal(a.Addr()) {
					far = append(far, a)
				}
			}
			if want := !local; len(e.net.all()) != 1 || (len(far) > 0) != want {
				t.Errorf("local %t: of %d peers it would dial %v", local, len(e.net.all()), far)
			}
		})
	}
}
