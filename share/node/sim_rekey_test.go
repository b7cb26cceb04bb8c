package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/share/api"
)

// member invites a new machine in a role.
func (m *simMachine) member(role string) *simMachine {
	m.w.t.Helper()
	x := m.w.machine(role)
	if j := <-x.redeemed(m.w.t.Context(), m.invite(api.InviteOptions{Role: role}).Code); j.err != nil {
		m.w.t.Fatal(j.err)
	}
	return x
}

func apiWithout(without ...*simMachine) (opts api.RekeyOptions) {
	for _, x := range without {
		opts.Without = append(opts.Without, x.name)
	}
	return opts
}

// rekey gives the share other keys, without some machines.
func (m *simMachine) rekey(without ...*simMachine) *api.RekeyInfo {
	m.w.t.Helper()
	opts := apiWithout(without...)
	info, err := m.node().Rekey(m.w.t.Context(), "s", opts)
	if err != nil {
		m.w.t.Fatal(err)
	}
	m.w.say("%s: keys %d without %v", m.name, info.Epoch, opts.Without)
	return info
}

func names(all []api.MemberInfo) string {
	var s []string
	for _, m := range all {
		s = append(s, m.Label)
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

// stranded waits until a machine knows that it was left out.
func (m *simMachine) stranded() {
	m.w.t.Helper()
	for range 600 {
		time.Sleep(time.Second)
		m.w.quiet()
		if e := m.engine(); e != nil && e.isStranded() {
			s, err := m.node().Status(m.w.t.Context(), "s")
			if err != nil || s.State != api.StateError && s.State != api.StateStopped || s.State == api.StateError && !strings.Contains(s.Error, "ask its owner for a token") {
				m.w.t.Errorf("%s is %+v, %v", m.name, s, err)
			}
			return
		}
	}
	m.w.t.Fatalf("%s does not know that it was left out", m.name)
}

// received is the bytes of the share that came to a machine since its node, and the engine it has now, began.
func (m *simMachine) received() int64 {
	in, _ := m.engine().traffic()
	return in
}

// Five members, one of them off for weeks and one a store; one more is left out. All others have the next keys by themselves,
// and not a byte of a file is sent again; who is left out gets nothing new, and what was done while away is not lost.
func TestSimRekey(t *testing.T) {
	t.Parallel()
	simulate(t, 41, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 30, 60_000, 0)
		a.write("large", simBytes(41, 100, 900_000), false)
		a.create()
		b, s, late, x := a.member("write"), a.member("store"), a.member("write"), a.member("write")
		w.settle(time.Hour)
		w.remember()
		late.stop()
		late.write("f003", simBytes(41, 200, 500), true)
		late.write("of late", simBytes(41, 201, 500), false)
		late.remove("f004")
		before := w.again()
		info := a.rekey(x)
		if names(info.Members) != "m0 m1 m2 m3" || names(info.Out) != "m4" || len(info.ByHand) != 0 || info.Epoch != 1 {
			t.Errorf("%+v", info)
		}
		x.stranded()
		had := blobsOf(t, x.engine())
		w.settle(time.Hour)
		for _, m := range []*simMachine{a, b, s} {
			torrents, _ := m.node().transfers.traffic()
			if got := m.received(); got > 120_000 || torrents != before[m] || m.engine().token.Epoch != 1 {
				t.Errorf("%s received %d bytes, %d of large files, and has keys %d", m.name, got, torrents-before[m], m.engine().token.Epoch)
			}
		}
		x.write("of x", simBytes(41, 300, 500), false)
		x.remove("f001")
		a.write("secret", simBytes(41, 301, 500), false)
		w.settle(time.Hour)
		for range 3 {
			w.days(7)
		}
		late.start()
		time.Sleep(time.Minute)
		w.settle(time.Hour)
		w.lateCame(a, b, late)
		for id := range blobsOf(t, x.engine()) {
			if !had[id] {
				t.Errorf("who was left out has the blob %s since", id)
			}
		}
		if x.tree()["secret"] != "" || x.engine().token.Epoch != 0 {
			t.Error("who was left out has what is new")
		}
		if got := fmt.Sprint(a.listed()); strings.Contains(got, x.name) {
			t.Errorf("members are %s", got)
		}
		x.leaves()
		w.check(strict{})
	})
}

