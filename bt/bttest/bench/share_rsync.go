package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// rsyncPair is a daemon on the second folder, and rsync from the first, once for each push: the limit for those that keep
// looking, in both directions.
type rsyncPair struct {
	at     [2]place
	daemon *process
	took   usage // by all pushes
	out    int64 // bytes sent
}

func (r *rsyncPair) places() [2]place { return r.at }

func (r *rsyncPair) start(ctx context.Context) error {
	b := r.at[1]
	config := fmt.Sprintf("use chroot = no\n[bench]\npath = %s\nread only = no\n", b.folder)
	if os.Getuid() == 0 {
		config += "uid = root\ngid = root\n"
	}
	path := filepath.Join(b.home, "rsyncd.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return err
	}
	p, err := start(ctx, exec.Command("rsync", "--daemon", "--no-detach", "--address=127.0.0.1", fmt.Sprint("--port=", b.port), "--config="+path, "--log-file="+filepath.Join(b.home, "log")))
	if err != nil {
		return err
	}
	r.daemon = p
	return r.listens(ctx)
}

// listens waits until the daemon answers.
func (r *rsyncPair) listens(ctx context.Context) error {
	for {
		err := exec.CommandContext(ctx, "rsync", r.url()).Run()
		if err == nil {
			return nil
		}
		if pause(ctx, pollEvery) != nil {
			return fmt.Errorf("waiting for the daemon of rsync: %w: %s", err, r.daemon.output())
		}
	}
}

func (r *rsyncPair) url() string { return fmt.Sprintf("rsync://127.0.0.1:%d/bench/", r.at[1].port) }

func (r *rsyncPair) join(ctx context.Context) error { return r.push(ctx) }

func (r *rsyncPair) push(ctx context.Context) error {
	p, err := start(ctx, exec.Command("rsync", "-a", "--stats", r.at[0].folder+"/", r.url()))
	if err != nil {
		return err
	}
	u, err := p.finish(ctx, "")
	if err != nil {
		return err
	}
	r.took.cpu += u.cpu
	r.took.rss = max(r.took.rss, u.rss)
	for line := range p.lines {
		if _, n, ok := strings.Cut(line, "Total bytes sent: "); ok {
			sent, _ := strconv.ParseInt(strings.ReplaceAll(n, ",", ""), 10, 64)
			r.out += sent
		}
	}
	return nil
}

func (r *rsyncPair) watches() bool { return false }

func (r *rsyncPair) settled(context.Context, int) (time.Time, int64, error) {
	return time.Time{}, 0, errNotIts
}

func (r *rsyncPair) sent(context.Context) (int64, error) { return r.out, nil }

func (r *rsyncPair) stop() {
	if r.daemon != nil {
		r.daemon.kill()
		<-r.daemon.done
	}
}

// cpu counts with the daemon the children that it has had.
func (r *rsyncPair) cpu() [2]float64 {
	return [2]float64{r.took.cpu, cpuWithChildren(r.daemon.cmd.Process.Pid)}
}

func (r *rsyncPair) rss() [2]int64 { return [2]int64{r.took.rss, 0} }

func (r *rsyncPair) resident() [2]int64 { return [2]int64{} }

// cpuWithChildren is the processor time of a process and of those that it has waited for.
func cpuWithChildren(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 15 {
		return 0
	}
	var ticks time.Duration
	for _, s := range f[11:15] {
		n, _ := strconv.ParseInt(s, 10, 64)
		ticks += time.Duration(n)
	}
	return (ticks * 10 * time.Millisecond).Seconds()
}
