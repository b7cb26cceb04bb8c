package main

import (
	"context"
	_ "embed" // for the remote in Python
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed annex_directory.py
var annexDirectory string

// testremotes measures all tests that git-annex has for special remotes, of a share and of a folder that a remote in Python
// keeps: some 107,000 small requests after each other, 11,000 of which store something durably.
func (b *annexBench) testremotes(ctx context.Context, timeout time.Duration) error {
	python, err := exec.LookPath("python3")
	if err != nil {
		return err
	}
	script := filepath.Join(b.dir, "directory.py")
	program := filepath.Join(b.dir, "bin", "git-annex-remote-benchdirectory")
	if err := os.WriteFile(script, []byte(annexDirectory), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(program, fmt.Appendf(nil, "#!/bin/sh\nexec %s %s\n", python, script), 0o755); err != nil {
		return err
	}
	fmt.Println("git annex testremote: seconds, in turn")
	for round := range 2 {
		for name, settings := range map[string][]string{
			"shoal":  {"externaltype=shoal", "share=new"},
			"python": {"externaltype=benchdirectory", "directory=" + filepath.Join(b.dir, fmt.Sprint("folder", round))},
		} {
			took, err := b.testremote(ctx, fmt.Sprint(name, round), settings, timeout)
			if err != nil {
				return fmt.Errorf("testremote of %s: %w", name, err)
			}
			fmt.Printf("  %-10s %8.1f\n", name, took.Seconds())
		}
	}
	return nil
}

func (b *annexBench) testremote(ctx context.Context, name string, settings []string, timeout time.Duration) (time.Duration, error) {
	repo := filepath.Join(b.dir, "testremote-"+name)
	for _, args := range [][]string{
		{"git", "init", "-q", repo}, {"git", "-C", repo, "annex", "init", "-q"},
		append([]string{"git", "-C", repo, "annex", "initremote", name, "type=external", "encryption=none"}, settings...),
	} {
		if err := b.run(ctx, b.dir, args...); err != nil {
			return 0, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", "annex", "testremote", name)
	cmd.Dir, cmd.Env, cmd.WaitDelay = repo, b.env, time.Second
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(begun)
	if err == nil && !strings.Contains(string(out), "tests passed") {
		err = fmt.Errorf("it says %q", out[max(0, len(out)-200):])
	}
	return took, err
}
