package protocol_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"shoal/annex/protocol"
	"shoal/annex/protocol/protocoltest"
)

// slow waits in each Retrieve until it is let go, or the conversation ends.
type slow struct {
	protocol.Unsupported
	started chan string
	let     chan struct{}
	closed  chan struct{}
}

func newSlow() slow {
	return slow{started: make(chan string, 100), let: make(chan struct{}), closed: make(chan struct{})}
}

func (s slow) Retrieve(ctx context.Context, j *protocol.Job, key, _ string) error {
	s.started <- key
	select {
	case <-s.let:
		return j.Progress(1)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s slow) Close() error { close(s.closed); return nil }

// TestJobs: with ASYNC requests run side by side, each with its number.
func TestJobs(t *testing.T) {
	t.Parallel()
	s := newSlow()
	c := protocoltest.Start(t, s, "/", protocoltest.Async)
	for _, n := range []string{"1", "2", "30"} {
		c.Raw("J " + n + " TRANSFER RETRIEVE K" + n + " f")
		<-s.started
	}
	close(s.let)
	got := map[string]string{}
	for range 6 {
		f := strings.SplitN(c.RawLine(), " ", 3)
		got[f[1]] += f[2] + ";"
	}
	for _, n := range []string{"1", "2", "30"} {
		if want := "PROGRESS 1;TRANSFER-SUCCESS RETRIEVE K" + n + ";"; got[n] != want {
			t.Errorf("job %s said %q, not %q", n, got[n], want)
		}
	}
	if err := c.End(); err != nil {
		t.Error(err)
	}
	<-s.closed
}

// TestEnd: when git-annex closes our standard input, what runs is cancelled, and the remote closed.
func TestEnd(t *testing.T) {
	t.Parallel()
	for name, form := range protocoltest.Forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSlow()
			c := protocoltest.Start(t, s, "/", form)
			c.Play("< TRANSFER RETRIEVE K f\n")
			<-s.started
			if err := c.End(); err != nil {
				t.Error(err)
			}
			<-s.closed
		})
	}
}

// TestSignal: so it is when the process is asked to end.
func TestSignal(t *testing.T) {
	t.Parallel()
	s := newSlow()
	errStop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	in, inW := io.Pipe()
	defer in.Close()
	go func() {
		_, _ = io.WriteString(inW, "TRANSFER RETRIEVE K f\n")
		<-s.started
		cancel(errStop)
	}()
	if err := protocol.Serve(ctx, s, protocol.Options{In: in, Out: io.Discard, Dir: "/"}); !errors.Is(err, errStop) {
		t.Errorf("it ended by %v", err)
	}
	<-s.closed
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// TestNobodyReads: git-annex was killed.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	in, inW := io.Pipe()
	defer inW.Close()
	s := newSlow()
	err := protocol.Serve(t.Context(), s, protocol.Options{In: in, Out: brokenPipe{}, Dir: "/"})
	if !errors.Is(err, syscall.EPIPE) {
		t.Errorf("it ended by %v", err)
	}
	<-s.closed
}

// TestExtensions: what was not offered is not asked for.
func TestExtensions(t *testing.T) {
	t.Parallel()
	for offered, want := range map[string]string{
		"INFO GETGITREMOTENAME ASYNC": "INFO ASYNC GETGITREMOTENAME",
		"":                            "",
		"INFO GETGITREMOTENAME UNAVAILABLERESPONSE TRANSFER-RETRIEVE-URL CHECKPRESENT-URL IMPORTKEY DELEGATE ASYNC": "INFO ASYNC GETGITREMOTENAME UNAVAILABLERESPONSE IMPORTKEY",
	} {
		var out bytes.Buffer
		in := strings.NewReader("EXTENSIONS " + offered + "\n")
		if err := protocol.Serve(t.Context(), protocol.Unsupported{}, protocol.Options{In: in, Out: &out, Dir: "/"}); err != nil {
			t.Error(err)
		}
		if want = "VERSION 2\nEXTENSIONS " + want + "\n"; out.String() != want {
			t.Errorf("offered %q it said %q, not %q", offered, out.String(), want)
		}
	}
}

// TestWithoutExtensions: an old git-annex is told less.
func TestWithoutExtensions(t *testing.T) {
	t.Parallel()
	c := protocoltest.Start(t, all{}, "/r", "EXTENSIONS OTHER")
	c.Play(`
		< GETAVAILABILITY
		> AVAILABILITY GLOBAL
		< EXPORT n
		< TRANSFEREXPORT STORE K f
		> DEBUG /r/f is n
		> TRANSFER-SUCCESS STORE K
		< J 1 PREPARE
		> UNSUPPORTED-REQUEST
	`)
	if err := c.End(); err != nil {
		t.Error(err)
	}
}

// TestViolations: what git-annex never says ends the conversation.
func TestViolations(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]string{
		"error":     "ERROR it\x07broke",
		"unasked":   "VALUE x",
		"unasked 2": "CREDS a b",
		"two":       "TRANSFER RETRIEVE A f\nTRANSFER RETRIEVE B f",
		"long":      "CLAIMURL " + strings.Repeat("x", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, inW := io.Pipe()
			go func() { _, _ = io.WriteString(inW, say+"\n") }() // cut short in the case of long
			defer in.Close()
			if err := protocol.Serve(t.Context(), newSlow(), protocol.Options{In: in, Out: io.Discard, Dir: "/"}); err == nil {
				t.Error("it ended as if nothing had happened")
			}
		})
	}
}

