package node

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/blob"
	"shoal/share/index"
	"shoal/share/secret"
	"shoal/share/wire"
)

// liar is the adversary of a simulation: it has a secret of the share, speaks the protocol of docs/shares.md §5 as it
// should, and says in it what it likes. It answers GET with what is on its shelf, whatever that is.
type liar struct {
	w     *simWorld
	addr  netip.AddrPort
	keys  *secret.Keys
	cert  []byte // of the epoch; nil for those who are no admin
	self  secret.Identity
	rnd   *simRandom
	tell  wire.Hello // what it says of itself; proofs are filled in
	hosts *simHost

	mu    sync.Mutex // guards what follows
	shelf map[blob.ID][]byte
	conns []*wire.Conn
	heard map[wire.Type]int
	given int // times that something of the shelf was asked for
	data  map[blob.ID]*liarData
	open  map[blob.ID]bool
}

// liar makes an adversary that has a secret of the world's share, and meets the others.
func (w *simWorld) liar(role string, hello wire.Hello) *liar {
	w.t.Helper()
	t, err := secret.ParseToken(w.tokens[role])
	if err != nil {
		w.t.Fatal(err)
	}
	l := &liar{w: w, rnd: newSimRandom(w.seed, "liar"), shelf: map[blob.ID][]byte{}, heard: map[wire.Type]int{}, tell: hello,
		data: map[blob.ID]*liarData{}, open: map[blob.ID]bool{}}
	if l.keys, err = t.Keys(); err != nil {
		w.t.Fatal(err)
	}
	l.cert = w.all[0].engine().cert()
	seed, err := secret.NewNodeSeed(l.rnd)
	if err != nil {
		w.t.Fatal(err)
	}
	l.self = seed.Identity(l.keys.Share)
	l.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 6, 6, byte(len(w.all) + 6)}), 4000)
	l.hosts = w.net.host(context.Background(), l.addr)
	w.t.Cleanup(func() { l.hosts.stop() })
	return l
}

// come makes the others meet it.
func (l *liar) come() {
	l.w.t.Helper()
	if _, err := l.hosts.Meet(context.Background(), MeetOptions{InfoHash: l.keys.Rendezvous, Extension: l.keys.Extension}, l.meet); err != nil {
		l.w.t.Fatal(err)
	}
}

// go away for good.
func (l *liar) leave() { _ = l.hosts.Close() }

func (l *liar) meet(link Link) {
	ctx := l.hosts.ctx
	c, err := wire.Open(ctx, link, wire.Config{Keys: l.keys, Identity: l.self, Hello: func() wire.Hello { return l.tell }, Serve: l.serve, Handler: l})
	if err != nil {
		return
	}
	link.Accept()
	l.mu.Lock()
	l.conns = append(l.conns, c)
	l.mu.Unlock()
	_ = c.Run(ctx)
	l.mu.Lock()
	l.conns = slices.DeleteFunc(l.conns, func(d *wire.Conn) bool { return d == c })
	l.mu.Unlock()
}

func (l *liar) serve(_ context.Context, id blob.ID) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.shelf[id]; ok {
		l.given++
		return b, nil
	}
	return nil, wire.ErrNotHere
}

func (l *liar) Message(_ *wire.Conn, m wire.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard[m.Type()]++
	if want, ok := m.(*wire.Want); ok && l.data[want.ID] != nil && !l.open[want.ID] {
		l.open[want.ID] = true
		l.hosts.wg.Go(func() { l.offer(want.ID) })
	}
}

// offer serves a torrent to everybody.
func (l *liar) offer(info blob.ID) {
	d := l.data[info]
	_, err := l.hosts.OpenData(l.hosts.ctx, bt.DataOptions{Info: d.dict, Storage: d, Admit: func(netip.Addr) bool { return true }, ServeOnly: true})
	if err != nil {
		l.w.t.Error(err)
	}
}

// liarData is the ciphertext of a torrent, as whoever has it serves it.
type liarData struct {
	dict, cipher []byte
}

