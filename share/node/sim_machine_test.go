package node

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing/synctest"
	"time"

	"shoal/share/api"
	"shoal/share/disk"
	"shoal/share/disk/memfs"
	"shoal/share/index"
	"shoal/share/secret"
)

// simMachine is a computer of a simulation: what outlives its node, and the node while it runs.
type simMachine struct {
	w     *simWorld
	name  string
	role  string
	addr  netip.AddrPort
	home  string // of the node's database, on a real disk
	dir   string // where the share's folder is said to be: only its lock, and a store's ciphertext, are there
	fs    *memfs.FS
	clock *simClock
	proof *simProof
	boots int

	mu     sync.Mutex                  // guards what follows: file systems ask from any goroutine
	n      *Node                       // nil while it does not run
	dead   bool                        // the process was killed: nothing it does reaches the disk any more
	killIn int                         // operations until it is; 0 = it is not
	ill    func(op, name string) error // what is wrong with the disk; nil = nothing
	late   func()                      // what a user does just before the node next changes a name
	before map[simSum]bool             // contents that this disk had at some time, and its users did not take away
	users  map[simSum]bool             // those that users of this machine overwrote or removed
	backup string                      // an older copy of home; "" = none
}

// simProof is a Continuity: the memory of a boot.
type simProof struct {
	mu   sync.Mutex
	last map[secret.ShareID]simWritten
}

type simWritten struct {
	w       index.Writer
	counter uint64
}

func newSimProof() *simProof { return &simProof{last: map[secret.ShareID]simWritten{}} }

func (p *simProof) Proven(id secret.ShareID, w index.Writer, counter uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return counter > 0 && p.last[id] == simWritten{w, counter}
}

func (p *simProof) Record(id secret.ShareID, w index.Writer, counter uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[id] = simWritten{w, counter}
}

func (p *simProof) Close() error { return nil }

func (p *simProof) clone() *simProof {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := newSimProof()
	for k, v := range p.last {
		c.last[k] = v
	}
	return c
}

// simRandom is a stream of a seed for many goroutines.
type simRandom struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func newSimRandom(seed uint64, name string) *simRandom {
	return &simRandom{r: rand.NewChaCha8(sha256.Sum256(binary.BigEndian.AppendUint64([]byte(name), seed)))}
}

func (r *simRandom) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Read(b)
}

// founder is the first machine of a share, with some files.
func (w *simWorld) founder(files, size int) *simMachine {
	w.t.Helper()
	m := w.machine("admin")
	m.many("f", files, size, 0)
	m.create()
	return m
}

// machine adds a computer that is switched off.
func (w *simWorld) machine(role string) *simMachine {
	i := len(w.all)
	m := &simMachine{w: w, name: fmt.Sprint("m", i), role: role, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i + 1)}), 4000),
		clock: &simClock{}, proof: newSimProof(), before: map[simSum]bool{}, users: map[simSum]bool{}}
	m.home, m.dir = filepath.Join(w.root, m.name, "home"), filepath.Join(w.root, m.name, "dir")
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	m.fs = memfs.New(memfs.Options{Now: m.clock.wall})
	w.all = append(w.all, m)
	return m
}

// start opens the machine's node; it runs.
func (m *simMachine) start() {
	m.w.t.Helper()
	if m.node() != nil {
		return
	}
	m.boots++
	m.mu.Lock()
	m.dead, m.killIn, m.late = false, 0, nil
	m.mu.Unlock()
	level := slog.LevelInfo
	if m.w.verbose {
		level = slog.LevelDebug
	}
	opts := Options{Home: m.home, Label: m.name, Net: m.w.net.host(context.Background(), m.addr), Now: m.clock.now,
		Random: newSimRandom(m.w.seed, fmt.Sprint(m.name, "/", m.boots)), Continuity: m.proof, OpenFS: m.openFS,
		Logger: slog.New(slog.NewTextHandler(m.w.trace, &slog.HandlerOptions{Level: level, ReplaceAttr: dropTime})).With("m", m.name)}
	n, err := Open(context.Background(), opts)
	if err != nil {
		m.w.t.Fatalf("%s cannot be started: %v", m.name, err)
	}
	m.setNode(n)
	n.Start()
}

func (m *simMachine) node() *Node {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n
}

func (m *simMachine) setNode(n *Node) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n = n
}

func dropTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.String("at", time.Since(simEpoch).String())
	}
	return a
}

// openFS is the folder as the node sees it: whatever it does may be its last.
func (m *simMachine) openFS(string) (disk.FS, error) {
	f := m.fs.User()
	f.SetFault(m.fault)
	return f, nil
}

