package index

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"shoal/share/blob"
)

// A chooser makes the random decisions of a history.
type chooser interface {
	below(n int, what string) int // 0 to n-1
}

type rapidChooser struct{ t *rapid.T }

func (c rapidChooser) below(n int, what string) int { return rapid.IntRange(0, n-1).Draw(c.t, what) }

type randChooser struct{ *rand.Rand }

func (c randChooser) below(n int, _ string) int { return c.IntN(n) }

func seeded(seed uint64) chooser { return randChooser{rand.New(rand.NewPCG(seed, 1))} }

// An algebra is what a history tests; a mutant has something wrong in it.
type algebra struct {
	merge  func(ctx context.Context, f *Forest, x, y State) (State, error)
	commit func(f *Forest, s State, w Writer, events []Event) (State, []JournalEvent, error)
	join   func(ctx context.Context, f *Forest, self Self, kept []Kept, fresh func() Writer) (Joined, error)
}

var sound = algebra{Merge, Commit, Join}

// An act is an event as the oracle knows it.
type act struct {
	dot     Dot
	removes []Dot
	adds    string  // path and entry, "" for none
	gone    []int64 // of histories with forks: the times of the files that it removes
}

// A head is a published state with what its writer had seen.
type head struct {
	Kept
	seen map[int]bool // acts
}

// A replica is the database of one node, and what its user sees.
type replica struct {
	name    string
	state   State
	writer  Writer
	seen    map[int]bool
	base    Root // what is on disk
	heads   map[blob.ID]*head
	mine    map[blob.ID]bool
	merged  map[blob.ID]bool
	journal map[Dot]JournalEvent
	dirty   bool // it has events that no head of it has
}

// clone is a copy of the whole machine.
func (r *replica) clone() *replica {
	c := *r
	c.state.Ctx = r.state.Ctx.Clone()
	c.seen, c.heads, c.mine = maps.Clone(r.seen), maps.Clone(r.heads), maps.Clone(r.mine)
	c.merged, c.journal = maps.Clone(r.merged), maps.Clone(r.journal)
	return &c
}

// A world is some replicas, everything that they ever did, and what was said about it.
type world struct {
	chooser
	algebra
	ctx      context.Context
	f        *Forest
	replicas []*replica
	acts     []act
	heads    []*head // of all times
	states   []State // of all times
	backups  []*replica
	writers  uint64
	alarms   int
	names    []string // of which users make paths
	log      []string
}

func newWorld(ctx context.Context, c chooser, a algebra) *world {
	w := &world{names: []string{"a", "b", "c.txt"}, chooser: c, algebra: a, ctx: ctx, f: NewForest(testConv, newMemory())}
	for i := range 4 + w.below(3, "replicas") {
		r := &replica{name: string(rune('A' + i))}
		w.reset(r)
		w.replicas = append(w.replicas, r)
	}
	return w
}

// reset is the loss of a database.
func (w *world) reset(r *replica) {
	*r = replica{name: r.name, state: State{Ctx: Context{}}, writer: w.fresh(), seen: map[int]bool{}, heads: map[blob.ID]*head{},
		mine: map[blob.ID]bool{}, merged: map[blob.ID]bool{}, journal: map[Dot]JournalEvent{}}
}

func (w *world) fresh() Writer {
	w.writers++
	// Not in order of age, so that no rule that prefers the smaller is one that prefers the older.
	h := hashOf("writer", w.writers)
	return Writer(h[:8])
}

