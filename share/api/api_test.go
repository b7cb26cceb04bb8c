package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/api/apitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shortDir is a folder whose path leaves room for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// serve answers for n on home until the function that it returns, or the test's end, stops it.
func serve(t *testing.T, home string, n api.Shares) (stop func()) {
	t.Helper()
	l, err := api.Listen(t.Context(), home, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, l, n) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func dial(t *testing.T, home string) *api.Client {
	t.Helper()
	c, err := api.Dial(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// calls makes each call of an api.Node, those that fail included, and is what came of it.
func calls(ctx context.Context, n api.Node) (all []string) {
	var told []api.Progress
	ctx = api.WithProgress(ctx, func(p api.Progress) { told = append(told, p) })
	note := func(what string, result any, err error) {
		b, jerr := json.Marshal(result)
		if jerr != nil {
			b = []byte(jerr.Error())
		}
		text := fmt.Sprintf("%s: %s told %t", what, b, len(told) > 0)
		if err != nil {
			var e *bt.Error
			errors.As(err, &e)
			text = fmt.Sprintf("%s: %v %s %q", what, err, bt.CodeOf(err), e.Hint())
		}
		all, told = append(all, text), nil
	}
	info, err := n.Create(ctx, api.CreateOptions{Name: "odd näme", Dir: "/srv/x", Options: api.ShareConfig{LANOnly: true}})
	note("create", info, err)
	_, err = n.Create(ctx, api.CreateOptions{Name: "odd näme"})
	note("create twice", nil, err)
	token, err := n.Token(ctx, "odd näme", "read")
	note("token", token, err)
	_, err = n.Token(ctx, "odd näme", "boss")
	note("token of no role", nil, err)
	info, err = n.Add(ctx, api.AddOptions{Token: token, Name: "held", Dir: "/srv/y", Options: api.ShareConfig{Select: []string{"*.mkv"}}})
	note("add", info, err)
	_, err = n.Add(ctx, api.AddOptions{Token: token[1:], Name: "y"})
	note("add a bad token", nil, err)
	list, err := n.List(ctx)
	note("list", list, err)
	invite, err := n.Invite(ctx, "odd näme", api.InviteOptions{Role: "write", Seconds: 60, Approve: true})
	note("invite", invite, err)
	_, err = n.Invite(ctx, "held", api.InviteOptions{Role: "read"})
	note("invite by a reader", nil, err)
	joined, err := n.Add(ctx, api.AddOptions{Token: invite.Code, Name: "joined", Dir: "/srv/z", Seconds: 1})
	note("join", joined, err)
	_, err = n.Add(ctx, api.AddOptions{Token: invite.Code, Name: "used", Dir: "/srv/u"})
	note("join again", nil, err)
	for _, id := range []string{invite.ID, invite.ID[:8], "0000000000", "no", "../status"} {
		state, err := n.AwaitInvite(ctx, "odd näme", id, "open")
		note("await", state, err)
	}
	note("revoke", nil, n.RevokeInvite(ctx, "odd näme", invite.ID[:8]))
	note("revoke none", nil, n.RevokeInvite(ctx, "odd näme", "x/y"))
	invites, err := n.Invites(ctx, "odd näme")
	note("invites", invites, err)
	note("admit", nil, n.Admit(ctx, "odd näme", "cdcd", "store"))
	note("admit by a reader", nil, n.Admit(ctx, "held", "cdcd", ""))
	for _, name := range []string{"odd näme", "held", "nosuch", "..", ""} {
		status, err := n.Status(ctx, name)
		note("status", status, err)
		peers, err := n.Peers(ctx, name)
		note("peers", peers, err)
		members, err := n.Members(ctx, name)
		note("members", members, err)
		conflicts, err := n.Conflicts(ctx, name)
		note("conflicts", conflicts, err)
		for _, path := range []string{"", "notes", "notes/read me.txt", "no?such&path=1#x"} {
			files, err := n.Ls(ctx, name, path)
			note("ls", files, err)
			files, err = n.Get(ctx, name, []string{path}, "")
			note("get", files, err)
			files, err = n.Drop(ctx, name, []string{path}, path == "notes")
			note("drop", files, err)
			versions, err := n.History(ctx, name, path)
			note("history", versions, err)
			files, err = n.Restore(ctx, name, path, "2026-01-01T00:00:00Z")
			note("restore", files, err)
		}
		note("resolve", nil, n.Resolve(ctx, name, "film.mkv", "ours"))
		checked, err := n.Check(ctx, name, name == "held")
		note("check", checked, err)
		files, err := n.Revert(ctx, name, "")
		note("revert", files, err)
		note("pause", nil, n.Pause(ctx, name, true))
		note("resume", nil, n.Pause(ctx, name, false))
		count, err := n.Reject(ctx, name)
		note("reject", count, err)
		count, err = n.Accept(ctx, name)
		note("accept", count, err)
	}
	synced, err := n.Sync(ctx, api.SyncOptions{Names: []string{"odd näme", "nosuch"}, For: time.Minute})
	note("sync", synced, err)
	note("rm", nil, n.Remove(ctx, "held"))
	note("rm twice", nil, n.Remove(ctx, "held"))
	torrent, err := n.AddTorrent(ctx, api.TorrentOptions{Path: "/srv/film.mkv"})
	note("torrent", torrent, err)
	_, err = n.AddTorrent(ctx, api.TorrentOptions{Metainfo: []byte("no")})
	note("no torrent", nil, err)
	torrents, err := n.ListTorrents(ctx)
	note("torrents", torrents, err)
	torrent, err = n.RemoveTorrent(ctx, "0123")
	note("rm torrent", torrent, err)
	_, err = n.RemoveTorrent(ctx, "../0123")
	note("rm no torrent", nil, err)
	return all
}

// What is asked through the socket is answered as if the node were in this process.
func TestSocketChangesNothing(t *testing.T) {
	t.Parallel()
	home := shortDir(t)
	serve(t, home, apitest.New())
	got, want := calls(t.Context(), dial(t, home)), calls(t.Context(), apitest.New())
	for i := range want {
		g, w := got[i], want[i]
		// A name that cannot be is found nowhere, with whatever advice.
		if strings.Contains(w, `there is no share ".."`) || strings.Contains(w, `there is no share ""`) || strings.Contains(w, "../0123") {
			g, w = strings.SplitAfter(g, "not-found")[0], strings.SplitAfter(w, "not-found")[0]
		}
		// Nothing may be a null or an empty list.
		if strings.ReplaceAll(g, "[]", "null") != strings.ReplaceAll(w, "[]", "null") {
			t.Errorf("through the socket %s\nin the process %s", g, w)
		}
	}
}

func TestNoNode(t *testing.T) {
	t.Parallel()
	for name, home := range map[string]string{"empty": shortDir(t), "absent": filepath.Join(shortDir(t), "x"), "long": longDir(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := api.Dial(t.Context(), home); !errors.Is(err, api.ErrNoNode) {
				t.Errorf("dialling: %v", err)
			}
			stop := serve(t, home, apitest.New())
			client := dial(t, home)
			stop()
			if _, err := client.List(t.Context()); !errors.Is(err, api.ErrNoNode) {
				t.Errorf("asking a node that ended: %v", err)
			}
			if _, err := api.Dial(t.Context(), home); !errors.Is(err, api.ErrNoNode) {
				t.Errorf("dialling a node that ended: %v", err)
			}
		})
	}
}

// longDir is a folder whose path leaves no room for a socket.
func longDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(shortDir(t), strings.Repeat("long", 25))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestClientLeaves(t *testing.T) {
	t.Parallel()
	home, node := shortDir(t), apitest.New()
	node.Hang = make(chan string)
	serve(t, home, node)
	client := dial(t, home)
	cause := errors.New("no time")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := client.Sync(ctx, api.SyncOptions{Names: []string{"x"}})
		done <- err
	}()
	if name := <-node.Hang; name != "x" {
		t.Errorf("the node syncs %q", name)
	}
	cancel(cause)
	if err := <-done; err != cause {
		t.Errorf("the client says %v", err)
	}
	if said := <-node.Hang; said != "gone" {
		t.Errorf("the node says %q", said)
	}
}

func TestNodeStops(t *testing.T) {
	t.Parallel()
	home, node := shortDir(t), apitest.New()
	node.Hang = make(chan string)
	stop := serve(t, home, node)
	client := dial(t, home)
	done := make(chan error, 1)
	go func() {
		_, err := client.Sync(t.Context(), api.SyncOptions{Names: []string{"x"}})
		done <- err
	}()
	<-node.Hang
	go stop()
	if said := <-node.Hang; said != "gone" {
		t.Errorf("the node says %q", said)
	}
	err := <-done
	var e *bt.Error
	if !errors.As(err, &e) || e.Code != bt.Failed || e.Error() != "the node is stopping" || e.Hint() == "" {
		t.Errorf("the client says %v", err)
	}
	stop()
}

func TestListen(t *testing.T) {
	t.Parallel()
	for name, home := range map[string]string{"short": shortDir(t), "long": longDir(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			temp := t.TempDir()
			l, err := api.Listen(t.Context(), home, temp)
			if err != nil {
				t.Fatal(err)
			}
			path := l.Addr().String()
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the socket: %v, %v", info, err)
			}
			if _, err := api.Listen(t.Context(), home, temp); bt.CodeOf(err) != bt.Busy {
				t.Errorf("listening twice: %v", err)
			}
			// One that was killed leaves its socket.
			l.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
			l.Close()
			if _, err := os.Stat(path); err != nil {
				t.Fatal(err)
			}
			if _, err := api.Dial(t.Context(), home); !errors.Is(err, api.ErrNoNode) {
				t.Errorf("dialling what was killed: %v", err)
			}
			again, err := api.Listen(t.Context(), home, temp)
			if err != nil {
				t.Fatal(err)
			}
			again.Close()
			if again.Addr().String() != path {
				t.Errorf("the socket moved from %s to %s", path, again.Addr())
			}
		})
	}
}

