package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// shoalPair is two nodes of shoal, told what to do by its command line.
type shoalPair struct {
	running
	path     string
	onDemand bool // the second has the index alone
}

func (s *shoalPair) command(ctx context.Context, at place, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.path, append(args, "--home", at.home)...)
	cmd.Env = append(cmd.Environ(), "HOME="+at.home)
	return cmd
}

// say runs a command against a node that runs.
func (s *shoalPair) say(ctx context.Context, in string, at place, args ...string) ([]byte, error) {
	cmd := s.command(ctx, at, args...)
	cmd.Stdin = strings.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("shoal %s: %w: %s", strings.Join(args, " "), err, &stderr)
	}
	return out, nil
}

func (s *shoalPair) start(ctx context.Context) error {
	return s.startBoth(ctx, "the node runs", func(at place) *exec.Cmd {
		return s.command(context.WithoutCancel(ctx), at, "serve", "--lan-only", "--listen", "127.0.0.1", "--port", fmt.Sprint(at.port))
	})
}

func (s *shoalPair) join(ctx context.Context) error {
	a, b := s.at[0], s.at[1]
	if _, err := s.say(ctx, "", a, "share", "create", "--lan-only", "bench", a.folder); err != nil {
		return err
	}
	token, err := s.say(ctx, "", a, "share", "token", "--role", "write", "bench")
	if err != nil {
		return err
	}
	args := []string{"share", "add", "--lan-only", "--host", fmt.Sprintf("127.0.0.1:%d", a.port), "--name", "bench", "-", b.folder}
	if s.onDemand {
		args = append(args, "--on-demand")
	}
	_, err = s.say(ctx, string(token), b, args...)
	return err
}

// shoalStatus is what is read of "share status".
type shoalStatus struct {
	State  string `json:"state"`
	Files  int    `json:"total_files"`
	Peers  int    `json:"peers"`
	Hashed int64  `json:"hashed_bytes"`
	Sent   int64  `json:"sent_bytes"`
}

func (s *shoalPair) status(ctx context.Context, at place) (shoalStatus, error) {
	out, err := s.say(ctx, "", at, "share", "status", "--json", "bench")
	if err != nil {
		return shoalStatus{}, err
	}
	var all struct{ Results []shoalStatus }
	if err := json.Unmarshal(out, &all); err != nil {
		return shoalStatus{}, err
	}
	if len(all.Results) != 1 {
		return shoalStatus{}, errors.New("share status has no result")
	}
	return all.Results[0], nil
}

// settled asks for the list and the peers until both nodes say so, and then for the status: that counts all files, and
// who else has them, which is not what is measured.
func (s *shoalPair) settled(ctx context.Context, files int) (at time.Time, hashed int64, err error) {
	for {
		ready, right := true, true
		for _, node := range s.at {
			out, err := s.say(ctx, "", node, "share", "list", "--json")
			if err != nil {
				return at, 0, err
			}
			peers, err := s.say(ctx, "", node, "share", "peers", "--json", "bench")
			if err != nil {
				return at, 0, err
			}
			ready = ready && bytes.Contains(out, []byte(`"in-sync"`)) && bytes.Contains(peers, []byte(`"connected": true`))
		}
		at, hashed = time.Now(), 0
		for _, node := range s.at {
			if !ready {
				break
			}
			st, err := s.status(ctx, node)
			if err != nil {
				return at, 0, err
			}
			hashed += st.Hashed
			right = right && st.State == "in-sync" && st.Peers > 0 && st.Files == files
		}
		if ready && right {
			return at, hashed, nil
		}
		if err := pause(ctx, 5*pollEvery); err != nil {
			return at, 0, fmt.Errorf("waiting until shoal is in sync: %w", err)
		}
	}
}

func (s *shoalPair) sent(ctx context.Context) (int64, error) {
	st, err := s.status(ctx, s.at[0])
	return st.Sent, err
}
