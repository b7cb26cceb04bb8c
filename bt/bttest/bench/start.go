package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startRow measures how long programs take to say something small.
func (b *bench) startRow(ctx context.Context) {
	small := filepath.Join(b.mem, "tiny.torrent")
	if err := os.WriteFile(small, makeTorrent("tiny", 100_000, 32<<10), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "bench: start:", err)
		return
	}
	programs := [][]string{{"mktorrent", "-h"}, {"transmission-show", small}}
	if b.shoal != "" {
		programs = append(programs, []string{b.shoal, "version"}, []string{b.shoal, "metainfo", small})
	}
	var t table
	for range 21 {
		for _, p := range programs {
			t.measure("start", filepath.Base(p[0])+" "+filepath.Base(p[1]), func() (usage, error) { return measureStart(ctx, p) })
		}
	}
	t.print(0)
}

// measureStart runs a program through bench once: what a program has resident counts what its parent had.
func measureStart(ctx context.Context, args []string) (u usage, err error) {
	out, err := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"once"}, args...)...).Output()
	if err == nil {
		_, err = fmt.Sscan(string(out), &u.seconds, &u.cpu, &u.rss)
	}
	return u, err
}

// runOnce runs a program and prints the seconds, processor seconds and resident bytes that it took.
func runOnce(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("no program")
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	state := cmd.ProcessState
	var rss int64
	if own, ok := state.SysUsage().(*syscall.Rusage); ok {
		rss = own.Maxrss << 10
	}
	_, err := fmt.Println(seconds, (state.UserTime() + state.SystemTime()).Seconds(), rss)
	return err
}
