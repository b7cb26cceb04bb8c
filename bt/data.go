package bt

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/anacrolix/torrent"
	pp "github.com/anacrolix/torrent/peer_protocol"
)

// DataOptions say which torrent to open, and for whom.
type DataOptions struct {
	Info    []byte           // the info dictionary, of a private torrent with v1 hashes
	Storage Storage          // the caller's, and closed by the caller; see OpenData
	Peers   []netip.AddrPort // to dial, again with waits of up to 30 s; once when ServeOnly

	// Admit says whether an address may have a connection of this torrent, dialled or not. It is called with a lock
	// held: it must not wait, nor call this package. nil = the addresses of Peers and AddPeers.
	Admit func(netip.Addr) bool

	// Up and Down wait until so many bytes more of pieces may go out, or come in; nil = at once. They return when ctx is
	// done: the data is being closed.
	Up, Down func(ctx context.Context, n int) error

	ServeOnly bool            // ask for nothing
	OnPiece   func(piece int) // called when a piece is verified and stored, from any goroutine; nil = not
}

// Data is a torrent of which nobody is told: peers are those the caller gives, and no others get in (docs/shares.md
// §2.3, §5.4).
type Data struct {
	c     *Client
	opts  DataOptions
	hash  InfoHash
	store *dataStorage
	swarm *swarm
	once  sync.Once // closes

	broken chan struct{} // closed by the first failure
	failed chan error    // gets it

	mu      sync.Mutex // guards what follows; the library's lock may be held before it, never after
	conns   map[*dataDoor]bool
	invited map[netip.Addr]bool // of Peers and AddPeers
	err     error               // the first failure
	closed  bool
}

// OpenData adds a private torrent to the session. Pieces that the storage vouches for are served unseen; the others are
// fetched, unless ServeOnly. The storage verifies what it reads: an error of its methods (ErrPieceGone, or any other)
// ends the torrent, see Failed. Its methods must not call this package; Complete must be quick, as it is asked for every
// piece with a lock held. The session must require encryption (Usage), and not have the torrent already (Busy). ctx
// bounds only the start.
func (c *Client) OpenData(ctx context.Context, opts DataOptions) (*Data, error) {
	m, err := MetainfoFromInfo(opts.Info)
	if err != nil {
		return nil, err
	}
	if !m.Private || !m.HasV1() {
		return nil, errorf(BadInput, "opening data: want a private torrent with v1 hashes")
	}
	d := &Data{c: c, opts: opts, hash: m.InfoHash, conns: map[*dataDoor]bool{}, invited: map[netip.Addr]bool{},
		broken: make(chan struct{}), failed: make(chan error, 1)}
	d.store = newDataStorage(opts.Storage, m.PieceLength, d.fail)
	d.store.done, d.store.up, d.store.down = opts.OnPiece, opts.Up, opts.Down
	d.invite(opts.Peers)
	if err := c.keepDoor(d.hash, d); err != nil {
		return nil, err
	}
	if d.swarm, err = c.join(ctx, joinOptions{Metainfo: m, Storage: d.store, Alone: true, Once: opts.ServeOnly}); err != nil {
		c.keepers.Delete(d.hash)
		return nil, err
	}
	if !opts.ServeOnly {
		var missing []int
		for i := range m.NumPieces {
			if !d.swarm.has(i) {
				missing = append(missing, i)
			}
		}
		d.swarm.want(missing)
	}
	d.swarm.addPeers(torrent.PeerSourceDirect, opts.Peers)
	return d, nil
}

func (d *Data) invite(peers []netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range peers {
		d.invited[p.Addr().Unmap()] = true
	}
}

// AddPeers gives more peers to dial.
func (d *Data) AddPeers(peers []netip.AddrPort) {
	d.invite(peers)
	d.swarm.addPeers(torrent.PeerSourceDirect, peers)
}

