package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/secret"
	"shoal/share/vault"
)

func openHome(t *testing.T, home, password string) *Node {
	t.Helper()
	n, err := Open(t.Context(), Options{Home: home, Vault: vault.AtCost(home, 4), Password: func(context.Context) (string, error) { return password, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func closeNode(t *testing.T, n *Node) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

// inDatabase reports whether any file of the database has a text.
func inDatabase(t *testing.T, home, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(home, "node.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}

// TestSecretsLeaveTheDatabase opens what an older version has left: tokens and key move to the store, and no byte of them
// stays behind.
func TestSecretsLeaveTheDatabase(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	n := openHome(t, home, "")
	if _, err := n.Create(t.Context(), api.CreateOptions{Name: "s", Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	e := n.engines["s"]
	token, pk, seed := e.token.Text(), e.pk, n.secrets.seed
	if inDatabase(t, home, token) || inDatabase(t, home, string(seed[:])) {
		t.Fatal("a secret is in the database")
	}
	err := n.db.Update(t.Context(), func(t *db.Tx) error {
		if err := t.SetRef(e.n, token); err != nil {
			return err
		}
		return t.SetValue("seed", seed[:])
	})
	if err != nil {
		t.Fatal(err)
	}
	closeNode(t, n)
	if err := os.Remove(filepath.Join(home, "secrets.json")); err != nil {
		t.Fatal(err)
	}
	if !inDatabase(t, home, token) {
		t.Fatal("the test looks in the wrong place")
	}
	// Who only looks around changes nothing, and tells nothing.
	r, err := OpenToRead(t.Context(), Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := r.List(t.Context()); err != nil || len(list) != 1 || list[0].Role != "admin" {
		t.Fatal(list, err)
	}
	closeNode(t, r)

	n = openHome(t, home, "")
	if inDatabase(t, home, token) || inDatabase(t, home, string(seed[:])) {
		t.Error("a secret stayed in the database")
	}
	if e := n.engines["s"]; e == nil || e.token.Text() != token || e.pk != pk {
		t.Error("the share, or the node, is another")
	}
	closeNode(t, n)
	n = openHome(t, home, "")
	if e := n.engines["s"]; e == nil || e.pk != pk {
		t.Error("the share, or the node, is another after the next start")
	}
}

// TestLocked starts a node whose secrets are locked: it has its shares by name only, until it is told the password.
func TestLocked(t *testing.T) {
	t.Parallel()
	home, dir := t.TempDir(), t.TempDir()
	n := openHome(t, home, "")
	if _, err := n.Create(t.Context(), api.CreateOptions{Name: "s", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	closeNode(t, n)
	if err := vault.AtCost(home, 4).Secure(t.Context(), vault.Change{New: "pw", Lock: true}); err != nil {
		t.Fatal(err)
	}
	n = openHome(t, home, "")
	n.Start()
	list, err := n.List(t.Context())
	if err != nil || len(list) != 1 || list[0].State != api.StateLocked || list[0].Role != "admin" || list[0].Dir != dir {
		t.Fatalf("%+v, %v", list, err)
	}
	denied := func(err error) {
		t.Helper()
		if bt.CodeOf(err) != api.Denied {
			t.Errorf("got %v, want denied", err)
		}
	}
	_, err = n.Status(t.Context(), "s")
	denied(err)
	denied(n.Remove(t.Context(), "s"))
	_, err = n.Create(t.Context(), api.CreateOptions{Name: "more", Dir: t.TempDir()})
	denied(err)
	denied(n.Unlock(t.Context(), "wrong"))
	if _, err = n.Create(t.Context(), api.CreateOptions{Name: "inside", Dir: filepath.Join(dir, "sub")}); bt.CodeOf(err) != bt.Exists {
		t.Errorf("the folder of a locked share was given to another: %v", err)
	}
	if results, err := n.Sync(t.Context(), api.SyncOptions{}); err != nil || len(results) != 1 || results[0].Code != string(api.Denied) {
		t.Errorf("%+v, %v", results, err)
	}
	if swept, err := n.collect(t.Context()); swept != 0 || err != nil {
		t.Error(swept, err)
	}
	if err := n.Unlock(t.Context(), "pw"); err != nil {
		t.Fatal(err)
	}
	if s, err := n.Status(t.Context(), "s"); err != nil || s.State == api.StateLocked {
		t.Errorf("%+v, %v", s, err)
	}
	// It has the password now, for what is added.
	if _, err := n.Create(t.Context(), api.CreateOptions{Name: "more", Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	closeNode(t, n)
	n = openHome(t, home, "pw")
	if len(n.engines) != 2 {
		t.Error("the password at the start does not open everything")
	}
}

// TestSecretIsMissing starts a node without one of its secrets, and brings that in while it runs.
func TestSecretIsMissing(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	n := openHome(t, home, "")
	for _, name := range []string{"a", "b"} {
		if _, err := n.Create(t.Context(), api.CreateOptions{Name: name, Dir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
	}
	closeNode(t, n)
	var all []vault.Entry
	v := vault.At(home)
	err := v.Update(t.Context(), "", func(list []vault.Entry) ([]vault.Entry, error) {
		all = list
		return list[:2:2], nil // the key, and a
	})
	if err != nil {
		t.Fatal(err)
	}
	n = openHome(t, home, "")
	if _, err := n.Status(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if _, err := n.Status(t.Context(), "b"); bt.CodeOf(err) != api.Denied {
		t.Error(err)
	}
	if err := v.Keep(t.Context(), "", all...); err != nil {
		t.Fatal(err)
	}
	if err := n.Unlock(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Status(t.Context(), "b"); err != nil {
		t.Error(err)
	}
}

// TestRolesAreFound joins with every role, and with a token that says to be what is here already.
func TestRolesAreFound(t *testing.T) {
	t.Parallel()
	admin, err := secret.NewAdmin(strings.NewReader(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for role := secret.Store; role <= secret.Admin; role++ {
		home := t.TempDir()
		n := openHome(t, home, "")
		token, err := admin.Weaken(role)
		if err != nil {
			t.Fatal(err)
		}
		if role != secret.Admin { // the id of a share gives a forged one of those away
			forged := token
			forged.Secret[0] ^= 1
			if err := n.secrets.keep(t.Context(), vault.Entry{Label: "s", Secret: vault.OfToken(forged)}); err != nil {
				t.Fatal(err)
			}
			if _, err := n.Add(t.Context(), api.AddOptions{Token: token.Text(), Dir: t.TempDir()}); bt.CodeOf(err) != bt.Exists {
				t.Errorf("%v: %v", role, err)
			}
			if err := os.Remove(filepath.Join(home, "secrets.json")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := n.Add(t.Context(), api.AddOptions{Token: token.Text(), Name: "s", Dir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		closeNode(t, n)
		n = openHome(t, home, "")
		if e := n.engines["s"]; e == nil || e.token != token {
			t.Errorf("%v: the share has another token, or none", role)
		}
		closeNode(t, n)
	}
}

// TestInviteCodesAreInTheStore checks that the code of an invite is where secrets are, and in the database is not.
func TestInviteCodesAreInTheStore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := r.a.node
	info, err := n.Invite(t.Context(), "s", api.InviteOptions{Role: "read"})
	if err != nil {
		t.Fatal(err)
	}
	code, err := secret.ParseInvite(info.Code)
	if err != nil {
		t.Fatal(err)
	}
	if inDatabase(t, n.home, string(code.Code[:])) {
		t.Error("the code is in the database")
	}
	list, err := vault.At(n.home).Read("")
	if err != nil {
		t.Fatal(err)
	}
	e, err := vault.Find(list, "invite to s")
	if err != nil || e.Secret.Invite != code {
		t.Errorf("%v, %v", e, err)
	}
	if err := n.secrets.dropInvite(t.Context(), sha256.Sum256(code.Code[:])); err != nil {
		t.Fatal(err)
	}
	if list, err = vault.At(n.home).Read(""); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
}

// The tokens of a link are in the store of secrets while it is there, and no longer: those that it brought, and not what a
// person has put there.
func TestTokensOfLinks(t *testing.T) {
	t.Parallel()
	owner, last := newMachine(t, "owner"), newMachine(t, "last")
	owner.made("photos", map[string]string{"a/one": "1"})
	owner.made("family", map[string]string{"note": "hello"})
	tokens := func(m *machine) (n int) {
		list, err := m.n.secrets.vault.Read("")
		if err != nil {
			t.Error(err)
		}
		for _, e := range list {
			if e.Secret.Kind == vault.Share {
				n++
			}
		}
		return n
	}
	owner.link("photos:a", "family:a", false)
	at := last.joins(owner, "family", "read", owner)
	holds(t, at, map[string]string{"note": "hello", "a/one": "1"})
	if n, m := tokens(owner), tokens(last); n != 3 || m != 2 {
		t.Errorf("%d and %d tokens", n, m)
	}
	list, err := last.n.Ls(t.Context(), "family", "a")
	if err != nil || len(list) == 0 || list[0].Type != "link" || !list[0].Present || !list[0].MTime.IsZero() {
		t.Errorf("a link is listed as %+v, %v", list, err)
	}
	if err := owner.n.Unlink(t.Context(), "family", "a"); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*machine{owner, last} {
		waitFor(t, "the end of the link", func() bool { return m.mounted() == nil && tokens(m) == map[*machine]int{owner: 2, last: 1}[m] })
	}
}
