package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// simWorld is a simulation: machines whose nodes are whole engines, on disks, a network and clocks that a seed drives, in
// a bubble of virtual time (scenarios "L1"). What a node, a user, the network and chance do is a function of the seed; the
// order in which goroutines of one moment run is not.
type simWorld struct {
	t       testing.TB
	seed    uint64
	rnd     *rand.Rand
	net     *simNet
	root    string
	all     []*simMachine
	tokens  map[string]string
	trace   *simTrace
	verbose bool

	mu      sync.Mutex // guards what follows
	written map[simSum]*simContent
	chance  *rand.Rand // of what watchers miss
	miss    float64
}

// simTrace keeps the end of what was logged, for a failure.
type simTrace struct {
	mu    sync.Mutex
	lines [][]byte
}

const traceLines = 4000

func (l *simTrace) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines = append(l.lines, bytes.Clone(b)); len(l.lines) > 2*traceLines {
		l.lines = slices.Clone(l.lines[traceLines:])
	}
	return len(b), nil
}

func (l *simTrace) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.Join(l.lines[max(0, len(l.lines)-traceLines):], nil))
}

// simLimit is how long a simulation may take on a busy machine. One that spins at one moment of its own time never ends.
const simLimit = 3 * time.Minute

// simulate runs f in a bubble with an empty world.
func simulate(t *testing.T, seed uint64, f func(t *testing.T, w *simWorld)) {
	t.Helper()
	simulateLong(t, seed, simLimit, f)
}

// simulateLong does so for a simulation that may take longer than others.
func simulateLong(t *testing.T, seed uint64, limit time.Duration, f func(t *testing.T, w *simWorld)) {
	t.Helper()
	root, trace := simRoot(t), &simTrace{}
	dog := time.AfterFunc(limit, func() { // of the real clock: in the bubble no time passes while somebody spins
		fmt.Fprintf(os.Stderr, "seed %d; what was logged last:\n%s", seed, trace)
		panic("a simulation does not end: " + t.Name())
	})
	defer dog.Stop()
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		w := &simWorld{t: t, seed: seed, rnd: rnd, net: newSimNet(rand.New(rand.NewPCG(seed, 2))), root: root, tokens: map[string]string{},
			trace: trace, verbose: os.Getenv("SHOAL_SIM_TRACE") != "", written: map[simSum]*simContent{}, chance: rand.New(rand.NewPCG(seed, 3))}
		w.written[emptySum] = &simContent{name: "empty"}
		defer w.end()
		f(t, w)
	})
}

// simRoot is where databases are: in memory where there is such a file system, for it is the waiting for a disk that costs.
func simRoot(t *testing.T) string {
	for _, dir := range []string{os.Getenv("SHOAL_SIM_DIR"), "/dev/shm"} {
		if info, err := os.Stat(dir); dir == "" || err != nil || !info.IsDir() {
			continue
		}
		if root, err := os.MkdirTemp(dir, "shoal-sim-"); err == nil {
			t.Cleanup(func() { os.RemoveAll(root) })
			return root
		}
	}
	return t.TempDir()
}

func (w *simWorld) end() {
	if w.t.Failed() {
		w.t.Logf("seed %d; what was logged last:\n%s", w.seed, w.trace)
	}
	for _, m := range w.all {
		if n := m.node(); n != nil {
			n.Close()
		}
	}
}

// say notes what happens in the trace.
func (w *simWorld) say(format string, args ...any) {
	fmt.Fprintf(w.trace, "at=%s ==== %s\n", time.Since(simEpoch), fmt.Sprintf(format, args...))
}

// quiet waits until no goroutine can go on without time.
func (w *simWorld) quiet() { synctest.Wait() }

// until waits for what must be so within an hour.
func (w *simWorld) until(what string, ok func() bool) {
	w.t.Helper()
	for began := time.Now(); !ok(); time.Sleep(time.Second) {
		if w.quiet(); time.Since(began) > time.Hour {
			w.t.Fatalf("not within an hour: %s", what)
		}
	}
}

// apart lets machines reach each other, and nobody else reach them.
func (w *simWorld) apart(machines ...*simMachine) {
	is := func(addr netip.AddrPort) bool {
		return slices.ContainsFunc(machines, func(m *simMachine) bool { return m.addr == addr })
	}
	w.net.part(func(a, b netip.AddrPort) bool { return is(a) != is(b) })
}

// missed says that a watcher misses something.
func (w *simWorld) missed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.chance.Float64() < w.miss
}

// remember notes what is on the disks: what a disk had once must not vanish from it.
func (w *simWorld) remember() {
	for _, m := range w.all {
		if m.role == "store" {
			continue
		}
		m.each("", func(_ string, sum simSum) {
			if sum != emptySum && !m.users[sum] {
				m.before[sum] = true
			}
		})
	}
}