// Wait returns when every piece that was asked for is verified and stored, when the storage has failed, when the data is
// closed, or when ctx is done.
func (d *Data) Wait(ctx context.Context) error {
	w := d.swarm
	for {
		w.mu.Lock()
		ok, changed := w.left == 0, w.changed
		w.mu.Unlock()
		d.mu.Lock()
		err := d.err
		d.mu.Unlock()
		if err != nil || ok {
			return err
		}
		select {
		case <-changed:
		case <-d.broken:
		case <-w.ctx.Done():
			return errClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Failed gets the first error of the storage. From then on nothing is served or stored and nobody is connected: Close is
// all that is left to do.
func (d *Data) Failed() <-chan error { return d.failed }

// fail ends the torrent but for its Close. No lock of the library need be free.
func (d *Data) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil || d.closed {
		return
	}
	d.err = err
	close(d.broken)
	d.failed <- err
	d.shutAll(func(*dataDoor) bool { return true })
}

// shutAll cuts connections off. The caller holds mu.
func (d *Data) shutAll(which func(*dataDoor) bool) {
	for door := range d.conns {
		if which(door) {
			door.shut = true
			go door.pc.Close() // takes the library's lock
		}
	}
}

// Review cuts off those connections that Admit no longer admits.
func (d *Data) Review() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shutAll(func(door *dataDoor) bool { return !d.admits(remoteAddr(door.pc).Addr()) })
}

// admits reports whether an address may connect. The caller holds mu.
func (d *Data) admits(a netip.Addr) bool {
	switch {
	case d.err != nil || d.closed || !a.IsValid():
		return false
	case d.opts.Admit == nil:
		return d.invited[a]
	}
	return d.opts.Admit(a)
}

// meet is told of a connection, see doorkeeper.
func (d *Data) meet(pc *torrent.PeerConn) door {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.admits(remoteAddr(pc).Addr()) {
		return refuse(pc)
	}
	// Everything but blocks goes over the meeting: no extension is needed, and some tell of peers.
	pc.LocalLtepProtocolMap = &torrent.LocalLtepProtocolMap{}
	door := &dataDoor{d: d, pc: pc}
	d.conns[door] = true
	return door
}

// dataDoor is one connection of Data.
type dataDoor struct {
	d    *Data
	pc   *torrent.PeerConn
	shut bool // guarded by d.mu
}

func (o *dataDoor) hello(e *pp.ExtendedHandshakeMessage) { e.M, e.MetadataSize = nil, 0 }

func (o *dataDoor) message(m *pp.Message) {
	o.d.mu.Lock()
	off := o.shut
	o.d.mu.Unlock()
	extension := m.Type == pp.Extended && m.ExtendedID != pp.HandshakeExtendedID
	if off || extension || m.Type == pp.Port {
		mute(m)
	}
}

func (o *dataDoor) closed() {
	o.d.mu.Lock()
	defer o.d.mu.Unlock()
	delete(o.d.conns, o)
}

// DataStats is a snapshot of Data.
type DataStats struct {
	Read, Written int64     // bytes of pieces that were useful; bytes of pieces sent
	Peers         int       // connected
	Missing       int       // pieces that are not here
	Active        time.Time // when bytes of pieces came or went last; when it was opened, if never
}

// Stats says how the torrent stands.
func (d *Data) Stats() DataStats {
	w, s := d.swarm, d.swarm.stats()
	w.mu.Lock()
	missing := w.m.NumPieces - w.have.count()
	w.mu.Unlock()
	return DataStats{Read: s.read, Written: s.written, Peers: s.peers, Missing: missing,
		Active: time.Unix(0, d.store.active.Load())}
}

// InfoHash is the hash of the info dictionary.
func (d *Data) InfoHash() InfoHash { return d.hash }

// Close leaves the swarm. When it returns, no method of the storage is running or will be called. It may be called
// twice.
func (d *Data) Close() error {
	d.once.Do(func() {
		d.mu.Lock()
		d.closed = true
		d.mu.Unlock()
		d.store.hurry()
		d.swarm.close()
		d.store.close()
		d.c.keepers.Delete(d.hash)
	})
	return nil
}
