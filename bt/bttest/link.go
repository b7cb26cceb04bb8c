package bttest

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Link is a road for TCP connections to one address, which can be slow, narrow or cut. Change it at any time.
type Link struct {
	Addr string // dial this instead

	delay atomic.Int64 // nanoseconds, each way
	rate  atomic.Int64 // bytes a second of each connection and direction; 0 = unlimited
	cutAt atomic.Int64 // bytes after which a connection is cut; 0 = never
	bytes atomic.Int64

	mu    sync.Mutex // guards conns and down
	conns map[net.Conn]bool
	down  bool
}

// NewLink starts a link to a TCP address.
func NewLink(t T, to string) *Link {
	t.Helper()
	l := &Link{conns: map[net.Conn]bool{}}
	l.Addr = listenTCP(t, func(ctx context.Context, c net.Conn) {
		far, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
		if err != nil {
			return
		}
		defer far.Close()
		if !l.add(c, far) {
			return
		}
		defer l.remove(c, far)
		both(func() { l.carry(far, c) }, func() { l.carry(c, far) })
	})
	return l
}

// SetDelay makes each byte take so long, each way.
func (l *Link) SetDelay(d time.Duration) { l.delay.Store(int64(d)) }

// SetRate lets so many bytes a second through, on each connection and each way; 0 = unlimited.
func (l *Link) SetRate(bytesPerSecond int64) { l.rate.Store(bytesPerSecond) }

// CutAfter cuts each connection once it has carried so many bytes one way; 0 = never.
func (l *Link) CutAfter(bytes int64) { l.cutAt.Store(bytes) }

// Cut breaks the connections that are there.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Close()
	}
}

// SetDown breaks the connections that are there, and refuses new ones until it is up again.
func (l *Link) SetDown(down bool) {
	l.mu.Lock()
	l.down = down
	l.mu.Unlock()
	if down {
		l.Cut()
	}
}

// Bytes is how many were carried, both ways.
func (l *Link) Bytes() int64 { return l.bytes.Load() }

func (l *Link) add(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.conns[c] = true
	}
	return !l.down
}

func (l *Link) remove(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		delete(l.conns, c)
	}
}

type parcel struct {
	data []byte
	due  time.Time
}

// carry copies one way. Reading does not wait for the delay of what was read before: that would be a narrow road, not a
// long one.
func (l *Link) carry(to, from net.Conn) {
	road := make(chan parcel, 1024)
	var sent sync.WaitGroup
	sent.Go(func() {
		defer to.Close()
		for p := range road {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.data); err != nil {
				from.Close()
				break
			}
		}
		for range road { // let the reader go
		}
	})
	defer sent.Wait()
	defer close(road)
	var total int64
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		if n > 0 {
			l.bytes.Add(int64(n))
			total += int64(n)
			if rate := l.rate.Load(); rate > 0 {
				time.Sleep(time.Duration(int64(n) * int64(time.Second) / rate))
			}
			road <- parcel{b[:n], time.Now().Add(time.Duration(l.delay.Load()))}
		}
		if cut := l.cutAt.Load(); err != nil || cut > 0 && total >= cut {
			return
		}
	}
}
