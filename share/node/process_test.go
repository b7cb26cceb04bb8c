package node

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/index"
)

// Nodes as processes of their own, so that they can be killed at any moment. The test binary runs itself; requests come on
// its standard input, a line each, answers go to descriptor 3. It ends with its standard input.

const processVar = "SHOAL_TEST_NODE"

// processConfig is what a process is.
type processConfig struct {
	Home, Label, Listen string
	Port                int
	Token, Dir          string // of the share it joins when it has none yet; no token: it creates it
	Hosts               []string
}

type request struct {
	Do   string
	Text string
}

type reply struct {
	Err, Text string
	Status    *processStatus
}

// processStatus is how a node stands.
type processStatus struct {
	State, Err     string
	Settled        bool
	Todo, Held     int64
	Frontier, Root string
	Peers          int
	Problems       []api.Problem
	Alarms         []string
}

// TestProcess is such a process, when it is told to be one.
func TestProcess(t *testing.T) {
	text := os.Getenv(processVar)
	if text == "" {
		t.Skip("the process that others start")
	}
	var c processConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	if err := c.run(os.Stdin, os.NewFile(3, "answers")); err != nil {
		fmt.Fprintln(os.Stderr, "the node ended:", err)
		os.Exit(1)
	}
}

func (c *processConfig) run(requests io.Reader, answers io.Writer) error {
	inner, err := OpenNet(context.Background(), bt.Config{Listen: c.Listen, Port: c.Port, NoDHT: true})
	if err != nil {
		return err
	}
	net := newCutNet(inner)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	n, err := Open(context.Background(), Options{Home: c.Home, Label: c.Label, Net: net, Watch: true, DirWait: time.Second, Logger: log})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if len(n.all()) == 0 && c.Token == "" {
		_, err = n.Create(ctx, api.CreateOptions{Name: "s", Dir: c.Dir})
	} else if len(n.all()) == 0 {
		_, err = n.Add(ctx, api.AddOptions{Name: "s", Dir: c.Dir, Token: c.Token, Options: api.ShareConfig{Hosts: c.Hosts}})
	}
	if err != nil {
		return err
	}
	n.Start()
	in := bufio.NewScanner(requests)
	for in.Scan() {
		var r request
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			return err
		}
		a := reply{}
		if err := a.to(&r, n, net); err != nil {
			a.Err = err.Error()
		}
		if err := json.NewEncoder(answers).Encode(a); err != nil {
			return err
		}
	}
	return n.Close()
}

// to answers a request.
func (a *reply) to(r *request, n *Node, net *cutNet) (err error) {
	e, err := n.find("s")
	if err != nil {
		return err
	}
	switch r.Do {
	case "token":
		a.Text, err = n.Token(context.Background(), "s", r.Text)
	case "port":
		for a.Text == "" {
			if p := net.Port(); p != 0 {
				a.Text = fmt.Sprint(p)
			} else {
				time.Sleep(10 * time.Millisecond)
			}
		}
	case "explain":
		err = e.do(context.Background(), func() (err error) { a.Text, err = e.explain(); return err })
	case "cut":
		net.cut(func(at netip.Addr) bool { return r.Text == "all" || r.Text == at.String() })
	case "heal":
		net.cut(nil)
	case "status":
		a.Status, err = statusOf(e)
	default:
		err = errors.New("what is " + r.Do)
	}
	return err
}

// statusOf is how an engine stands. It also keeps the guard from tripping: what changes here is no accident.
func statusOf(e *engine) (*processStatus, error) {
	v, _ := e.look()
	ids := e.kept().frontier()
	s := &processStatus{State: v.State, Err: v.Err, Settled: v.Settled, Todo: v.Todo, Held: v.Held, Alarms: v.Alarms,
		Frontier: fmt.Sprintf("%d %x", len(ids), frontierHash(ids)), Root: fmt.Sprintf("%x", v.Sum)}
	if e.net != nil {
		s.Peers = len(e.net.all())
	}
	api, err := e.status(e.ctx)
	if err != nil {
		return nil, err
	}
	s.Problems = api.Problems
	return s, e.node.db.Update(e.ctx, func(t *db.Tx) error {
		_, _, err := t.Taken(e.n, e.node.now().Add(48*time.Hour)) // who asks for so late forgets all that is older by a day
		return err
	})
}

// process is a node that runs in a process of its own.
type process struct {
	t      testing.TB
	config processConfig
	log    string // file

	mu      sync.Mutex // one request at a time, and no kill within
	cmd     *exec.Cmd  // nil while it does not run
	in      io.WriteCloser
	answers *bufio.Scanner
	out     *os.File
}