func (w *world) note(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

func (w *world) pick(what string) *replica { return w.replicas[w.below(len(w.replicas), what)] }

// history is the whole of it, for the message of a failure.
func (w *world) history() string { return strings.Join(w.log, "\n") }

// do lets a user do something: events that are based on what is on disk.
func (w *world) do(r *replica, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	s, journal, err := w.commit(w.f, r.state, r.writer, events)
	if err != nil {
		return err
	}
	for _, j := range journal {
		a := act{dot: j.Dot, removes: j.Event.Remove}
		if j.Event.Add != nil {
			a.adds = spell(j.Event.Meta, j.Event.AddAt, j.Event.Add)
		}
		r.seen[len(w.acts)] = true
		w.acts = append(w.acts, a)
		r.journal[j.Dot] = j
	}
	// The disk gets the events alone: what was merged before stays to be applied.
	disk, _, err := Commit(w.f, State{r.state.Ctx, r.base}, r.writer, events)
	if err != nil {
		return err
	}
	r.state, r.base, r.dirty = s, disk.Root, true
	w.states = append(w.states, s)
	return nil
}

// spell is an entry and where it is, for comparing and reading.
func spell(meta bool, path string, e *Entry) string {
	return fmt.Sprintf("%s %c%t %x/%d t%d m%o s%d f%x v%q", path, e.Type, meta, e.Dot.Writer[:2], e.Dot.Counter, e.MTime, e.Mode,
		e.Size, e.Hash[:4], e.Value)
}

// publish makes a head of the replica's state.
func (w *world) publish(r *replica) {
	h := &head{Kept: Kept{ID: capOf(blob.Head, len(w.heads)).ID, Writer: r.writer, State: State{r.state.Ctx.Clone(), r.state.Root}}, seen: maps.Clone(r.seen)}
	w.heads = append(w.heads, h)
	r.heads[h.ID], r.mine[h.ID], r.merged[h.ID] = h, true, true
	r.dirty = false
	w.note("%s publishes %d as %x: %s", r.name, len(w.heads)-1, r.writer[:2], short(r.state.Ctx))
}

func short(c Context) string {
	var s []string
	for _, w := range sortedWriters(writersOf(c)) {
		s = append(s, fmt.Sprintf("%x:%d", w[:2], c[w]))
	}
	return strings.Join(s, " ")
}

func writersOf(c Context) map[Writer]bool {
	m := map[Writer]bool{}
	for w := range c {
		m[w] = true
	}
	return m
}

// take gives heads to a replica.
func (w *world) take(r *replica, heads ...*head) (Joined, error) {
	var kept []Kept
	for _, h := range heads {
		r.heads[h.ID] = h
	}
	for _, h := range r.heads {
		k := h.Kept
		k.Mine, k.Merged = r.mine[h.ID], r.merged[h.ID]
		kept = append(kept, k)
	}
	slices.SortFunc(kept, func(a, b Kept) int { return slices.Compare(a.ID[:], b.ID[:]) })
	self := Self{Writer: r.writer, State: r.state, Made: func(d Dot) (JournalEvent, bool) {
		j, ok := r.journal[d]
		return j, ok
	}, Published: func(n uint64) bool {
		for id := range r.mine {
			if r.heads[id].State.Ctx[r.writer] == n {
				return true
			}
		}
		return false
	}}
	j, err := w.join(w.ctx, w.f, self, kept, w.fresh)
	if err != nil {
		return j, err
	}
	for _, id := range j.Merged {
		r.merged[id] = true
		maps.Copy(r.seen, r.heads[id].seen)
	}
	for _, e := range j.Journal {
		r.journal[e.Dot] = e
	}
	for _, a := range j.Alarms {
		w.alarms++
		w.note("%s: %v", r.name, a)
	}
	r.state, r.writer = j.State, j.Writer
	w.states = append(w.states, r.state)
	return j, nil
}

// frontier are the heads of a replica that no other one dominates.
func (r *replica) frontier() []*head {
	var all []Kept
	for _, h := range r.heads {
		all = append(all, h.Kept)
	}
	var f []*head
	for _, k := range Frontier(all) {
		f = append(f, r.heads[k.ID])
	}
	return f
}

// lives is what the oracle says of who has seen these acts: an entry is there unless somebody removed it who had seen it.
func (w *world) lives(seen map[int]bool) []string {
	gone := map[Dot]bool{}
	for i := range seen {
		for _, d := range w.acts[i].removes {
			gone[d] = true
		}
	}
	var all []string
	for i := range seen {
		if a := w.acts[i]; a.adds != "" && !gone[a.dot] {
			all = append(all, a.adds)
		}
	}
	slices.Sort(all)
	return all
}

// entries is what is in a state.
func (w *world) entries(s State) ([]string, error) {
	var all []string
	for _, meta := range []bool{false, true} {
		tree := s.Root.Files
		if meta {
			tree = s.Root.Meta
		}
		for p, err := range w.f.Walk(tree, "") {
			if err != nil {
				return nil, err
			}
			for i := range p.Entries {
				all = append(all, spell(meta, p.Path, &p.Entries[i]))
			}
		}
	}
	slices.Sort(all)
	return all, nil
}

// agree compares a replica with the oracle.
func (w *world) agree(r *replica) error {
	got, err := w.entries(r.state)
	if err != nil {
		return err
	}
	if want := w.lives(r.seen); !slices.Equal(got, want) {
		return fmt.Errorf("%s has\n  %s\nand should have\n  %s", r.name, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return nil
}

// parts is how many times a property is checked with as many histories as -rapid.checks says.
func parts() int {
	if testing.Short() {
		return 1
	}
	return 20
}

// checks is what -rapid.checks says: 100 if it says nothing, so that there are 2,000 histories.
func checks() int {
	n, err := strconv.Atoi(flag.Lookup("rapid.checks").Value.String())
	if err != nil {
		panic(err)
	}
	return n
}

// batches checks a property in parts.
func batches(t *testing.T, property func(*rapid.T)) {
	for i := range parts() {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, property)
		})
	}
}