func TestListenKeepsFiles(t *testing.T) {
	t.Parallel()
	home := shortDir(t)
	path := filepath.Join(home, "node.sock")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Listen(t.Context(), home, t.TempDir()); bt.CodeOf(err) != bt.Exists {
		t.Errorf("listening over a file: %v", err)
	}
	if b, err := os.ReadFile(path); string(b) != "mine" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

// A socket in a folder that others may write to is not the node's, whatever the record says.
func TestForeignSocket(t *testing.T) {
	t.Parallel()
	home, foreign := longDir(t), shortDir(t)
	path := filepath.Join(foreign, "node.sock")
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := errors.Join(os.WriteFile(filepath.Join(home, "node.socket"), []byte(path+"\n"), 0o600), os.Chmod(foreign, 0o777)); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Dial(t.Context(), home); bt.CodeOf(err) != bt.Permission {
		t.Errorf("dialling: %v", err)
	}
	own, err := api.Listen(t.Context(), home, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if own.Addr().String() == path {
		t.Error("the foreign folder is used")
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{"photos": true, "Fotos 2026, alle": true, "ü": true, "": false, "..": false, "a/b": false, "a:b": false,
		"-x": false, "a\nb": false, "\xff": false, "a\u202eb": false, strings.Repeat("x", 256): false} {
		if err := api.CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
