package bttest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"shoal/bt/bttest/internal/wire"
)

// A Behaviour is how a peer of ours treats a connection, from its first byte. Run returns when it is done with it.
type Behaviour struct {
	Name string
	Run  func(c *Conn) error
	When When
}

// When is what an engine must do for a behaviour to come to its point.
type When string

// The occasions of behaviours.
const (
	Always     When = ""         // connect
	OnRequest  When = "request"  // ask for a block: a seed never does
	OnMetadata When = "metadata" // ask for the info dictionary: only one that has a magnet does
)

// A HostilePeer has the data of a torrent, listens or dials, and treats each connection by its Behaviour. Each has an
// address of its own in 127.0.0.0/8, for engines ban addresses.
type HostilePeer struct {
	Content    *Content
	Behaviour  Behaviour
	NoMetadata bool // never gives the info dictionary, so that an engine with a magnet stays without
	NoBlocks   bool // stays choking, and gives no block but those of its behaviour: others must

	mu    sync.Mutex // guards conns and ended
	conns map[net.Conn]bool
	ended bool
	wait  sync.WaitGroup

	once   sync.Once
	struck chan struct{} // closed when a connection came to the point of its behaviour
}

var hostileAddrs atomic.Uint32

// nextLoopback is an address in 127.7.0.0/16 that no one else here has.
func nextLoopback() net.IP {
	n := hostileAddrs.Add(1)
	return net.IPv4(127, 7, byte(n/250), byte(1+n%250))
}

// Honest is a peer that breaks no rule: the good one, of which the data must arrive whatever the others do.
func Honest(t T, c *Content) *HostilePeer {
	return &HostilePeer{Content: c, Behaviour: Behaviour{Name: "honest", Run: honest, When: OnRequest}}
}

func (p *HostilePeer) strikes() chan struct{} {
	p.once.Do(func() { p.struck = make(chan struct{}) })
	return p.struck
}

// Listen accepts connections until the test ends, and returns the address.
func (p *HostilePeer) Listen(t T) string {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: nextLoopback()})
	if err != nil {
		t.Fatalf("listening as a hostile peer: %v", err)
	}
	t.Cleanup(func() { l.Close(); p.Close() })
	p.wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wait.Go(func() { _ = p.run(c, true, false) })
		}
	})
	return l.Addr().String()
}

// Dial connects to an engine, and has all data, as when listening. It returns when the behaviour is done, the engine has
// closed the connection or ctx is done; that is no error, but not being able to connect is.
func (p *HostilePeer) Dial(ctx context.Context, addr string) error { return p.dial(ctx, addr, false) }

// DialLeech is Dial by one that has no data, and is interested.
func (p *HostilePeer) DialLeech(ctx context.Context, addr string) error {
	return p.dial(ctx, addr, true)
}

func (p *HostilePeer) dial(ctx context.Context, addr string, leech bool) error {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: nextLoopback()}}
	c, err := d.DialContext(ctx, "tcp4", addr)
	if err != nil {
		return fmt.Errorf("dialling as a hostile peer: %w", err)
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_ = p.run(c, false, leech)
	return nil
}

// Struck is closed once a connection has come to the point of the behaviour: what is hostile has been sent, or is
// being withheld.
func (p *HostilePeer) Struck() <-chan struct{} { return p.strikes() }

// HangUp ends our side of all connections, so that an engine reads all that was sent before it sees the end.
func (p *HostilePeer) HangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	}
}

// Close ends all connections and waits for them; the listener is closed by the end of the test.
func (p *HostilePeer) Close() {
	p.mu.Lock()
	p.ended = true
	for c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}

func (p *HostilePeer) run(nc net.Conn, accepted, leech bool) error {
	defer nc.Close()
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return net.ErrClosed
	}
	if p.conns == nil {
		p.conns = map[net.Conn]bool{}
	}
	p.conns[nc] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, nc)
		p.mu.Unlock()
	}()
	c := &Conn{Conn: nc, peer: p, content: p.Content, r: bufio.NewReaderSize(nc, 64<<10), accepted: accepted, leech: leech, fast: true}
	return p.Behaviour.Run(c)
}

