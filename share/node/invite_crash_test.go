package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/secret"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// crashAt ends the node of a machine at a step of its invites, as a kill does.
func (m *simMachine) crashAt(doomed func(step string) bool) {
	n := m.node()
	f := func(step string) {
		if doomed(step) {
			m.w.say("%s dies after %s", m.name, step)
			m.mu.Lock()
			m.dead = true
			m.mu.Unlock()
			n.cancel()
			m.w.net.cut(func(a, b netip.AddrPort) bool { return a == m.addr || b == m.addr })
		}
	}
	n.invites.crash.Store(&f)
}

// The inviter dies after each step; the joiner tries on, and joins, once.
func TestSimInviteCrash(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"bound", "listed", "granted", "done"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			simulate(t, 5, func(t *testing.T, w *simWorld) {
				a, b, c := w.machine("admin"), w.machine("read"), w.machine("read")
				a.create()
				v := a.invite(api.InviteOptions{Role: "read"})
				a.crashAt(func(s string) bool { return s == step })
				bs := b.redeemed(t.Context(), v.Code)
				for !a.isDead() {
					time.Sleep(10 * time.Millisecond)
				}
				a.stop()
				time.Sleep(5 * time.Second)
				a.start()
				if j := <-bs; j.err != nil {
					t.Fatal(j.err)
				}
				wantFail(t, (<-c.redeemed(t.Context(), v.Code)).err, codeDenied, "used already")
				w.settle(10 * time.Minute)
				if i := a.inviteNow(v.ID); i.State != api.InviteDone || i.Others != 1 {
					t.Errorf("%+v", i)
				}
				if got := fmt.Sprint(b.listed()); got != "map[m0:admin by create m1:read by invite]" {
					t.Error(got)
				}
			})
		})
	}
}

// Whatever dies and whatever is cut, of those who come with a code one joins, the others are refused, and the members
// are the inviter and that one.
func TestSimInviteOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		simulate(t, seed, func(t *testing.T, w *simWorld) {
			a := w.machine("admin")
			a.create()
			v := a.invite(api.InviteOptions{Role: "write"})
			var mu sync.Mutex
			rnd, crashes := rand.New(rand.NewPCG(seed, 4)), 4
			doomed := func(string) bool {
				mu.Lock()
				defer mu.Unlock()
				crashes--
				return crashes > 0 && rnd.IntN(2) == 0
			}
			a.crashAt(doomed)
			guests := []*simMachine{w.machine("write"), w.machine("write"), w.machine("write")}
			coming := map[*simMachine]<-chan joins{}
			for _, g := range guests {
				coming[g] = g.redeemed(t.Context(), v.Code)
			}
			for tick := 0; len(coming) > 0; tick++ {
				if tick > 20_000 {
					t.Fatalf("%d guests wait", len(coming))
				}
				time.Sleep(20 * time.Millisecond)
				w.quiet()
				if a.isDead() {
					a.stop()
					time.Sleep(time.Second)
					a.start()
					a.crashAt(doomed)
				}
				for _, g := range guests {
					trouble(w, g, v.Code, coming, tick < 500)
				}
			}
			joined := 0
			for _, g := range guests {
				if g.engine() != nil {
					joined++
				}
			}
			if joined != 1 {
				t.Errorf("%d joined", joined)
			}
			w.settle(10 * time.Minute)
			if i, got := a.inviteNow(v.ID), a.listed(); i.State != api.InviteDone || len(got) != 2 || got[i.Label] != "write by invite" {
				t.Errorf("%+v, %v", i, got)
			}
		})
	}
}

// trouble kills a guest now and then, cuts its connections, and lets it try again until it joined or was refused.
func trouble(w *simWorld, g *simMachine, code string, coming map[*simMachine]<-chan joins, bad bool) {
	if coming[g] == nil {
		return
	}
	if bad {
		switch w.rnd.IntN(60) {
		case 0:
			g.kill()
			<-coming[g]
			g.start()
			coming[g] = nil
		case 1:
			for _, l := range w.net.all() {
				if l.from == g.addr || l.RemoteAddr() == g.addr {
					l.Cut()
				}
			}
		}
	}
	if coming[g] != nil {
		select {
		case j := <-coming[g]:
			if j.err == nil || bt.CodeOf(j.err) == codeDenied {
				delete(coming, g)
				return
			}
		default:
			return
		}
	}
	if g.engine() != nil { // it died after it had joined
		delete(coming, g)
		return
	}
	coming[g] = g.redeemed(context.Background(), code)
}

