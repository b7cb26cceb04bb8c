package node

import (
	"testing"

	"shoal/share/api"
	"shoal/share/secret"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// joinOf is the JOIN of a node as somebody gets it who knows the code and plays inviter to it.
func joinOf(t *testing.T, code secret.Invite, id secret.Identity, share secret.ShareID) *wire.Join {
	t.Helper()
	x, y := wiretest.Pair(wiretest.Options{})
	hosts := make(chan *wire.InviteConn, 1)
	go func() {
		host, err := wire.OpenInvite(t.Context(), y, code.Keys(), nil)
		if err != nil {
			t.Error(err)
		}
		hosts <- host
	}()
	guest, err := wire.OpenInvite(t.Context(), x, code.Keys(), nil)
	if err != nil {
		t.Fatal(err)
	}
	host := <-hosts
	if err := guest.Join(t.Context(), id, share, "victim"); err != nil {
		t.Fatal(err)
	}
	m, err := host.Recv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m.(*wire.Join)
}

// Who has a code and replays what another said with it, before that joins or after, is not let in, and keeps nobody out.
func TestSimLiarReplaysInvites(t *testing.T) {
	t.Parallel()
	simulate(t, 361, func(t *testing.T, w *simWorld) {
		a, b, thief := w.machine("admin"), w.machine("read"), w.machine("read")
		a.create()
		b.start()
		v := a.invite(api.InviteOptions{Role: "read"})
		code, err := secret.ParseInvite(v.Code)
		if err != nil {
			t.Fatal(err)
		}
		share := a.engine().token.Share
		replayed := joinOf(t, code, b.node().secrets.seed.Identity(share), share)
		replay := func(when string, m *wire.Join) {
			c := w.knocks(t, a, thief.addr, code)
			for _, m := range []wire.InviteMessage{&wire.Knock{Ver: wire.Version}, m, &wire.Thanks{}} {
				_ = c.Send(t.Context(), m)
			}
			for {
				m, err := c.Recv(t.Context())
				if err != nil {
					break
				}
				if _, ok := m.(*wire.Grant); ok {
					t.Errorf("%s: a replayed JOIN is granted", when)
				}
			}
		}
		replay("before", replayed)
		if i := a.inviteNow(v.ID); i.State != api.InviteOpen || i.Others != 0 {
			t.Errorf("%+v", i)
		}
		if j := <-b.redeemed(t.Context(), v.Code); j.err != nil {
			t.Fatal(j.err)
		}
		replay("after", replayed)
		a.stop()
		a.start()
		replay("after a new start", replayed)
		if got := a.listed(); len(got) != 2 {
			t.Error(got)
		}
		w.all = w.all[:2] // the thief has nothing
		w.stillSync(t, "after", a)
	})
}
