package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A usage is what a process, or several at once, took.
type usage struct {
	seconds float64
	cpu     float64 // seconds, user and system
	rss     int64   // bytes, the most resident at a time; with files that are mapped
	private int64   // bytes, the most of anonymous memory seen
}

// A process is one that is measured from its start.
type process struct {
	cmd     *exec.Cmd
	began   time.Time
	lines   chan string   // of its output; closed at its end
	done    chan struct{} // closed when it has ended
	mu      sync.Mutex    // guards rss and private
	rss     int64
	private int64
	log     strings.Builder // guarded by mu; the first lines, for errors
}

// start runs a command and samples its memory.
func start(ctx context.Context, cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, lines: make(chan string, 10000), done: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	p.began = time.Now()
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	stop := context.AfterFunc(ctx, p.kill)
	go func() {
		defer r.Close()
		defer close(p.lines)
		s := bufio.NewScanner(r)
		s.Buffer(nil, 1<<20) // some draw their progress as one long line
		for s.Scan() {
			p.mu.Lock()
			if p.log.Len() < 2000 {
				fmt.Fprintf(&p.log, "%.200s\n", s.Text())
			}
			p.mu.Unlock()
			select {
			case p.lines <- s.Text():
			default:
			}
		}
		_, _ = io.Copy(io.Discard, r)
	}()
	go p.sample()
	go func() {
		_ = cmd.Wait()
		stop()
		close(p.done)
	}()
	return p, nil
}

func (p *process) kill() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// sample notes the peaks of memory; the kernel keeps one only for all that is resident.
func (p *process) sample() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-tick.C:
			p.note()
		}
	}
}

func (p *process) note() {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "VmHWM:":
			p.rss = max(p.rss, n<<10)
		case "RssAnon:":
			p.private = max(p.private, n<<10)
		}
	}
}

// waitLine waits until the process prints a line with mark.
func (p *process) waitLine(ctx context.Context, mark string) error {
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				return fmt.Errorf("%s ended without saying %q:\n%s", p.cmd.Path, mark, p.output())
			}
			if strings.Contains(l, mark) {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("%s did not say %q:\n%s", p.cmd.Path, mark, p.output())
		}
	}
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// finish waits for the process to end by itself, or ends it once it prints mark, and says what it took until then.
func (p *process) finish(ctx context.Context, mark string) (usage, error) {
	if mark != "" {
		if err := p.waitLine(ctx, mark); err != nil {
			p.kill()
			<-p.done
			return usage{}, err
		}
		seconds := time.Since(p.began).Seconds()
		p.note()
		p.kill()
		<-p.done
		return p.usage(seconds), nil
	}
	<-p.done
	seconds := time.Since(p.began).Seconds()
	if ctx.Err() != nil {
		return usage{}, errors.Join(fmt.Errorf("%s did not end:\n%s", p.cmd.Path, p.output()), context.Cause(ctx))
	}
	if !p.cmd.ProcessState.Success() {
		return usage{}, fmt.Errorf("%s: %v:\n%s", p.cmd.Path, p.cmd.ProcessState, p.output())
	}
	return p.usage(seconds), nil
}

func (p *process) usage(seconds float64) usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	state := p.cmd.ProcessState
	return usage{seconds, (state.UserTime() + state.SystemTime()).Seconds(), p.rss, p.private}
}

// cpuSoFar is the processor time of a process that runs, in seconds.
func (p *process) cpuSoFar() float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// Fields follow the name, which is in brackets and may hold anything.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	const ticksPerSecond = 100
	return (user + system) / ticksPerSecond
}

// add counts what ran at the same time.
func (u usage) add(v usage) usage {
	return usage{max(u.seconds, v.seconds), u.cpu + v.cpu, u.rss + v.rss, u.private + v.private}
}
