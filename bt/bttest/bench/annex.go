package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What git-annex is to fetch: small files, where what each costs by itself counts.
const (
	annexFiles = 20
	annexSize  = 200_000 // bytes of each
)

// An annexBench measures git-annex with shoal, and with the remote for torrents that it has built in, which runs aria2c.
type annexBench struct {
	shoal  string // absolute
	dir    string
	magnet string
	env    []string
}

func runAnnex(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("annex", flag.ContinueOnError)
	b := &annexBench{}
	flags.StringVar(&b.shoal, "shoal", "", "the shoal to measure")
	dir := flags.String("dir", os.TempDir(), "folder on a disk")
	timeout := flags.Duration("timeout", 5*time.Minute, "of each measurement")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if b.shoal, err = filepath.Abs(b.shoal); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(*dir, "shoal-bench-"); err != nil {
		return err
	}
	defer func() {
		_ = exec.Command("chmod", "-R", "u+w", b.dir).Run() // git-annex protects content
		os.RemoveAll(b.dir)
	}()
	stop, err := b.prepare(ctx)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Printf("git-annex, a torrent of %d files of %d bytes: seconds, files that came\n", annexFiles, annexSize)
	for _, name := range []string{"shoal", "built-in"} {
		if err := b.measure(ctx, name, *timeout); err != nil {
			fmt.Fprintf(os.Stderr, "bench: annex: %s: %v\n", name, err)
		}
	}
	if err := b.start(); err != nil {
		return err
	}
	return b.testremotes(ctx, *timeout)
}

// prepare makes the files, seeds them with a tracker, and installs the remote.
func (b *annexBench) prepare(ctx context.Context) (stop func(), err error) {
	data := filepath.Join(b.dir, "album")
	if err := os.Mkdir(data, 0o755); err != nil {
		return nil, err
	}
	for i := range annexFiles {
		if err := writePattern(filepath.Join(data, fmt.Sprintf("%02d.bin", i)), annexSize+int64(i)); err != nil {
			return nil, err
		}
	}
	b.env = append(os.Environ(), "HOME="+b.dir, "SHOAL_NO_DHT=1", "SHOAL_LISTEN=127.0.0.1", "SHOAL_LPD=0",
		"PATH="+filepath.Join(b.dir, "bin")+":"+os.Getenv("PATH"))
	for _, args := range [][]string{
		{b.shoal, "annex", "install", "-q", "bin"},
		{"git", "config", "--global", "user.name", "me"}, {"git", "config", "--global", "user.email", "me@example.net"},
	} {
		if err := b.run(ctx, b.dir, args...); err != nil {
			return nil, err
		}
	}
	seed := exec.CommandContext(ctx, b.shoal, "serve", "-q", "--tracker-listen", "127.0.0.1:0", data)
	seed.Env = b.env
	seed.Cancel = func() error { return seed.Process.Signal(os.Interrupt) }
	out, err := seed.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := seed.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = seed.Process.Signal(os.Interrupt)
		_ = seed.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return nil, fmt.Errorf("waiting for the seeder: %w", err)
	}
	b.magnet = strings.TrimSpace(line)
	go io.Copy(io.Discard, out)
	return stop, nil
}

func (b *annexBench) run(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, b.env
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		text := strings.TrimSpace(string(out))
		return fmt.Errorf("%s: %w: %s", strings.Join(args[:min(3, len(args))], " "), err, text[strings.LastIndexByte(text, '\n')+1:])
	}
	return nil
}

// measure adds the torrent to a new repository, drops what came, and gets it again with ten jobs.
func (b *annexBench) measure(ctx context.Context, name string, timeout time.Duration) error {
	repo, url := filepath.Join(b.dir, name), b.magnet
	setup := [][]string{{"git", "init", "-q", repo}, {"git", "-C", repo, "annex", "init", "-q"}}
	if name == "shoal" {
		url = "shoal:" + strings.TrimPrefix(b.magnet, "magnet:")
		setup = append(setup, []string{"git", "-C", repo, "annex", "initremote", "torrents", "type=external",
			"externaltype=shoal", "encryption=none", "allow-local=yes"})
	}
	for _, args := range setup {
		if err := b.run(ctx, b.dir, args...); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		what string
		args []string
	}{
		{"addurl", []string{"git", "annex", "addurl", url}},
		{"", []string{"git", "annex", "drop", "--force", "."}},
		{"get -J10", []string{"git", "annex", "get", "-J10", "."}},
	} {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		begun := time.Now()
		err := b.run(ctx, repo, step.args...)
		took := time.Since(begun)
		cancel()
		if step.what == "" {
			continue
		}
		fmt.Printf("  %-10s %-10s %8.2f %4d\n", step.what, name, took.Seconds(), b.present(repo))
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: annex: %s: %v\n", name, err)
		}
	}
	return nil
}

// present is how many annexed files have their content.
func (b *annexBench) present(repo string) int {
	cmd := exec.Command("git", "annex", "find")
	cmd.Dir, cmd.Env = repo, b.env
	out, _ := cmd.Output() // what cannot be listed did not come
	return strings.Count(string(out), "\n")
}

// start measures the remote from the start of its process until it is prepared.
func (b *annexBench) start() error {
	var took []time.Duration
	for range 20 {
		cmd := exec.Command(filepath.Join(b.dir, "bin", "git-annex-remote-shoal"))
		cmd.Env = b.env
		in, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		begun := time.Now()
		if err := cmd.Start(); err != nil {
			return err
		}
		lines := bufio.NewScanner(out)
		io.WriteString(in, "EXTENSIONS\nPREPARE\n")
		for lines.Scan() && lines.Text() != "PREPARE-SUCCESS" {
			if strings.HasPrefix(lines.Text(), "GETCONFIG") {
				io.WriteString(in, "VALUE \n")
			}
		}
		took = append(took, time.Since(begun))
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			return err
		}
	}
	slices.Sort(took)
	fmt.Printf("  start to PREPARE-SUCCESS: median %.1f ms, at most %.1f ms\n", took[len(took)/2].Seconds()*1e3, took[len(took)-1].Seconds()*1e3)
	return nil
}