// again starts all machines that run once more, so that what they count begins again: bytes of large files are as they are.
func (w *simWorld) again() map[*simMachine]int64 {
	before := map[*simMachine]int64{}
	for _, m := range w.all {
		if m.node() != nil {
			m.stop()
			m.start()
			before[m] = 0
		}
	}
	w.settle(time.Hour)
	for m := range before {
		before[m], _ = m.node().transfers.traffic()
	}
	return before
}

// lateCame checks what machines have of TestSimRekey when the one that was off has come.
func (w *simWorld) lateCame(all ...*simMachine) {
	t := w.t
	for _, m := range all {
		tree := m.tree()
		if len(tree) != 30+1-1+1+1 || tree["secret"] == "" || tree["of late"] == "" || tree["f001"] == "" || tree["of x"] != "" || tree["f004"] != "" {
			t.Errorf("%s has %v", m.name, tree)
		}
		if !strings.Contains(tree["f003"], w.nameOf(sumOfBytes(simBytes(41, 200, 500)), nil)) {
			t.Errorf("%s has %s for what was written while away", m.name, tree["f003"])
		}
	}
}

// T5 (docs/shares.md §12): who was left out deletes everything, and a member that does not know of it yet takes that in, with
// events of its own. Then it moves: those deletions are nowhere, its own events are.
func TestSimRekeyLateMerge(t *testing.T) {
	t.Parallel()
	simulate(t, 42, func(t *testing.T, w *simWorld) {
		a := w.founder(20, 3000)
		b, late, x := a.member("write"), a.member("write"), a.member("write")
		w.settle(time.Hour)
		w.apart(late, x)
		a.rekey(x)
		a.write("new", simBytes(42, 500, 400), false)
		for i := range 20 {
			x.remove(fmt.Sprintf("f%03d", i))
		}
		x.write("trap", simBytes(42, 501, 400), false)
		x.look()
		late.write("mine", simBytes(42, 502, 400), false)
		late.look()
		w.until("late has taken it in", func() bool { return late.tree()["trap"] != "" && len(late.tree()) <= 3 })
		late.write("after", simBytes(42, 503, 400), false)
		late.remove("trap")
		late.look()
		time.Sleep(time.Minute)
		w.net.part(nil)
		x.stranded()
		time.Sleep(time.Minute)
		w.settle(time.Hour)
		for _, m := range []*simMachine{a, b, late} {
			tree := m.tree()
			if len(tree) != 20+3 || tree["mine"] == "" || tree["after"] == "" || tree["new"] == "" || tree["trap"] != "" {
				t.Errorf("%s has %v", m.name, tree)
			}
		}
	})
}

// leaves takes a machine out of the world: nothing that it still wrote counts.
func (m *simMachine) leaves() {
	m.stop()
	w := m.w
	w.all = slices.DeleteFunc(w.all, func(o *simMachine) bool { return o == m })
	for _, c := range w.written {
		if c.by == m {
			c.by = nil
		}
	}
}

// All that is left of a share is a backup from before its keys changed, twice, and one store: that is enough. What was before can
// be looked at, too.
func TestSimRekeyRecover(t *testing.T) {
	t.Parallel()
	simulate(t, 48, func(t *testing.T, w *simWorld) {
		a := w.founder(5, 3000)
		s := a.member("store")
		w.settle(time.Hour)
		a.rekey()
		w.settle(time.Hour)
		a.write("f001", simBytes(48, 100, 400), true)
		a.look()
		w.settle(time.Hour)
		a.rekey()
		w.settle(time.Hour)
		if all, err := a.node().History(t.Context(), "s", "f001"); err != nil || len(all) != 2 {
			t.Errorf("%+v, %v", all, err)
		}
		a.stop()
		w.days(7)
		r := w.machine("admin")
		r.join() // with the token of the first keys
		time.Sleep(time.Minute)
		w.settle(time.Hour)
		if got := r.tree(); len(got) != 5 || r.engine().token.Epoch != 2 || s.engine().token.Epoch != 2 {
			t.Errorf("keys %d, %v", r.engine().token.Epoch, got)
		}
	})
}
