// Package protocoltest plays git-annex's side of the external special remote protocol from a script.
package protocoltest

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"shoal/annex/protocol"
)

// patience is how long a remote may take for a line.
const patience = time.Minute

// The two forms of the protocol: all jobs over one conversation, and one at a time.
const (
	Async = "EXTENSIONS INFO GETGITREMOTENAME UNAVAILABLERESPONSE IMPORTKEY ASYNC"
	Plain = "EXTENSIONS INFO GETGITREMOTENAME UNAVAILABLERESPONSE IMPORTKEY"
)

// Forms are both forms of the protocol, for tests that run in both.
var Forms = map[string]string{"async": Async, "plain": Plain}

// A Conversation is one process, as git-annex sees it.
type Conversation struct {
	t     testing.TB
	async bool
	in    *io.PipeWriter
	out   *bufio.Reader
	ended chan error
}

// Start starts a remote that runs in dir, and agrees on the extensions of a form.
func Start(t testing.TB, r protocol.Remote, dir, form string) *Conversation {
	t.Helper()
	inR, in := io.Pipe()
	out, outW := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	c := &Conversation{t: t, async: strings.HasSuffix(form, " ASYNC"), in: in, out: bufio.NewReader(out),
		ended: make(chan error, 1)}
	go func() {
		err := protocol.Serve(ctx, r, protocol.Options{In: inR, Out: outW, Dir: dir})
		outW.Close()
		c.ended <- err
	}()
	t.Cleanup(func() { cancel(); in.Close(); out.Close() })
	c.expect("VERSION 2")
	c.send(form)
	line := c.line()
	if !strings.HasPrefix(line, "EXTENSIONS ") || c.async != strings.Contains(line, "ASYNC") {
		t.Fatalf("%s was answered by %q", form, line)
	}
	return c
}

// Play sends the lines of script that begin with "< ", and expects those that begin with "> " in their turn. A line that
// is expected and ends in "…" is the beginning of one. Empty lines are for reading. In the ASYNC form all are of job 1.
func (c *Conversation) Play(script string) {
	c.t.Helper()
	for line := range strings.Lines(script) {
		line = strings.TrimRight(strings.TrimLeft(line, "\t"), "\n")
		switch {
		case line == "":
		case strings.HasPrefix(line, "< "):
			c.send(c.prefix() + line[2:])
		case strings.HasPrefix(line, "> "):
			c.expect(c.prefix() + line[2:])
		default:
			c.t.Fatalf("the script has %q", line)
		}
	}
}

// Line is the next line of the remote, without the number of the job.
func (c *Conversation) Line() string {
	c.t.Helper()
	return strings.TrimPrefix(c.line(), c.prefix())
}

// Raw sends a line as it stands.
func (c *Conversation) Raw(line string) { c.t.Helper(); c.send(line) }

// RawLine is the next line of the remote as it stands.
func (c *Conversation) RawLine() string { c.t.Helper(); return c.line() }

// End closes the remote's standard input, and returns what Serve did. Nothing more may be said.
func (c *Conversation) End() error {
	c.t.Helper()
	c.in.Close()
	return c.Wait()
}

// Wait returns what Serve returns.
func (c *Conversation) Wait() error {
	c.t.Helper()
	rest, _ := io.ReadAll(c.out)
	if len(rest) > 0 {
		c.t.Errorf("at the end the remote said %q", rest)
	}
	select {
	case err := <-c.ended:
		return err
	case <-time.After(patience):
		c.t.Fatal("the remote does not end")
		return nil
	}
}

func (c *Conversation) prefix() string {
	if c.async {
		return "J 1 "
	}
	return ""
}

func (c *Conversation) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Fatalf("sending %q: %v", line, err)
	}
}

func (c *Conversation) expect(want string) {
	c.t.Helper()
	got := c.line()
	if start, ok := strings.CutSuffix(want, "…"); ok && strings.HasPrefix(got, start) {
		return
	}
	if got != want {
		c.t.Fatalf("the remote said %q, not %q", got, want)
	}
}

func (c *Conversation) line() string {
	c.t.Helper()
	timer := time.AfterFunc(patience, func() { c.in.CloseWithError(context.DeadlineExceeded) })
	defer timer.Stop()
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("the remote said %q, and then: %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}
