package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/api/apitest"
)

// A machine is a state folder, and who answers for its shares.
type machine struct {
	t    *testing.T
	home string
	node *apitest.Fake
	open openLocal
}

// newMachine has shares of a fake node, which is in the process of each command or, with socket, in another.
func newMachine(t *testing.T, socket bool) *machine {
	t.Helper()
	home, err := os.MkdirTemp("", "s") // t.TempDir would be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	m := &machine{t: t, home: home, node: apitest.New()}
	if !socket {
		m.open = func(context.Context, string, nodeOptions) (api.Node, io.Closer, error) {
			return m.node, closeNothing{}, nil
		}
		return m
	}
	m.open = func(context.Context, string, nodeOptions) (api.Node, io.Closer, error) {
		return nil, nil, errors.New("the node that runs was not asked")
	}
	l, err := api.Listen(t.Context(), home, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- api.Serve(ctx, l, m.node) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return m
}

type closeNothing struct{}

func (closeNothing) Close() error { return nil }

// run runs a command.
func (m *machine) run(ctx context.Context, stdin string, args ...string) (status int, stdout, stderr string) {
	m.t.Helper()
	var out, errw bytes.Buffer
	g := &globals{in: strings.NewReader(stdin), out: &out, errw: &errw, openLocal: m.open}
	status = run(ctx, g, append([]string{"--home", m.home}, args...))
	return status, out.String(), errw.String()
}

// shareCases are commands in the order in which they are run.
var shareCases = []struct {
	stdin  string
	args   string // separated by |
	status int
	want   string // a regular expression that standard output matches
	errors string // one that standard error matches
}{
	{"", "share|list", 0, `^$`, `there are no shares`},
	{"", "share|status|--json", 0, `"results": \[\]`, `^`},
	{"", "share|create|odd photos|/srv/photos", 0, `^odd photos  admin  waiting  /srv/photos\n$`, `shoal share token odd photos`},
	{"", "share|create|odd photos|/srv/photos", 6, `^$`, `there is a share "odd photos" already`},
	{"", "share|create|links|--lan-only|--host|192.0.2.1:1|-t|http://192.0.2.1/announce|--json", 0, `(?s)"lan_only": true,.*"192.0.2.1:1".*announce`, `^`},
	{"", "share|create|big|--quota|much", 2, ``, `"much" is no size such as 500K`},
	{"", "share|token|odd photos", 0, `^shoalr1[a-z0-9]{114}\n$`, `^$`},
	{"", "share|token|odd photos|--role|admin|--json", 0, `"token": "shoala1`, `^$`},
	{"", "share|token|odd photos|--qr", 0, `^█{45}`, `^$`},
	{"", "share|token|odd photos|--role|boss", 2, `^$`, `want read, write, store, admin`},
	{"", "share|token|nosuch", 5, `^$`, `there is no share "nosuch"\nshoal: hint: `},
	{"TOKEN", "share|add|-|held", 0, `^held  read  waiting  /.*/held\n$`, `shoal share status held`},
	{"URL", "share|add|-|--select|*.mkv|--exclude|a/**|--on-demand|--json|x", 0, `(?s)"name": "label".*"select".*"on_demand": true.*"hosts".*"trackers"`, `^`},
	{"TOKEN", "share|add|-|--name|b/d|x", 2, `^$`, `cannot be called`},
	{"shoalr1x", "share|add|-|x", 3, `^$`, `reading standard input: not a valid token: it has 8 characters`},
	{"", "share|add|x", 2, `^$`, `no token given\nshoal: hint: "-" before DIR`},
	{"", "share|add|shoalr1" + strings.Repeat("q", 100) + "|x", 2, `^$`, `^shoal: a token does not belong on the command line`},
	{"", "share|add|nosuch.token|x", 3, `^$`, `nosuch.token`},
	{strings.Repeat("x", maxTokenText+1), "share|add|-|x", 3, `^$`, `too long`},
	{"TOKEN", "share|add|-|--select|[|x", 2, `^$`, `no pattern`},
	{"", "share|list", 0, `^odd photos  admin  waiting  /srv/photos\nlinks       admin  waiting  -\nheld        read `, `^`},
	{"", "share|status|odd photos", 0, `(?s)^odd photos: it is waiting\n\nshare .*alarm: .*problem: caf\\xe9.*changed here only: notes/read me.txt\n  1 conflict: `, `^`},
	{"", "share|status|--json", 0, `(?s)"held": \[\],\n.*"name": "links".*"name": "held".*"why": "guard"`, `^`},
	{"", "share|status|nosuch|--json", 5, `"code": "not-found"`, `no share`},
	{"", "share|peers|links", 0, `^node  +name  address +state`, `^$`},
	{"", "share|invite|links|--revoke|00000000", 5, `^$`, `links has no invite "00000000"`},
	{"", "share|invite|links|--at|nowhere", 2, `^$`, `want IP:PORT`},
	{"", "share|invite|links|--list|--revoke|x", 2, `^$`, `two things`},
	{"", "share|invite|links|--list|--json", 0, `"results": \[\]`, `^$`},
	{"", "share|members|links", 0, `abababababababab  desk \(this machine\)  admin  create     [0-9a-f]{16}\n.*  token      nobody\n`, `^$`},
	{"", "share|admit|links|CDCDCDCD", 0, `cdcdcdcd is a member of links`, `^$`},
	{"", "share|rekey|links|--without|cdcd|--dry-run", 0, `(?s)^links would have new keys \(1\), for 1 member\n.*abababababababab .*left out:\n.*cdcdcdcdcdcdcdcd `, `^$`},
	{"", "share|rekey|links", 0, `(?s)^links has new keys \(1\), for 2 members\n.*cdcdcdcdcdcdcdcd `, `^$`},
	{"", "share|compact|links|--json", 0, `(?s)"epoch": 2,.*"code": "ok"`, `^$`},
	{"", "share|rekey|links|--keep|desk", 2, `^$`, `--keep is for those whom`},
	{"", "share|rekey|links|--without|nobody|--json", 5, `"code": "not-found"`, `no member is called`},
	{"", "share|rekey|held|--json", 5, `"code": "denied"`, `takes the admin secret`},
	{"", "share|admit|held|cdcdcdcd|--json", 5, `"code": "denied"`, `only writers`},
	{"", "share|admit|links|desk", 2, `^$`, `is not the key of a node\nshoal: hint: "shoal share members links"`},
	{"", "share|ls|links", 0, `^ +-  here  2026-01-02 \d\d:\d\d  notes/\n +12 B  here  .*  notes/read me.txt\n3.00 MiB  here  .*  film.mkv\n$`, `^`},
	{"", "share|ls|links:notes|--json", 0, `"path": "notes/read me.txt"`, `^`},
	{"", "share|ls|links:nosuch", 5, `^$`, `there is no nosuch in "links"`},
	{"", "share|ls|links:a/../../b", 2, `^$`, `leads out of the share`},
	{"", "share|ls|:x", 2, `^$`, `is not the name of a share`},
	{"", "share|get|label:notes|label:film.mkv", 0, `^got label:notes/read me.txt\ngot label:film.mkv\n$`, `^`},
	{"", "share|get|label:nosuch|links:film.mkv|--json", 5, `(?s)"code": "not-found".*"code": "ok"`, `label:nosuch: there is no nosuch`},
	{"", "share|get|label:nosuch|links:film.mkv|--json|--fail-fast", 5, `(?s)"not-found",\n[^"]*"message": [^\n]*\n    }\n  ]`, `there is no nosuch`},
	{"", "share|get|label", 2, `^$`, `is not NAME:PATH\nshoal: hint: "label:" is all of a share`},
	{"", "share|get", 2, `^$`, `no NAME:PATH given`},
	{"", "share|get|-o|-|label:x|label:y", 2, `^$`, `single file`},
	{"", "share|get|-o|out|label:x/a|links:y/a", 2, `^$`, `two are called a`},
	{"", "share|get|--host|nowhere|label:x", 2, `^$`, `--host: parsing peer`},
	{"", "share|get|--peer|127.0.0.1:1|label:notes", 0, `got`, `^`},
	{"", "share|drop|links:film.mkv", 5, `^$`, `no other node promises to keep film.mkv\nshoal: hint: --force`},
	{"", "share|drop|links:|--force", 0, `^dropped links:notes/read me.txt\ndropped links:film.mkv\n$`, `^`},
	{"", "share|sync|links", 0, `^links: in sync after 1.0s, received 20 B, sent 10 B\n$`, `^links: .*% `},
	{"", "share|sync|held|--for|1s|--json", 5, `(?s)"code": "held".*"status": {`, `held: 1 removal waits`},
	{"", "share|sync|nosuch|links|--no-dht", 5, `^links: in sync`, `nosuch: there is no share|there is no share "nosuch"`},
	{"", "share|conflicts", 0, `^odd photos:film.mkv\n  1  3.00 MiB .* ours    disk     0102030405060708-2  film.mkv\n  2 `, `^`},
	{"", "share|conflicts|links", 0, `^$`, `there are no conflicts`},
	{"", "share|resolve|odd photos:film.mkv", 2, `^$`, `--keep "": want ours`},
	{"", "share|resolve|odd photos:film.mkv|--keep|3", 5, `^$`, `no version 3`},
	{"", "share|resolve|odd photos:film.mkv|--keep|2", 0, `^odd photos:film.mkv is resolved\n$`, `^$`},
	{"", "share|history|links:film.mkv", 0, `^1  3.00 MiB`, `^$`},
	{"", "share|history|links:nosuch", 5, `^$`, `there is no nosuch`},
	{"", "share|restore|links:film.mkv|--at|2026-07-01 15:04", 0, `^restored links:film.mkv\n$`, `^`},
	{"", "share|restore|links:film.mkv|--at|0000000000000000-1", 5, `^$`, `no version`},
	{"", "share|restore|links:film.mkv|--at|yesterday", 2, `^$`, `--at wants a time`},
	{"", "share|restore|links|--at|2026-07-01", 2, `^$`, `NAME:PATH`},
	{"", "share|check|odd photos", 5, `notes/read me.txt: its content`, `odd photos: 1 problem\nshoal: hint: --repair`},
	{"", "share|check|odd photos|--json", 5, `(?s)"checked_files": 2,.*"code": "damaged"`, `1 problem`},
	{"", "share|revert|odd photos|--json", 0, `"path": "notes/read me.txt"`, `^`},
	{"", "share|check|--repair|odd photos|--json", 0, `(?s)"problems": \[\],.*"code": "ok"`, `^`},
	{"", "share|pause|links", 0, `^links is paused\n$`, `^$`},
	{"", "share|resume|links|--json", 0, `(?s)^{\n  "share": "links",\n  "code": "ok"\n}\n$`, `^$`},
	{"", "share|reject|held", 5, `^$`, `only writers`},
	{"", "share|accept|held|--json", 0, `"count": 1,`, `^$`},
	{"", "share|reject|links", 0, `links: put back 0 held changes`, `^$`},
	{"", "share|rm|held", 0, `its files stay`, `^$`},
	{"", "share|rm|held", 5, `^$`, `no share`},
	{"", "share|rm|..", 2, `^$`, `not the name`},
	{"", "share|resum", 2, `^$`, `did you mean "share resume"`},
	{"", "share|create|a:b", 2, `^$`, `cannot be called`},
	{"", "serve|list", 0, `^$`, `there are no torrents`},
	{"", "serve|add|0123456789abcdef0123456789abcdef01234567|/nosuch.torrent", 3, `^added 0123456789abcdef0123456789abcdef01234567 0123`, `nosuch.torrent`},
	{"", "serve|add|--json|.|--dir|x", 0, `"state": "seeding"`, `^`},
	{"", "serve|add|0123456789abcdef0123456789abcdef01234567|--json", 6, `"code": "exists"`, `already`},
	{"no", "serve|add|-", 3, `^$`, `reading -: `},
	{"", "serve|add", 2, `^$`, `nothing to add`},
	{"", "serve|list", 0, `(?s)^state .*metadata .*0123456789abcdef0123456789abcdef01234567\n`, `^$`},
	{"", "serve|rm|01234567|--fail-fast|ffff", 5, `^removed `, `ffff: there is no torrent|no torrent "ffff"`},
	{"", "serve|rm|x", 2, `^$`, `no infohash`},
	{"", "serve|rm", 2, `^$`, `no HASH`},
	{"", "serve|--until-copies|1", 2, `^$`, `no PATH given`},
	{"", "serve|--watch|x|film.mkv", 2, `^$`, `--watch is for the node`},
}

// TestShareCommands runs each command twice: on a node in its process, and through the socket.
func TestShareCommands(t *testing.T) {
	local, remote := newMachine(t, false), newMachine(t, true)
	local.run(t.Context(), "", "share", "create", "elsewhere")
	_, token, _ := local.run(t.Context(), "", "share", "token", "elsewhere")
	local.run(t.Context(), "", "share", "rm", "elsewhere")
	stdins := strings.NewReplacer("TOKEN", token, "URL", "shoal:?t="+strings.TrimSpace(token)+"&n=label&p=192.0.2.7:1&tr=udp://192.0.2.7:1")
	for _, c := range shareCases {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Split(c.args, "|")
			status, stdout, stderr := local.run(t.Context(), stdins.Replace(c.stdin), args...)
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			if !regexp.MustCompile(c.want).MatchString(stdout) {
				t.Errorf("standard output is %q, want %q", stdout, c.want)
			}
			if !regexp.MustCompile(c.errors).MatchString(stderr) {
				t.Errorf("standard error is %q, want %q", stderr, c.errors)
			}
			if strings.Contains(stdout+stderr, "\x1b") || !json.Valid([]byte(stdout)) && strings.Contains(c.args, "--json") {
				t.Errorf("standard output is %q", stdout)
			}
			status2, stdout2, stderr2 := remote.run(t.Context(), stdins.Replace(c.stdin), args...)
			if status2 != status || stdout2 != stdout {
				t.Errorf("through the socket: status %d, %q, %q", status2, stdout2, stderr2)
			}
		})
	}
}