func (d *liarData) ReadAt(b []byte, off int64) (int, error)  { return copy(b, d.cipher[off:]), nil }
func (d *liarData) WriteAt(b []byte, off int64) (int, error) { return len(b), nil }
func (d *liarData) Complete(int) bool                        { return true }
func (d *liarData) MarkComplete(int) error                   { return nil }
func (d *liarData) MarkIncomplete(int) error                 { return nil }
func (d *liarData) Close() error                             { return nil }

func (l *liar) Lied(*wire.Conn, blob.ID) {}

// Put and Get make the shelf one for trees.
func (l *liar) Put(id blob.ID, b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shelf[id] = b
	return nil
}

func (l *liar) Get(id blob.ID) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.shelf[id]; ok {
		return b, nil
	}
	return l.w.all[0].engine().blobs.Get(id) // it has what the share has
}

// say tells everybody that is connected something.
func (l *liar) say(ms ...wire.Message) {
	l.mu.Lock()
	conns := slices.Clone(l.conns)
	l.mu.Unlock()
	for _, c := range conns {
		for _, m := range ms {
			_ = c.Send(m)
		}
	}
}

// meets waits until so many are connected.
func (l *liar) meets(n int) {
	l.w.t.Helper()
	for range 600 {
		l.mu.Lock()
		have := len(l.conns)
		l.mu.Unlock()
		if have >= n {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	l.w.t.Fatalf("nobody meets the liar")
}

// seal puts a node on the shelf, whatever it says.
func (l *liar) seal(refs []blob.ID, plain string) blob.Cap {
	c, b := blob.Seal(l.keys.Conv, blob.Node, refs, []byte(plain))
	_ = l.Put(c.ID, b)
	return c
}

// root is a root node with these trees.
func (l *liar) root(r index.Root) blob.Cap {
	c, err := index.NewForest(l.keys.Conv, l).PutRoot(r)
	if err != nil {
		l.w.t.Fatal(err)
	}
	return c
}

// head signs a state, and puts it on the shelf.
func (l *liar) head(w index.Writer, ctx index.Context, root blob.Cap) blob.ID {
	l.w.t.Helper()
	h, err := index.NewHead(l.rnd, l.keys, index.Draft{Cert: l.cert, Writer: w, Ctx: ctx, Root: root, Label: "liar"})
	if err != nil {
		l.w.t.Fatal(err)
	}
	_ = l.Put(h.ID, h.Blob)
	return h.ID
}

// publish commits events to the share's state, as a writer does, and signs what comes of it.
func (l *liar) publish(w index.Writer, events ...index.Event) blob.ID {
	l.w.t.Helper()
	v, _ := l.w.all[0].engine().look()
	f := index.NewForest(l.keys.Conv, l)
	s, _, err := index.Commit(f, index.State{Ctx: l.seen(), Root: index.Root{Files: v.Root.Files, Meta: v.Root.Meta}}, w, events)
	if err != nil {
		l.w.t.Fatal(err)
	}
	return l.head(w, s.Ctx, l.root(s.Root))
}

// seen is the context of the share as it is.
func (l *liar) seen() index.Context {
	all := index.Context{}
	for _, h := range l.w.all[0].engine().kept().all {
		all = all.Max(h.Ctx)
	}
	return all
}

// fakeIDs are ids that nobody has the blobs of.
func fakeIDs(seed uint64, kind blob.Kind, n int) []blob.ID {
	ids := make([]blob.ID, n)
	for i := range ids {
		ids[i] = sumOfBytes(fmt.Appendf(nil, "%d %d", seed, i))
		ids[i][0] = byte(kind)
	}
	return ids
}

// stillSync checks that the honest machines go on syncing among themselves, whatever the adversary does meanwhile.
func (w *simWorld) stillSync(t testing.TB, name string, from *simMachine) {
	t.Helper()
	from.write(name, simBytes(w.seed, 7000+len(name), 5000), false)
	from.write("large-"+name, simBytes(w.seed, 8000+len(name), 600_000), false)
	from.look()
	w.settle(30 * time.Minute)
	for _, m := range w.all {
		if m.role != "store" && m.node() != nil && (m.tree()[name] == "" || m.tree()["large-"+name] == "") {
			t.Errorf("%s does not get %s", m.name, name)
		}
	}
}