// TestWrongAnswer: an answer of another kind than the one asked for is an error of that request alone.
func TestWrongAnswer(t *testing.T) {
	t.Parallel()
	c := protocoltest.Start(t, all{}, "/", protocoltest.Plain)
	c.Play(`
		< INITREMOTE
		> GETCONFIG share
		< CREDS a b
		> INITREMOTE-FAILURE asking git-annex GETCONFIG: it answered CREDS…
		< PREPARE
		> PREPARE-SUCCESS
	`)
	if err := c.End(); err != nil {
		t.Error(err)
	}
}

// talker goes on talking when its request is answered, which would be taken for talk about the next.
type talker struct {
	protocol.Unsupported
	late chan error
}

func (k talker) Store(_ context.Context, j *protocol.Job, _, _ string) error {
	go func() {
		for {
			if err := j.Progress(1); err != nil {
				k.late <- err
				return
			}
		}
	}()
	return nil
}

func TestNothingAfterTheAnswer(t *testing.T) {
	t.Parallel()
	k := talker{late: make(chan error, 1)}
	c := protocoltest.Start(t, k, "/", protocoltest.Plain)
	c.Play("< TRANSFER STORE K f\n")
	for c.Line() == "PROGRESS 1" {
	}
	<-k.late
	c.Play("< PREPARE\n> PREPARE-SUCCESS\n")
	if err := c.End(); err != nil {
		t.Error(err)
	}
}

// answers are the words that a line of ours may begin with.
const answers = " VERSION EXTENSIONS UNSUPPORTED-REQUEST CONFIG CONFIGEND COST AVAILABILITY ORDERED " +
	"EXPORTSUPPORTED-SUCCESS IMPORTREQUIRED INITREMOTE-SUCCESS INITREMOTE-FAILURE PREPARE-SUCCESS TRANSFER-SUCCESS " +
	"TRANSFER-FAILURE CHECKPRESENT-SUCCESS CHECKPRESENT-FAILURE CHECKPRESENT-UNKNOWN REMOVE-SUCCESS REMOVE-FAILURE " +
	"CLAIMURL-SUCCESS CLAIMURL-FAILURE CHECKURL-CONTENTS CHECKURL-MULTI CHECKURL-FAILURE WHEREIS-SUCCESS " +
	"WHEREIS-FAILURE INFOFIELD INFOVALUE INFOEND RENAMEEXPORT-SUCCESS RENAMEEXPORT-FAILURE " +
	"REMOVEEXPORTDIRECTORY-SUCCESS REMOVEEXPORTDIRECTORY-FAILURE IMPORTABLECONTENT IMPORTABLECONTENTIDENTIFIER " +
	"LISTIMPORTABLECONTENTS-SUCCESS RETRIEVEIMPORT-SUCCESS RETRIEVEIMPORT-FAILURE IMPORTKEY-SUCCESS IMPORTKEY-SKIP " +
	"IMPORTKEY-FAILURE PROGRESS DEBUG INFO SETCONFIG SETCREDS SETWANTED SETSTATE SETURLPRESENT SETURLMISSING " +
	"SETURIPRESENT SETURIMISSING GETCONFIG GETCREDS GETURLS GETUUID GETGITDIR GETGITREMOTENAME DIRHASH DIRHASH-LOWER " +
	"GETWANTED GETSTATE "

// FuzzServe: whatever comes in, what goes out are lines of the protocol, and the end of the input is the end.
func FuzzServe(f *testing.F) {
	f.Add([]byte(protocoltest.Async + "\n" + strings.ReplaceAll(script, "\t< ", "J 1 ")))
	f.Add([]byte(protocoltest.Plain + "\n" + strings.ReplaceAll(script, "\t< ", "")))
	f.Add([]byte("EXTENSIONS ASYNC\nJ 1 GETINFO\nJ 2 GETINFO\nJ 1 VALUE\nVALUE\nERROR"))
	f.Fuzz(func(t *testing.T, in []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var out bytes.Buffer
		err := protocol.Serve(ctx, all{}, protocol.Options{In: bytes.NewReader(in), Out: &out, Dir: "/"})
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("it did not end")
		}
		async := false
		for line := range strings.Lines(out.String()) {
			body, whole := strings.CutSuffix(line, "\n")
			if !whole || strings.ContainsFunc(body, func(c rune) bool { return c == '\r' || c == 0 || c == '\n' }) {
				t.Fatalf("%q is no line", line)
			}
			f := strings.SplitN(body, " ", 4)
			if async && f[0] == "J" && len(f) > 2 && strings.Trim(f[1], "0123456789") == "" {
				f = f[2:]
			}
			if strings.ContainsFunc(f[0], unicode.IsSpace) || !strings.Contains(answers, " "+f[0]+" ") {
				t.Fatalf("%q is no answer", line)
			}
			async = async || strings.HasPrefix(body, "EXTENSIONS ") && strings.Contains(body, "ASYNC")
		}
	})
}