// Who does not know the code is cut off, and at the third time in a minute refused for an hour.
func TestSimInviteGuesser(t *testing.T) {
	t.Parallel()
	simulate(t, 6, func(t *testing.T, w *simWorld) {
		a, b := w.machine("admin"), w.machine("read")
		a.create()
		v := a.invite(api.InviteOptions{Role: "read"})
		code, err := secret.ParseInvite(v.Code)
		if err != nil {
			t.Fatal(err)
		}
		met := w.meetingOf(a, code)
		for range 3 {
			guess, link := wiretest.Pair(wiretest.Options{Dialler: b.addr, Listener: a.addr})
			go met.onLink(&simLink{Link: link, from: a.addr, hash: met.hash})
			if err := guess.Send(t.Context(), make([]byte, 48)); err != nil {
				t.Fatal(err)
			}
			if frame, err := guess.Recv(t.Context()); err == nil {
				t.Errorf("a guesser is answered by %d bytes", len(frame))
			}
		}
		w.quiet()
		w.net.mu.Lock()
		banned := met.banned[b.addr.Addr()]
		w.net.mu.Unlock()
		if !banned {
			t.Error("a guesser is not banned")
		}
		wantFail(t, (<-b.redeemed(t.Context(), v.Code)).err, bt.NoPeers, "nobody answers")
		time.Sleep(2 * time.Hour)
		if j := <-b.redeemed(t.Context(), v.Code); j.err != nil {
			t.Error(j.err)
		}
	})
}

// Who knows the code and breaks the protocol is left, and the invite stays good.
func TestSimInviteHostile(t *testing.T) {
	t.Parallel()
	simulate(t, 7, func(t *testing.T, w *simWorld) {
		a, b, thief := w.machine("admin"), w.machine("read"), w.machine("read")
		a.create()
		v := a.invite(api.InviteOptions{Role: "read"})
		code, err := secret.ParseInvite(v.Code)
		if err != nil {
			t.Fatal(err)
		}
		thief.start()
		share, knock := a.engine().token.Share, &wire.Knock{Ver: wire.Version}
		self, other := a.engine().self, thief.node().secrets.seed.Identity(a.engine().token.Share)
		for name, says := range map[string][]wire.InviteMessage{
			"nothing": {}, "ok at once": {&wire.Thanks{}}, "grant": {knock, &wire.Grant{Token: "x"}}, "ok": {knock, &wire.Thanks{}},
			"unsigned": {knock, &wire.Join{PK: other.Key(), Box: other.BoxKey()}}, "no key": {knock, &wire.Join{}},
			"of a later version": {&wire.Knock{Ver: wire.Version * 2}},
		} {
			c := w.knocks(t, a, b.addr, code)
			for _, m := range says {
				if err := c.Send(t.Context(), m); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			for {
				m, err := c.Recv(t.Context())
				if err != nil {
					break
				}
				if _, granted := m.(*wire.Grant); granted {
					t.Errorf("%s: it was let in", name)
				}
			}
		}
		// The inviter's own key is no joiner's.
		c := w.knocks(t, a, b.addr, code)
		if err := c.Send(t.Context(), knock); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Recv(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = c.Join(t.Context(), self, share, "")
		if m, err := c.Recv(t.Context()); err == nil {
			t.Errorf("its own key is answered by %s", m.Kind())
		}
		if i := a.inviteNow(v.ID); i.State != api.InviteOpen || i.Others != 0 {
			t.Errorf("%+v", i)
		}
		if j := <-b.redeemed(t.Context(), v.Code); j.err != nil {
			t.Error(j.err)
		}
	})
}

// meetingOf is where a machine waits for who comes with a code.
func (w *simWorld) meetingOf(m *simMachine, code secret.Invite) *simMeeting {
	for {
		w.net.mu.Lock()
		met := w.net.hosts[m.addr].meetings[code.Keys().Rendezvous]
		w.net.mu.Unlock()
		if met != nil {
			return met
		}
		time.Sleep(time.Millisecond)
	}
}

// knocks is a connection to the inviter of a code, of somebody who knows that.
func (w *simWorld) knocks(t *testing.T, a *simMachine, from netip.AddrPort, code secret.Invite) *wire.InviteConn {
	t.Helper()
	met := w.meetingOf(a, code)
	own, link := wiretest.Pair(wiretest.Options{Dialler: from, Listener: a.addr})
	go met.onLink(&simLink{Link: link, from: a.addr, hash: met.hash})
	c, err := wire.OpenInvite(t.Context(), own, code.Keys(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