// What a command wants of the shares, when no node runs.
func TestAccess(t *testing.T) {
	m := newMachine(t, false)
	var got nodeOptions
	closed := false
	m.open = func(_ context.Context, home string, opts nodeOptions) (api.Node, io.Closer, error) {
		if home != m.home {
			t.Errorf("the state folder is %s", home)
		}
		got = opts
		return m.node, closeFunc(func() error { closed = true; return nil }), nil
	}
	for args, want := range map[string]access{
		"share|list": toRead, "share|status": toRead, "share|create|x": toWrite, "share|sync|--lan-only|--host|192.0.2.1:1": toMeet,
		"share|check|x": toWrite, "share|check|--repair|x": toMeet, "serve|list": toRead, "serve|--for|1ms": toServe,
	} {
		closed = false
		m.run(t.Context(), "", strings.Split(args, "|")...)
		if got.access != want || !closed {
			t.Errorf("%s: access %d, want %d; closed: %v", args, got.access, want, closed)
		}
		if want == toMeet && args[6] == 's' && (!got.network.LANOnly || len(got.hosts) != 1) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

type closeFunc func() error

func (f closeFunc) Close() error { return f() }

// A node that was started in the meantime is asked.
func TestNodeComesUp(t *testing.T) {
	m := newMachine(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	start := sync.OnceFunc(func() {
		l, err := api.Listen(ctx, m.home, t.TempDir())
		if err != nil {
			t.Error(err)
		}
		go func() { ended <- api.Serve(ctx, l, m.node) }()
	})
	m.open = func(context.Context, string, nodeOptions) (api.Node, io.Closer, error) {
		start()
		return nil, nil, api.Errorf(bt.Busy, "another process holds the lock")
	}
	if status, _, stderr := m.run(t.Context(), "", "share", "create", "x"); status != 0 {
		t.Errorf("status %d: %s", status, stderr)
	}
	if status, _, stderr := m.run(t.Context(), "", "serve", "--for", "1m"); status != 6 || !strings.Contains(stderr, "a node runs already") {
		t.Errorf("two nodes: status %d: %s", status, stderr)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Who interrupts a command that waits for the node ends what the node does for it.
func TestInterruptSync(t *testing.T) {
	m := newMachine(t, true)
	m.run(t.Context(), "", "share", "create", "x")
	m.node.Hang = make(chan string)
	ctx, cancel := context.WithCancelCause(t.Context())
	status := make(chan int, 1)
	go func() {
		n, _, _ := m.run(ctx, "", "share", "sync", "--json", "x")
		status <- n
	}()
	<-m.node.Hang
	cancel(Interrupted{syscall.SIGINT})
	if said := <-m.node.Hang; said != "gone" {
		t.Errorf("the node says %q", said)
	}
	if got := <-status; got != 130 {
		t.Errorf("status %d", got)
	}
}

// TestNode runs the node until it is asked to stop, and looks at what the service manager is told.
func TestNode(t *testing.T) {
	m := newMachine(t, false)
	socket := filepath.Join(m.home, "notify")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	told := func() string {
		b := make([]byte, 100)
		n, err := notify.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	var wg sync.WaitGroup
	var status int
	var stdout string
	wg.Go(func() { status, stdout, _ = m.run(ctx, "", "serve", "--json", "--lan-only") })
	if s := told(); s != "READY=1" {
		t.Errorf("the service manager is told %q", s)
	}
	if status, _, stderr := m.run(t.Context(), "", "share", "create", "x"); status != 0 {
		t.Errorf("status %d: %s", status, stderr)
	}
	if status, out, _ := m.run(t.Context(), "", "serve", "--json"); status != 6 || !strings.Contains(out, `"busy"`) {
		t.Errorf("a second node: status %d, %s", status, out)
	}
	cancel(Interrupted{syscall.SIGTERM})
	if s := told(); s != "STOPPING=1" {
		t.Errorf("the service manager is told %q", s)
	}
	wg.Wait()
	if status != 0 || !regexp.MustCompile(`^{"event":"ready","home":"/.*","socket":"/.*","shares":0,"torrents":0}\n{"event":"stopped","seconds":[0-9.]+,"reason":"interrupted"}\n$`).MatchString(stdout) {
		t.Errorf("the node: status %d, %s", status, stdout)
	}
	if list, err := filepath.Glob(filepath.Join(m.home, "node*")); err != nil || len(list) != 0 {
		t.Errorf("left behind: %q, %v", list, err)
	}
}

func TestParseAt(t *testing.T) {
	zone := time.FixedZone("x", 3600)
	for in, want := range map[string]string{
		"2026-07-01": "2026-06-30T23:00:00Z", "2026-07-01 15:04": "2026-07-01T14:04:00Z", "2026-07-01T15:04:05Z": "2026-07-01T15:04:05Z",
		"0102030405060708-12": "0102030405060708-12", "": "", "yesterday": "", "2026": "",
	} {
		got, err := parseAt(in, zone)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("parseAt(%q) = %q, %v", in, got, err)
		}
	}
}

// What is accepted as a path in a share is one below it, in one form.
func FuzzParsePlace(f *testing.F) {
	f.Add("photos:a/b")
	f.Add("photos")
	f.Add("a:/../b")
	f.Add("a:./b//c/:")
	f.Fuzz(func(t *testing.T, arg string) {
		p, err := parsePlace(arg)
		if err != nil {
			return
		}
		if p.path != "" && !filepath.IsLocal(p.path) || api.CheckName(p.share) != nil || strings.HasSuffix(p.path, "/") {
			t.Fatalf("%q is %+v", arg, p)
		}
		if again, err := parsePlace(p.share + ":" + p.path); err != nil || again != p {
			t.Fatalf("%q is %+v, and that is %+v, %v", arg, p, again, err)
		}
	})
}

func TestNoGoroutineIsLeft(t *testing.T) {
	m := newMachine(t, false)
	before := goleak.IgnoreCurrent()
	m.run(t.Context(), "", "share", "create", "x")
	m.run(t.Context(), "", "share", "sync")
	m.run(t.Context(), "", "serve", "--for", "1ms")
	goleak.VerifyNone(t, before)
}
