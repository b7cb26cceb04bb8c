package bt

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"shoal/bt/bttest"
)

// memStore is a caller's storage: bytes in memory, and a switch that makes it fail.
type memStore struct {
	pieceLength int64
	data        []byte
	sick        atomic.Bool  // reads find a piece gone
	closed      atomic.Bool  // nothing may be called
	late        atomic.Int64 // calls since

	mu     sync.Mutex
	have   map[int]bool
	marked []int // incomplete, in order
}

func (s *memStore) called() {
	if s.closed.Load() {
		s.late.Add(1)
	}
}

func (s *memStore) ReadAt(b []byte, off int64) (int, error) {
	s.called()
	if s.sick.Load() {
		for i := range b {
			b[i] = 'X' // what must not get out
		}
		return len(b), ErrPieceGone
	}
	return copy(b, s.data[off:]), nil
}

func (s *memStore) WriteAt(b []byte, off int64) (int, error) {
	s.called()
	return copy(s.data[off:], b), nil
}

func (s *memStore) Complete(i int) bool {
	s.called()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.have[i]
}

func (s *memStore) MarkComplete(i int) error {
	s.called()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have[i] = true
	return nil
}

func (s *memStore) MarkIncomplete(i int) error {
	s.called()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.have, i)
	s.marked = append(s.marked, i)
	return nil
}

func (s *memStore) Close() error { return errors.New("it is not for the engine to close it") }

// secretData makes a private torrent of n random bytes: its info dictionary and bytes.
func secretData(n, pieceLength int) (info, data []byte) {
	data = make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(data)
	var pieces []byte
	for b := data; len(b) > 0; b = b[min(pieceLength, len(b)):] {
		sum := sha1.Sum(b[:min(pieceLength, len(b))])
		pieces = append(pieces, sum[:]...)
	}
	info = fmt.Appendf(nil, "d6:lengthi%de4:name1:s12:piece lengthi%de6:pieces%d:", n, pieceLength, len(pieces))
	return append(append(info, pieces...), "7:privatei1ee"...), data
}

// memory is a storage that has the pieces for which has says so.
func memory(data []byte, pieceLength int, has func(int) bool) *memStore {
	s := &memStore{pieceLength: int64(pieceLength), data: make([]byte, len(data)), have: map[int]bool{}}
	for i := 0; i*pieceLength < len(data); i++ {
		if has(i) {
			end := min((i+1)*pieceLength, len(data))
			copy(s.data[i*pieceLength:end], data[i*pieceLength:end])
			s.have[i] = true
		}
	}
	return s
}

func all(int) bool  { return true }
func none(int) bool { return false }

// online puts a session on the network, which otherwise is when it has something to do.
func online(t testing.TB, c *Client) netip.AddrPort {
	t.Helper()
	if _, err := c.session(t.Context()); err != nil {
		t.Fatal(err)
	}
	return netip.MustParseAddrPort(c.Addr().String())
}

