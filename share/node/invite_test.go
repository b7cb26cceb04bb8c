package node

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/secret"
)

// joins is what came of joining with a code.
type joins struct {
	info  *api.ShareInfo
	err   error
	words string
}

// redeemed joins with a code, and tells what came of it.
func (m *simMachine) redeemed(ctx context.Context, code string) <-chan joins {
	m.w.t.Helper()
	m.start()
	out := make(chan joins, 1)
	n := m.node()
	go func() {
		var j joins
		ctx := api.WithProgress(ctx, func(p api.Progress) { j.words = p.Words })
		j.info, j.err = n.Add(ctx, api.AddOptions{Token: code, Dir: m.dir, Name: "s", Seconds: 60})
		out <- j
	}()
	return out
}

func (m *simMachine) invite(opts api.InviteOptions) *api.InviteInfo {
	m.w.t.Helper()
	info, err := m.node().Invite(context.Background(), "s", opts)
	if err != nil {
		m.w.t.Fatal(err)
	}
	return info
}

// listed is how the nodes of the share joined, by their labels.
func (m *simMachine) listed() map[string]string {
	m.w.t.Helper()
	all, err := m.node().Members(context.Background(), "s")
	if err != nil {
		m.w.t.Fatal(err)
	}
	how := map[string]string{}
	for _, i := range all {
		if i.Listed {
			how[i.Label] = i.Role + " by " + i.How
		}
	}
	return how
}

func (m *simMachine) inviteNow(id string) api.InviteInfo {
	m.w.t.Helper()
	all, err := m.node().Invites(context.Background(), "s")
	if err != nil {
		m.w.t.Fatal(err)
	}
	for _, i := range all {
		if i.ID == id {
			return i
		}
	}
	m.w.t.Fatalf("no invite %s", id)
	return api.InviteInfo{}
}

func wantFail(t *testing.T, err error, code bt.Code, text string) {
	t.Helper()
	if err == nil || bt.CodeOf(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("the error is %v (%s), want %q (%s)", err, bt.CodeOf(err), text, code)
	}
}

// Each role joins with a code of its own, gets the files, and is a member; what it then writes comes back.
func TestSimInviteRoles(t *testing.T) {
	t.Parallel()
	simulate(t, 1, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.create()
		a.write("one", simBytes(1, 1, 3000), false)
		roles := []string{"write", "read", "store"}
		for _, role := range roles {
			m := w.machine(role)
			v := a.invite(api.InviteOptions{Role: role})
			if _, err := secret.ParseInvite(v.Code); err != nil || v.State != api.InviteOpen {
				t.Errorf("%+v, %v", v, err)
			}
			j := <-m.redeemed(t.Context(), v.Code)
			if j.err != nil || j.info.Role != role {
				t.Fatalf("%s: %+v, %v", role, j.info, j.err)
			}
			if i, err := a.node().AwaitInvite(t.Context(), "s", v.ID, api.InviteBound); err != nil || i.State != api.InviteDone || i.Label != m.name || i.Code != "" {
				t.Errorf("%+v, %v", i, err)
			}
			wantFail(t, (<-w.machine(role).redeemed(t.Context(), v.Code)).err, codeDenied, "used already")
		}
		w.settle(10 * time.Minute)
		if got := fmt.Sprint(a.listed()); got != "map[m0:admin by create m1:write by invite m3:read by invite m5:store by invite]" {
			t.Error(got)
		}
		// A writer that came with an invite is a member, and can invite.
		b := w.all[1]
		if got := b.listed(); len(got) != 4 {
			t.Error(got)
		}
		c := w.machine("read")
		if j := <-c.redeemed(t.Context(), b.invite(api.InviteOptions{Role: "read"}).Code); j.err != nil {
			t.Error(j.err)
		}
		_, err := w.all[3].node().Invite(t.Context(), "s", api.InviteOptions{Role: "read"})
		wantFail(t, err, codeDenied, "only a writer")
		w.settle(10 * time.Minute)
	})
}

// Two come at once with one code: one joins, the other is told, and so is the inviter.
func TestSimInviteRace(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		simulate(t, seed, func(t *testing.T, w *simWorld) {
			a, b, c := w.machine("admin"), w.machine("read"), w.machine("read")
			a.create()
			v := a.invite(api.InviteOptions{Role: "read"})
			bs, cs := b.redeemed(t.Context(), v.Code), c.redeemed(t.Context(), v.Code)
			won, lost := <-bs, <-cs
			if won.err != nil {
				won, lost = lost, won
			}
			if won.err != nil {
				t.Fatal(won.err)
			}
			wantFail(t, lost.err, codeDenied, "used already")
			if i := a.inviteNow(v.ID); i.Others == 0 || i.State != api.InviteDone {
				t.Errorf("%+v", i)
			}
			s, err := a.node().Status(t.Context(), "s")
			if err != nil || len(s.Alarms) != 1 || !strings.Contains(s.Alarms[0], "tried by another node") {
				t.Errorf("the inviter is told %q, %v", s.Alarms, err)
			}
			if got := a.listed(); len(got) != 2 {
				t.Error(got)
			}
		})
	}
}

