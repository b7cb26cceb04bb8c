package commands

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"shoal/bt"
)

// hashStream makes the bytes that go to standard output be hashed on their way when their digest is expected.
func (b *batch) hashStream(opts *bt.DownloadOptions) hash.Hash {
	if opts.Stream == nil || b.opts.expect == "" {
		return nil
	}
	sum := sha256.New()
	opts.Stream = io.MultiWriter(opts.Stream, sum)
	return sum
}

// accept does what was asked for when a source is complete: it checks the digest, and runs the user's command.
func (b *batch) accept(ctx context.Context, r request, res *bt.DownloadResult, sum hash.Hash) error {
	if err := b.checkDigest(ctx, res, sum); err != nil {
		return err
	}
	if b.opts.onDone == "" {
		return nil
	}
	if err := runHook(ctx, b.g.output().Log(), b.opts.onDone, res); err != nil {
		if ctx.Err() != nil { // we stopped it
			return why(ctx, context.Cause(ctx))
		}
		return &bt.Error{Code: bt.Failed, Err: fmt.Errorf("running the --on-done command for %s: %w", r.source, err)}
	}
	return nil
}

// checkDigest compares the single file with the digest of --expect, if there is one.
func (b *batch) checkDigest(ctx context.Context, res *bt.DownloadResult, sum hash.Hash) error {
	want := b.opts.expect
	if want == "" {
		return nil
	}
	if len(res.Files) != 1 {
		return &bt.Error{Code: bt.Mismatch, Err: fmt.Errorf("checking the digest: it is that of one file, and there are %d", len(res.Files)),
			Advice: "--select picks one"}
	}
	file := &res.Files[0]
	if sum != nil {
		file.SHA256 = hex.EncodeToString(sum.Sum(nil))
	} else {
		var err error
		if file.SHA256, err = bt.HashFile(ctx, resultPath(res, *file)); err != nil {
			return err
		}
	}
	if file.SHA256 != want {
		return &bt.Error{Code: bt.Mismatch, Err: fmt.Errorf("checking the digest of %s: it is sha256:%s, not sha256:%s", file.Path, file.SHA256, want),
			Advice: "the file is what the torrent says, but not what you expected"}
	}
	return nil
}

// hookDelay is how long a command of the user may take to end once it was asked to.
const hookDelay = 5 * time.Second

// runHook runs the command of --on-done in a shell. What it prints goes to log: standard output is the result.
func runHook(ctx context.Context, log io.Writer, command string, res *bt.DownloadResult) (err error) {
	list, err := writeFileList(res)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(list)) }()
	dir, err := filepath.Abs(res.Dir)
	if err != nil {
		return err
	}
	infohash := res.InfoHash
	if infohash == "" {
		infohash = res.InfoHashV2
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = hookDelay // also for those who live on with our pipe in their hands
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(),
		"SHOAL_DONE_NAME="+res.Name, "SHOAL_DONE_DIR="+dir, "SHOAL_DONE_INFOHASH="+infohash, "SHOAL_DONE_FILES="+list)
	return cmd.Run()
}

// writeFileList writes the paths of all files, each ended by a zero byte, to a temporary file.
func writeFileList(res *bt.DownloadResult) (name string, err error) {
	f, err := os.CreateTemp("", "shoal-done-")
	if err != nil {
		return "", err
	}
	for _, file := range res.Files {
		path, absErr := filepath.Abs(resultPath(res, file))
		_, writeErr := io.WriteString(f, path+"\x00")
		err = errors.Join(err, absErr, writeErr)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
