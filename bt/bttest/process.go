package bttest

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Patience is how long anything here may take before the test fails.
const Patience = 60 * time.Second

// maxLines bounds what is remembered of a program's output.
const maxLines = 10000

// A Process is a program that runs until the test ends.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and its output is read

	mu    sync.Mutex // guards lines and more
	lines []string
	more  chan struct{} // closed, and replaced, when lines grows
}

// Start runs a program, kills it when the test ends and waits for it. Its output is kept for WaitLine, and logged when
// the test has failed.
func Start(t T, name string, args ...string) *Process {
	t.Helper()
	return startCmd(t, exec.Command(name, args...))
}

func startCmd(t T, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, done: make(chan struct{}), more: make(chan struct{})}
	// A test binary that crashes runs no cleanups: the kernel then ends what it left.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	read := make(chan struct{})
	go func() { defer close(read); p.read(out) }()
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
		w.Close()
		<-read
	}()
	t.Cleanup(func() {
		p.Kill()
		if f, ok := t.(interface{ Failed() bool }); ok && f.Failed() {
			t.Logf("output of %s:\n%s", cmd.Path, p.Output())
		}
	})
	return p
}

func (p *Process) read(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		p.mu.Lock()
		if len(p.lines) < maxLines {
			p.lines = append(p.lines, s.Text())
		}
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r) // a line too long must not block the program
}

// Kill ends the program, and returns when it has ended.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// Output is what the program has written so far.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// WaitLine returns the text after the first occurrence of mark in the first line that has it, now or later.
func (p *Process) WaitLine(t T, mark string) string {
	t.Helper()
	deadline := time.After(Patience)
	for next := 0; ; {
		p.mu.Lock()
		lines, more := p.lines, p.more
		p.mu.Unlock()
		for ; next < len(lines); next++ {
			if _, after, ok := strings.Cut(lines[next], mark); ok {
				return after
			}
		}
		select {
		case <-more:
		case <-p.done:
			if p.count() == next {
				t.Fatalf("%s ended without saying %q:\n%s", p.cmd.Path, mark, p.Output())
			}
		case <-deadline:
			t.Fatalf("%s did not say %q within %v:\n%s", p.cmd.Path, mark, Patience, p.Output())
		}
	}
}

func (p *Process) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lines)
}

// Wait waits for the program to end by itself and returns its exit status.
func (p *Process) Wait(t T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(Patience):
		t.Fatalf("%s did not end within %v:\n%s", p.cmd.Path, Patience, p.Output())
	}
	return p.cmd.ProcessState.ExitCode()
}

// runTool runs a program to its end.
func runTool(t T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("running %s %q: %v\n%s", name, args, err, out)
	}
}

// Eventually waits until ok is true. It is for other people's programs, which can only be asked again.
func Eventually(t T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen within %v", what, Patience)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

var ports struct {
	sync.Mutex
	given map[int]bool
}

// FreePort is a port of 127.0.0.1 that is free for TCP and UDP, below those that the kernel hands out by itself, and
// not given before. Use port 0 instead wherever a program can say which port it got.
func FreePort(t T) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		port := 10000 + rand.IntN(20000)
		if !ports.given[port] && portIsFree(port) {
			if ports.given == nil {
				ports.given = map[int]bool{}
			}
			ports.given[port] = true
			return port
		}
	}
	t.Fatalf("no free port")
	return 0
}

func portIsFree(port int) bool {
	addr := loopback(port)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	return u.Close() == nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func portOf(t T, addr string) int {
	t.Helper()
	_, s, err := net.SplitHostPort(addr)
	port, err2 := strconv.Atoi(s)
	if err != nil || err2 != nil {
		t.Fatalf("address %q: %v %v", addr, err, err2)
	}
	return port
}

// waitPort waits until something listens on a TCP address.
func waitPort(t T, addr string) {
	t.Helper()
	Eventually(t, fmt.Sprintf("listening on %s", addr), func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}