func newProcess(t testing.TB, dir, label, listen string) *process {
	t.Helper()
	p := &process{t: t, log: filepath.Join(dir, label+".log"),
		config: processConfig{Home: filepath.Join(dir, label+".home"), Dir: filepath.Join(dir, label), Label: label, Listen: listen}}
	t.Cleanup(p.kill)
	return p
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	config, err := json.Marshal(p.config)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestProcess$", "-test.timeout=0")
	cmd.Env = append(os.Environ(), processVar+"="+string(config))
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{w}, log, log
	if p.in, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	w.Close()
	if err != nil {
		r.Close()
		return err
	}
	p.cmd, p.out, p.answers = cmd, r, bufio.NewScanner(r)
	p.answers.Buffer(nil, 64<<20)
	return nil
}

// kill is kill -9.
func (p *process) kill() { p.end(func(c *exec.Cmd) { _ = c.Process.Kill() }) }

// stop lets it end by itself.
func (p *process) stop() { p.end(func(*exec.Cmd) {}) }

func (p *process) end(how func(*exec.Cmd)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	how(p.cmd)
	p.in.Close()
	late := time.AfterFunc(60*time.Second, func() {
		p.t.Errorf("%s does not end: see %s", p.config.Label, p.log)
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it says where it hangs
	})
	_ = p.cmd.Wait()
	if !late.Stop() {
		p.t.Log(p.tail(400))
	}
	p.out.Close()
	p.cmd = nil
}

var errDown = errors.New("the node does not run")

func (p *process) ask(do, text string) (a reply, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return a, errDown
	}
	if err := json.NewEncoder(p.in).Encode(request{do, text}); err != nil {
		return a, err
	}
	if !p.answers.Scan() {
		return a, errors.Join(errDown, p.answers.Err())
	}
	if err := json.Unmarshal(p.answers.Bytes(), &a); err != nil {
		return a, err
	}
	if a.Err != "" {
		return a, errors.New(a.Err)
	}
	return a, nil
}

func (p *process) must(do, text string) reply {
	p.t.Helper()
	a, err := p.ask(do, text)
	if err != nil {
		p.t.Fatalf("%s: asking for %s: %v\n%s", p.config.Label, do, err, p.tail(20))
	}
	return a
}

// tail is the last lines of what the process logged.
func (p *process) tail(n int) string {
	b, _ := os.ReadFile(p.log)
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}

// startAll starts nodes of one share: the first creates it, the others join it, and each knows where the others were.
func startAll(t testing.TB, all []*process) {
	t.Helper()
	for i, p := range all {
		if i > 0 {
			p.config.Token = all[0].must("token", "write").Text
			for _, q := range all[:i] {
				p.config.Hosts = append(p.config.Hosts, fmt.Sprintf("%s:%d", q.config.Listen, q.config.Port))
			}
		}
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(p.must("port", "").Text, &p.config.Port); err != nil {
			t.Fatal(err)
		}
	}
}

// explain says what is still to be done, and what becomes of it.
func (e *engine) explain() (string, error) {
	var b strings.Builder
	var paths []string
	err := e.node.db.View(e.ctx, func(t *db.Tx) (err error) { paths, err = t.Todo(e.n, "", 30); return err })
	if err != nil {
		return "", err
	}
	var all []index.Op
	for _, p := range paths {
		ops, err := e.planPath(p)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "todo %q: naturals %d, waiting %v\n", p, e.plan.naturals[p], e.plan.waiting[p])
		for _, op := range ops {
			info, err := e.folder.fs.Lstat(op.Path)
			fmt.Fprintf(&b, "    %v\n      base %s\n      shown %s\n      disk %v %+v %v\n", op, inShort(op.Base), inShort(op.Shown), info.Type, info.Ident, err)
		}
		all = append(all, ops...)
	}
	var done, blocked []index.Op
	if err := e.node.db.View(e.ctx, func(t *db.Tx) error {
		done, blocked = index.Arrange(all, rowsOf{t, e.n, false, new(error)})
		return nil
	}); err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "arranged:\n")
	for _, op := range done {
		fmt.Fprintf(&b, "    %v\n", op)
	}
	fmt.Fprintf(&b, "blocked:\n")
	for _, op := range blocked {
		fmt.Fprintf(&b, "    %v\n", op)
	}
	for p, a := range e.plan.coming {
		fmt.Fprintf(&b, "coming: %s %s\n", p, a.temp)
	}
	return b.String(), nil
}

// inShort is a row or what is shown, without the long parts.
func inShort(x any) string {
	switch x := x.(type) {
	case *index.Base:
		if x != nil {
			return fmt.Sprintf("%c present %v local %v natural %q dots %d mode %o mtime %d size %d hash %.4x ident %+v", x.Type, x.Present, x.Local, x.Natural, len(x.Dots), x.Mode, x.MTime, x.Size, x.Hash, x.Ident)
		}
	case *index.Shown:
		if x != nil {
			return fmt.Sprintf("%c natural %q dots %d mode %o mtime %d size %d hash %.4x", x.Type, x.Natural, len(x.Dots), x.Mode, x.MTime, x.Size, x.Hash)
		}
	}
	return "none"
}