// settle waits until all that run are equal and have nothing to do. Machines that are off are left out.
func (w *simWorld) settle(most time.Duration) {
	w.t.Helper()
	var why string
	began := time.Now()
	for time.Since(began) < most {
		time.Sleep(time.Second)
		w.quiet()
		if why = w.unsettled(); why == "" {
			w.say("settled after %s", time.Since(began))
			return
		}
	}
	for _, m := range w.all {
		if n := m.node(); n != nil {
			s, err := n.Status(context.Background(), "s")
			w.t.Logf("%s (%s): %+v %v", m.name, m.role, s, err)
		}
	}
	w.t.Fatalf("not settled after %s: %s", most, why)
}

// unsettled says what is not at its end yet.
func (w *simWorld) unsettled() string {
	var frontier [32]byte
	var sum []byte
	var tree map[string]string
	first := ""
	for _, m := range w.all {
		e := m.engine()
		if e == nil || e.isStranded() {
			continue
		}
		v, _ := e.look()
		if !v.Settled && (m.role != "read" || len(m.local()) == 0) { // what a reader did may be in the way
			return fmt.Sprintf("%s is %s: %s todo %d held %d missing %d", m.name, v.State, v.Err, v.Todo, v.Held, v.Missing)
		}
		f := frontierHash(e.kept().frontier())
		if first == "" {
			first, frontier = m.name, f
		}
		if f != frontier {
			return fmt.Sprintf("the frontiers of %s and %s differ", first, m.name)
		}
		if m.role == "store" {
			continue
		}
		if sum == nil {
			sum, tree = v.Sum, m.tree()
		}
		if !bytes.Equal(sum, v.Sum) {
			return fmt.Sprintf("the states of %s and %s differ", first, m.name)
		}
		if now := m.tree(); !maps.Equal(tree, now) && (m.role != "read" || len(m.local()) == 0) {
			return fmt.Sprintf("the trees of %s and %s differ: %s", first, m.name, strings.Join(differ(tree, now), ", "))
		}
	}
	return ""
}

// revert gives up what users of read-only nodes did.
func (w *simWorld) revert() {
	for _, m := range w.all {
		if m.role != "read" || m.node() == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		if _, err := m.node().Revert(ctx, "s", ""); err != nil {
			w.t.Errorf("reverting %s: %v", m.name, err)
		}
		cancel()
	}
}

// local lists what a read-only node's user changed.
func (m *simMachine) local() []string {
	s, err := m.node().Status(context.Background(), "s")
	if err != nil {
		m.w.t.Error(err)
		return nil
	}
	return s.Local
}

// heal ends all trouble: everything runs, reaches everything, and looks at its whole folder.
func (w *simWorld) heal() {
	w.say("heal")
	w.mu.Lock()
	w.miss = 0
	w.mu.Unlock()
	w.net.part(nil)
	for _, m := range w.all {
		if m.isDead() {
			m.stop()
		}
		m.mu.Lock()
		m.killIn, m.late = 0, nil
		m.mu.Unlock()
		m.fs.SetSize(0)
		m.start()
		m.look()
	}
}

// strict says which invariants can be checked exactly.
type strict struct {
	gone bool // what was removed and never moved stays away
}

// check checks invariants at the end of a run: all are settled.
func (w *simWorld) check(s strict) {
	w.t.Helper()
	live := map[simSum]bool{}
	for _, m := range w.all {
		if m.role == "store" {
			continue
		}
		m.each("", func(name string, sum simSum) {
			live[sum] = true
			c := w.written[sum]
			if c == nil {
				w.t.Errorf("I3: %s has %s, which nobody wrote", m.name, name)
				return
			}
			if c.by != nil && !c.by.writes() && c.by != m {
				w.t.Errorf("I10: %s has %s, which only a reader wrote", m.name, name)
			}
		})
		there := m.contents()
		for sum := range m.before {
			if !there[sum] && !m.users[sum] {
				w.t.Errorf("I1: %s had %s, and it is neither in the folder nor in the archive", m.name, w.written[sum].name)
			}
		}
	}
	for sum, c := range w.written {
		switch {
		case sum == emptySum || c.by == nil || !c.by.writes() || !c.closed:
		case !c.removed && !live[sum]:
			w.t.Errorf("I1, I5: %s of %s was never removed, and is in no tree", c.name, c.by.name)
		case s.gone && c.removed && !c.moved && live[sum]:
			w.t.Errorf("I4: %s of %s was removed, and is back", c.name, c.by.name)
		}
	}
}

// data is a content that nobody else writes: its number, then bytes of the seed.
func simBytes(seed uint64, n int, size int) []byte {
	r := rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d %d", seed, n)))
	b := make([]byte, size)
	_, _ = r.Read(b)
	copy(b, fmt.Sprintf("%d/%d ", seed, n))
	return b
}

func sumOfBytes(b []byte) simSum { return sha256.Sum256(b) }
