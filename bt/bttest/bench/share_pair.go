package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A place is what belongs to one of two nodes.
type place struct {
	folder string // that is kept equal
	home   string // the state of the program
	port   int    // where it listens, on 127.0.0.1
}

func newPlaces(dir string) (two [2]place, err error) {
	for i := range two {
		p := place{folder: filepath.Join(dir, fmt.Sprint("folder", i)), home: filepath.Join(dir, fmt.Sprint("home", i)), port: freePort()}
		if err := errors.Join(os.Mkdir(p.folder, 0o755), os.Mkdir(p.home, 0o700)); err != nil {
			return two, err
		}
		two[i] = p
	}
	return two, nil
}

// A program keeps folders equal.
type program struct {
	name string
	open func([2]place) pair
}

// A pair is two nodes of one program.
type pair interface {
	places() [2]place
	// start starts both, and waits until they answer. They do not look at their folders before join; after it they do.
	start(ctx context.Context) error
	join(ctx context.Context) error
	// push carries over what has changed in the first folder, where nobody watches it.
	push(ctx context.Context) error
	watches() bool
	// settled waits until both are connected and say that they have nothing to do with so many files; it tells how many
	// bytes they have hashed since they started, -1 when they do not say. at: since when that was known.
	settled(ctx context.Context, files int) (at time.Time, hashed int64, err error)
	stop() // both, in good order
	// sent is how many bytes the first has sent since it started.
	sent(ctx context.Context) (int64, error)
	cpu() [2]float64
	rss() [2]int64      // the most since the start
	resident() [2]int64 // at present
}

// running is the processes of a pair.
type running struct {
	at    [2]place
	nodes [2]*process
}

func (r *running) places() [2]place { return r.at }

func (r *running) watches() bool { return true }

func (r *running) push(context.Context) error { return nil }

// startBoth starts two processes and waits until both print mark.
func (r *running) startBoth(ctx context.Context, mark string, command func(place) *exec.Cmd) error {
	for i, at := range r.at {
		p, err := start(ctx, command(at))
		if err != nil {
			return err
		}
		r.nodes[i] = p
		if err := p.waitLine(ctx, mark); err != nil {
			return err
		}
	}
	return nil
}

// politeEnd is how long a process has to end once it is told to.
const politeEnd = 20 * time.Second

func (r *running) stop() {
	for _, p := range r.nodes {
		if p != nil {
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	for i, p := range r.nodes {
		if p == nil {
			continue
		}
		select {
		case <-p.done:
		case <-time.After(politeEnd):
			p.kill()
			<-p.done
		}
		r.nodes[i] = nil
	}
}

func (r *running) cpu() (all [2]float64) {
	for i, p := range r.nodes {
		if p != nil {
			all[i] = p.cpuSoFar()
		}
	}
	return all
}

func (r *running) rss() (all [2]int64) {
	for i, p := range r.nodes {
		if p == nil {
			continue
		}
		p.note()
		p.mu.Lock()
		all[i] = p.rss
		p.mu.Unlock()
	}
	return all
}

func (r *running) resident() (all [2]int64) {
	for i, p := range r.nodes {
		if p != nil {
			all[i] = residentOf(p.cmd.Process.Pid)
		}
	}
	return all
}

// residentOf is how many bytes of a process are in memory now.
func residentOf(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// installedPrograms are those that can run here.
func installedPrograms(shoalPath string, names []string) (found []program) {
	for _, name := range names {
		var p program
		var err error
		switch name {
		case "shoal":
			if shoalPath == "" {
				continue
			}
			p = program{name, func(at [2]place) pair { return &shoalPair{running: running{at: at}, path: shoalPath} }}
		case "syncthing":
			p = program{name, func(at [2]place) pair { return &syncthingPair{running: running{at: at}} }}
			_, err = exec.LookPath(name)
		case "rsync":
			p = program{name, func(at [2]place) pair { return &rsyncPair{at: at} }}
			_, err = exec.LookPath(name)
		default:
			err = errors.New("no such program")
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: leaving out %s: %v\n", name, err)
			continue
		}
		found = append(found, p)
	}
	return found
}