// Codes that are over, revoked or unknown are refused clearly; nobody answers those that are unknown.
func TestSimInviteOver(t *testing.T) {
	t.Parallel()
	simulate(t, 2, func(t *testing.T, w *simWorld) {
		a, b := w.machine("admin"), w.machine("read")
		a.create()
		late, revoked := a.invite(api.InviteOptions{Role: "read", Seconds: 60}), a.invite(api.InviteOptions{Role: "read"})
		if err := a.node().RevokeInvite(t.Context(), "s", revoked.ID[:8]); err != nil {
			t.Fatal(err)
		}
		if i, err := a.node().AwaitInvite(t.Context(), "s", late.ID, api.InviteOpen); err != nil || i.State != api.InviteExpired {
			t.Errorf("%+v, %v", i, err)
		}
		wantFail(t, (<-b.redeemed(t.Context(), late.Code)).err, codeDenied, "expired")
		wantFail(t, (<-b.redeemed(t.Context(), revoked.Code)).err, codeDenied, "revoked")
		unknown := secret.Invite{Code: [16]byte{1}}.Text()
		began := time.Now()
		wantFail(t, (<-b.redeemed(t.Context(), unknown)).err, bt.NoPeers, "nobody answers")
		if took := time.Since(began); took < time.Minute {
			t.Errorf("a code that nobody gave out costs its guesser %s", took)
		}
		wantFail(t, (<-b.redeemed(t.Context(), unknown[:30])).err, bt.BadInput, "not a valid invite")
		if b.engine() != nil {
			t.Error("it joined")
		}
		// A week after, they are forgotten.
		a.clock.skew.Store(int64((inviteKept + 25*time.Hour).Seconds()))
		time.Sleep(2 * time.Hour)
		if all, err := a.node().Invites(t.Context(), "s"); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		err := a.node().db.View(t.Context(), func(tx *db.Tx) error {
			all, err := tx.Invites(0)
			if len(all) != 0 {
				t.Errorf("%d codes are kept for ever", len(all))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Both ends see the same words, and a person decides, even after both machines have been off.
func TestSimInviteApprove(t *testing.T) {
	t.Parallel()
	simulate(t, 3, func(t *testing.T, w *simWorld) {
		a, b, c := w.machine("admin"), w.machine("write"), w.machine("write")
		a.create()
		v := a.invite(api.InviteOptions{Role: "write", Approve: true})
		bs := b.redeemed(t.Context(), v.Code)
		i, err := a.node().AwaitInvite(t.Context(), "s", v.ID, api.InviteOpen)
		if err != nil || i.State != api.InviteAsked || len(strings.Fields(i.Words)) != 4 || i.Label != b.name {
			t.Fatalf("%+v, %v", i, err)
		}
		wantFail(t, (<-c.redeemed(t.Context(), v.Code)).err, codeDenied, "used already")
		if got := a.listed(); len(got) != 1 {
			t.Errorf("it is a member before somebody said yes: %v", got)
		}
		a.kill()
		time.Sleep(time.Minute)
		a.start()
		if got := a.inviteNow(v.ID); got.Words != i.Words || got.State != api.InviteAsked {
			t.Errorf("after a crash: %+v", got)
		}
		if err := a.node().Admit(t.Context(), "s", i.Node[:16], ""); err != nil {
			t.Fatal(err)
		}
		j := <-bs
		if j.err != nil || j.words != i.Words {
			t.Errorf("the joiner: %v; its words %q, the inviter's %q", j.err, j.words, i.Words)
		}
		// No means no, and the code is void.
		v = a.invite(api.InviteOptions{Role: "write", Approve: true})
		cs := c.redeemed(t.Context(), v.Code)
		if _, err := a.node().AwaitInvite(t.Context(), "s", v.ID, api.InviteOpen); err != nil {
			t.Fatal(err)
		}
		if err := a.node().RevokeInvite(t.Context(), "s", v.ID); err != nil {
			t.Fatal(err)
		}
		wantFail(t, (<-cs).err, codeDenied, "did not let this machine in")
		wantFail(t, (<-w.machine("write").redeemed(t.Context(), v.Code)).err, codeDenied, "used already")
		if got := a.listed(); len(got) != 2 {
			t.Error(got)
		}
	})
}

// Who joined with an invite and is not listed is warned, until it is.
func TestSimInviteUnlisted(t *testing.T) {
	t.Parallel()
	simulate(t, 8, func(t *testing.T, w *simWorld) {
		a, b := w.machine("admin"), w.machine("read")
		a.create()
		b.start()
		if _, err := b.node().Add(t.Context(), api.AddOptions{Token: w.tokens["read"], Dir: b.dir, Name: "s", Options: api.ShareConfig{InvitedBy: "ab"}}); err != nil {
			t.Fatal(err)
		}
		w.settle(10 * time.Minute)
		if s, err := b.node().Status(t.Context(), "s"); err != nil || len(s.Alarms) != 1 || !strings.Contains(s.Alarms[0], "does not list it") {
			t.Errorf("%q, %v", s.Alarms, err)
		}
		pk := b.engine().pk
		if err := a.node().Admit(t.Context(), "s", hex.EncodeToString(pk[:]), ""); err != nil {
			t.Fatal(err)
		}
		w.settle(10 * time.Minute)
		if s, err := b.node().Status(t.Context(), "s"); err != nil || len(s.Alarms) != 0 {
			t.Errorf("%q, %v", s.Alarms, err)
		}
		if got := fmt.Sprint(a.listed()); got != "map[m0:admin by create m1:read by token]" {
			t.Error(got)
		}
	})
}

// How a node joined is signed, as all that is said of it.
func TestHowIsSigned(t *testing.T) {
	t.Parallel()
	e, ev, share := goldenMember(t)
	m, _ := parseMember(ev.AddAt[len(memberPath):], ev.Add.Value)
	m.How = howInvite
	if m.verify(share) {
		t.Error("another word is believed")
	}
	e.vouch(&m)
	if back, ok := parseMember(m.path()[len(memberPath):], m.encode()); !ok || !back.verify(share) || back.How != howInvite {
		t.Errorf("%+v, %t", back, ok)
	}
	m.How = "Invite!"
	if _, ok := parseMember(m.path()[len(memberPath):], m.encode()); ok {
		t.Error("how is a word of small letters")
	}
}