func openData(t testing.TB, c *Client, opts DataOptions) *Data {
	t.Helper()
	d, err := c.OpenData(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// Two sessions that have a half each get the other half from each other, each dialling.
func TestDataHalves(t *testing.T) {
	t.Parallel()
	const length = 256 << 10
	info, data := secretData(24<<20-4321, length)
	a, b := discreet(t), discreet(t)
	sa, sb := memory(data, length, func(i int) bool { return i%2 == 0 }), memory(data, length, func(i int) bool { return i%2 == 1 })
	var got atomic.Int32
	start := time.Now()
	da := openData(t, a, DataOptions{Info: info, Storage: sa, Peers: []netip.AddrPort{online(t, b)},
		OnPiece: func(int) { got.Add(1) }})
	db := openData(t, b, DataOptions{Info: info, Storage: sb, Peers: []netip.AddrPort{online(t, a)}})
	for _, d := range []*Data{da, db} {
		if err := d.Wait(patient(t)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d MiB in %v", len(data)>>20, time.Since(start))
	if !bytes.Equal(sa.data, data) || !bytes.Equal(sb.data, data) {
		t.Error("the bytes are wrong")
	}
	if s := da.Stats(); s.Missing != 0 || s.Active.Before(start) || s.Read < int64(len(data))/2-length {
		t.Errorf("%+v", s)
	}
	if got.Load() != 48 {
		t.Errorf("%d pieces were reported", got.Load())
	}
}

// Several torrents and a meeting share a session; who only serves asks for nothing.
func TestDataMany(t *testing.T) {
	t.Parallel()
	a, b := discreet(t), discreet(t)
	ca, cb := pair(t, a, b)
	peers := []netip.AddrPort{online(t, a)}
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range 8 {
		info, data := secretData(2_000_000+i, 64<<10)
		idle := memory(data, 64<<10, func(p int) bool { return p < 10 })
		da := openData(t, a, DataOptions{Info: info, Storage: memory(data, 64<<10, func(p int) bool { return p >= 10 }),
			Admit: func(netip.Addr) bool { return true }, ServeOnly: true})
		full := memory(data, 64<<10, func(p int) bool { return p < 10 })
		db := openData(t, b, DataOptions{Info: info, Storage: full, Peers: peers})
		wg.Go(func() {
			if err := errors.Join(db.Wait(patient(t)), da.Wait(patient(t))); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(full.data, data) || len(idle.have) != 10 || da.Stats().Missing != 10 || da.Stats().Read != 0 {
				t.Errorf("torrent %d is not as it should be", i)
			}
		})
	}
	go ca.Send(t.Context(), []byte("meanwhile"))
	if frame, err := cb.Recv(patient(t)); err != nil || string(frame) != "meanwhile" {
		t.Error(err)
	}
}

// A seed whose storage finds a piece gone serves not a byte of it, says so, and lets go of its peers: they get the rest
// elsewhere.
func TestDataPieceGone(t *testing.T) {
	t.Parallel()
	const length = 32 << 10
	info, data := secretData(8<<20, length)
	a, b, c := discreet(t), discreet(t), discreet(t)
	bad, good := memory(data, length, all), memory(data, length, all)
	da := openData(t, a, DataOptions{Info: info, Storage: bad, Admit: func(netip.Addr) bool { return true }})
	half := make(chan struct{})
	var once sync.Once
	var n atomic.Int32
	sink := memory(data, length, none)
	db := openData(t, b, DataOptions{Info: info, Storage: sink, Peers: []netip.AddrPort{online(t, a)}, OnPiece: func(int) {
		if n.Add(1) == 50 {
			bad.sick.Store(true)
			once.Do(func() { close(half) })
		}
	}})
	within(t, "some pieces", half)
	if err := within(t, "the failure", da.Failed()); !errors.Is(err, ErrPieceGone) {
		t.Error(err)
	}
	if err := da.Wait(t.Context()); !errors.Is(err, ErrPieceGone) {
		t.Error(err)
	}
	bad.mu.Lock()
	if len(bad.marked) != 1 || bad.have[bad.marked[0]] {
		t.Errorf("marked are %v", bad.marked)
	}
	bad.mu.Unlock()
	bttest.Eventually(t, "the peer to be let go", func() bool { return da.Stats().Peers == 0 })
	bad.sick.Store(false) // it makes no difference
	missing := db.Stats().Missing
	openData(t, c, DataOptions{Info: info, Storage: good, Admit: func(netip.Addr) bool { return true }})
	db.AddPeers([]netip.AddrPort{online(t, c)})
	if err := db.Wait(patient(t)); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(sink.data, data) || missing == 0 {
		t.Errorf("the bytes are wrong, or nothing was missing: %d", missing)
	}
	if banned := b.sess.lib.BadPeerIPs(); len(banned) > 0 {
		t.Errorf("banned are %v", banned)
	}
}

// A disk that takes no more ends the torrent with its error.
func TestDataWriteFails(t *testing.T) {
	t.Parallel()
	info, data := secretData(1<<20, 32<<10)
	a, b := discreet(t), discreet(t)
	openData(t, a, DataOptions{Info: info, Storage: memory(data, 32<<10, all), Admit: func(netip.Addr) bool { return true }})
	full := &failingStorage{Storage: memory(data, 32<<10, none)}
	full.left.Store(200_000)
	d := openData(t, b, DataOptions{Info: info, Storage: full, Peers: []netip.AddrPort{online(t, a)}})
	wantCode(t, d.Wait(patient(t)), NoSpace)
	wantCode(t, within(t, "the failure", d.Failed()), NoSpace)
}

// Who is not admitted gets nothing, whichever side dials; who no longer is is cut off.
func TestDataAdmits(t *testing.T) {
	t.Parallel()
	info, data := secretData(1<<20, 32<<10)
	a := discreet(t)
	b, c := discreet(t), discreet(t, func(cfg *Config) { cfg.Listen = "127.0.0.2" })
	banned := netip.MustParseAddr("127.0.0.1")
	var lifted atomic.Bool
	admit := func(x netip.Addr) bool { return lifted.Load() || x != banned }
	da := openData(t, a, DataOptions{Info: info, Storage: memory(data, 32<<10, all), Admit: admit, Peers: []netip.AddrPort{online(t, b)}})
	at := []netip.AddrPort{online(t, a)}
	db := openData(t, b, DataOptions{Info: info, Storage: memory(data, 32<<10, none), Peers: at})
	sc := memory(data, 32<<10, none)
	dc := openData(t, c, DataOptions{Info: info, Storage: sc, Peers: at})
	if err := dc.Wait(patient(t)); err != nil {
		t.Fatal(err)
	}
	// One that pipelines all it wants at once, from an address that is not admitted.
	o := outside(t, a.Addr(), da.InfoHash(), "127.0.0.1")
	o.say(15, "") // has nothing
	o.say(2, "")  // is interested
	o.say(6, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00")
	if heard := o.heard(); len(heard) > 0 && heard[0] != "\x00d" && bytes.Contains([]byte(heard[0]), []byte("ut_")) {
		t.Errorf("it heard %q", heard)
	}
	if s := db.Stats(); s.Read != 0 || s.Missing != 32 {
		t.Errorf("one that is not admitted got %+v", s)
	}
	if w := da.Stats().Written; w > int64(len(data))*3/2 {
		t.Errorf("%d bytes went out", w)
	}
	lifted.Store(true)
	if err := db.Wait(patient(t)); err != nil {
		t.Fatal(err)
	}
	lifted.Store(false)
	da.Review()
	bttest.Eventually(t, "the peer to be cut off", func() bool { return da.Stats().Peers == 0 })
	// Without Admit only those that were named may come.
	alone := openData(t, discreet(t), DataOptions{Info: info, Storage: memory(data, 32<<10, none), Peers: []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.9:9")}})
	alone.mu.Lock()
	if alone.admits(banned) || !alone.admits(netip.MustParseAddr("127.0.0.9")) {
		t.Error("not those that were named may come")
	}
	alone.mu.Unlock()
}

// A peer that is lost is dialled again.
func TestDataRedials(t *testing.T) {
	t.Parallel()
	info, data := secretData(4<<20, 32<<10)
	a, b := discreet(t), discreet(t)
	openData(t, a, DataOptions{Info: info, Storage: memory(data, 32<<10, all), Admit: func(netip.Addr) bool { return true }})
	link := bttest.NewLink(t, a.Addr().String())
	link.CutAfter(2 << 20)
	got := memory(data, 32<<10, none)
	d := openData(t, b, DataOptions{Info: info, Storage: got, Peers: []netip.AddrPort{netip.MustParseAddrPort(link.Addr)}})
	if err := d.Wait(patient(t)); err != nil || !bytes.Equal(got.data, data) {
		t.Error(err)
	}
}

// Only private torrents are data, one at a time, in an encrypted session.
func TestDataRefuses(t *testing.T) {
	t.Parallel()
	c := discreet(t)
	info, data := secretData(1000, 16<<10)
	opts := DataOptions{Info: info, Storage: memory(data, 16<<10, all)}
	openData(t, c, opts)
	_, err := c.OpenData(t.Context(), opts)
	wantCode(t, err, Busy)
	_, err = local(t).OpenData(t.Context(), opts)
	wantCode(t, err, Usage)
	opts.Info = bytes.Replace(info, []byte("7:privatei1e"), nil, 1)
	_, err = c.OpenData(t.Context(), opts)
	wantCode(t, err, BadInput)
	opts.Info = []byte("de")
	_, err = c.OpenData(t.Context(), opts)
	wantCode(t, err, BadInput)
}

// After Close nothing runs, and the storage is not called any more, though it is closed in the middle.
func TestDataLeavesNothing(t *testing.T) {
	info, data := secretData(16<<20, 32<<10)
	before := goleak.IgnoreCurrent()
	for i := range 3 {
		a, b := discreet(t), discreet(t)
		sa, sb := memory(data, 32<<10, all), memory(data, 32<<10, none)
		da := openData(t, a, DataOptions{Info: info, Storage: sa, Admit: func(netip.Addr) bool { return true }})
		some := make(chan int, 1000)
		db := openData(t, b, DataOptions{Info: info, Storage: sb, Peers: []netip.AddrPort{online(t, a)}, OnPiece: func(i int) { some <- i }})
		within(t, "a piece", some)
		waited := make(chan error, 1)
		go func() { waited <- db.Wait(context.WithoutCancel(t.Context())) }()
		first, then := da, db
		if i == 1 {
			first, then = db, da
		}
		if i == 2 {
			if err := errors.Join(b.Close(), a.Close()); err != nil {
				t.Error(err)
			}
		}
		first.Close()
		then.Close()
		sa.closed.Store(true)
		sb.closed.Store(true)
		if err := within(t, "the waiter", waited); err == nil {
			t.Error("closed data is complete")
		}
		if err := errors.Join(b.Close(), a.Close()); err != nil {
			t.Error(err)
		}
		if n := sa.late.Load() + sb.late.Load(); n != 0 {
			t.Errorf("%d calls came late", n)
		}
		if n := doorsLeft(a) + doorsLeft(b); n != 0 {
			t.Errorf("%d doors are left", n)
		}
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}