var errKilled = errors.New("the process is dead")

func (m *simMachine) fault(op, name string) error {
	m.mu.Lock()
	if m.killIn > 0 {
		if m.killIn--; m.killIn == 0 {
			m.dead = true
			if m.n != nil {
				m.n.cancel()
			}
		}
	}
	dead, late, ill := m.dead, m.late, m.ill
	switch op {
	case "exchange", "renamenew", "remove":
		m.late = nil
	default:
		late = nil
	}
	m.mu.Unlock()
	if dead {
		return errKilled
	}
	if late != nil {
		late()
	}
	if ill != nil {
		return ill(op, name)
	}
	return nil
}

// sicken makes operations on the machine's disk fail; nil heals it.
func (m *simMachine) sicken(ill func(op, name string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ill = ill
}

// stop closes the node in order; kill ends it at once, in the middle of whatever it does.
func (m *simMachine) stop() {
	n := m.node()
	if n == nil {
		return
	}
	if err := n.Close(); err != nil && !m.isDead() {
		m.w.t.Errorf("closing %s: %v", m.name, err)
	}
	m.setNode(nil)
}

func (m *simMachine) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

func (m *simMachine) kill() {
	n := m.node()
	if n == nil {
		return
	}
	n.cancel()
	m.mu.Lock()
	m.dead = true
	m.mu.Unlock()
	m.stop()
}

// powerCut kills the node and loses what was not synced, and what the boot remembered.
func (m *simMachine) powerCut(rnd *rand.Rand) {
	m.kill()
	before := m.tree()
	m.fs.Crash(rnd)
	m.w.say("%s lost power: %v", m.name, differ(before, m.tree()))
	m.proof = newSimProof()
	there := m.contents()
	for sum := range m.before { // what came from others and was not yet durable comes again
		if c := m.w.written[sum]; !there[sum] && (c == nil || c.by != m) {
			delete(m.before, sum)
		}
	}
}

// engine is that of the share; nil while the node is not running.
func (m *simMachine) engine() *engine {
	n := m.node()
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.engines["s"]
}

// create makes the share, and join joins it.
func (m *simMachine) create() {
	m.w.t.Helper()
	m.start()
	if _, err := m.n.Create(context.Background(), api.CreateOptions{Name: "s", Dir: m.dir}); err != nil {
		m.w.t.Fatal(err)
	}
	for _, role := range []string{"admin", "write", "read", "store"} {
		token, err := m.n.Token(context.Background(), "s", role)
		if err != nil {
			m.w.t.Fatal(err)
		}
		m.w.tokens[role] = token
	}
}

func (m *simMachine) join() {
	m.w.t.Helper()
	m.start()
	if _, err := m.n.Add(context.Background(), api.AddOptions{Token: m.w.tokens[m.role], Dir: m.dir, Name: "s"}); err != nil {
		m.w.t.Fatal(err)
	}
}

// look tells the node that everything may have changed, as a watcher does that has lost its place.
func (m *simMachine) look() {
	if e := m.engine(); e != nil {
		_ = e.watched(nil)
	}
}

// contents are the sums of all files on the disk: of the folder, and of the archive.
func (m *simMachine) contents() map[simSum]bool {
	all := map[simSum]bool{}
	m.fs.Walk(func(name string, info disk.Info, data []byte) {
		if info.Type == 0 && !isWithin(name, disk.Temp) {
			all[sha256.Sum256(data)] = true
		}
	})
	return all
}

// tree is what the folder shows.
func (m *simMachine) tree() map[string]string {
	all := map[string]string{}
	var links []string
	m.fs.Walk(func(name string, info disk.Info, data []byte) {
		switch {
		case isWithin(name, disk.Dir):
		case info.Type == fs.ModeDir:
			all[name] = fmt.Sprintf("dir %o", info.Ident.Mode)
		case info.Type == fs.ModeSymlink:
			links = append(links, name)
		default:
			all[name] = fmt.Sprintf("%o %s", info.Ident.Mode, m.w.nameOf(sha256.Sum256(data), data))
		}
	})
	for _, name := range links {
		target, _ := m.fs.User().Readlink(name)
		all[name] = "-> " + target
	}
	return all
}

func isWithin(name, dir string) bool { return within(name, []string{dir}) }

// copyHome copies the database as it is at this moment, while nobody writes.
func (m *simMachine) copyHome(to string) {
	synctest.Wait()
	if err := os.RemoveAll(to); err != nil {
		m.w.t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(m.home)); err != nil {
		m.w.t.Fatal(err)
	}
}