// A Conn is a connection of a HostilePeer. Its methods do what an honest peer would; its hooks replace that.
type Conn struct {
	net.Conn
	peer     *HostilePeer
	content  *Content
	r        *bufio.Reader
	buf      []byte
	accepted bool // the engine dialled
	leech    bool // asks for data instead of having all of it
	fast     bool // offers, then: both offer, the fast extension
	remote   wire.Handshake
	ids      map[string]byte // the engine's ids of extension messages, once known

	hello     func() error                 // instead of the extended handshake and the bitfield
	unchoked  func() error                 // instead of unchoking a peer that is interested
	answer    func(b Block) error          // instead of sending the block asked for
	metadata  func(piece int64) error      // instead of sending a piece of the info dictionary
	extension func(ext wire.Dict) error    // when the engine's extended handshake has come
	other     func(id int, p []byte) error // all messages, besides what is done with them
}

var errNotOurs = errors.New("handshake for another torrent")

// strike tells the test that the point of the behaviour is reached.
func (c *Conn) strike() {
	p := c.peer
	struck := p.strikes()
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-struck:
	default:
		close(struck)
	}
}

// send writes bytes as they are.
func (c *Conn) send(b []byte) error {
	_, err := c.Write(b)
	return err
}

// greet exchanges handshakes, and says what an honest peer says first.
func (c *Conn) greet() error {
	if err := c.shake(c.content.InfoHash()); err != nil {
		return err
	}
	if c.hello != nil {
		return c.hello()
	}
	return c.sayHello()
}

func (c *Conn) shake(infoHash [20]byte) (err error) {
	ours := wire.NewHandshake(infoHash, fmt.Sprintf("-HP0001-%012x", hostileAddrs.Add(1)), c.fast)
	if !c.accepted {
		if err := c.send(ours.Append(nil)); err != nil {
			return err
		}
	}
	if c.remote, err = wire.ReadHandshake(c.r); err != nil {
		return err
	}
	if c.remote.InfoHash != c.content.InfoHash() {
		return errNotOurs
	}
	c.fast = c.fast && c.remote.Fast()
	if c.accepted {
		return c.send(ours.Append(nil))
	}
	return nil
}

// sayHello sends the extended handshake and what pieces we have; a leech is interested at once.
func (c *Conn) sayHello() error {
	if err := c.send(c.extendedHandshake(nil)); err != nil {
		return err
	}
	return c.sayHave()
}

func (c *Conn) sayHave() error {
	var b []byte
	switch {
	case c.leech && c.fast:
		b = wire.AppendMessage(b, wire.HaveNone)
	case c.leech:
	case c.fast:
		b = wire.AppendMessage(b, wire.HaveAll)
	default:
		b = wire.AppendMessage(b, wire.Bitfield, wire.FullBitfield(c.content.torrent.NumPieces())...)
	}
	if c.leech {
		b = wire.AppendMessage(b, wire.Interested)
	}
	return c.send(b)
}

const (
	ourMetadataID = 3
	ourPexID      = 4
)

// extendedHandshake is ours, with some keys replaced or added.
func (c *Conn) extendedHandshake(change wire.Dict) []byte {
	d := wire.Dict{"m": wire.Dict{"ut_metadata": ourMetadataID, "ut_pex": ourPexID}, "v": "hostile", "reqq": 250}
	if !c.leech && c.remote.Extended() {
		d["metadata_size"] = len(c.content.torrent.Info)
	}
	for k, v := range change {
		d[k] = v
	}
	return wire.AppendExtended(nil, 0, d, nil)
}

// id is the engine's id for an extension, or the one that most engines use when it named none.
func (c *Conn) id(name string) byte {
	if id, ok := c.ids[name]; ok {
		return id
	}
	return map[string]byte{"ut_metadata": 1, "ut_pex": 2}[name]
}
