package backend

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	maxLine   = 1 << 20                // bytes of a line of git-annex: a path is in it
	tellEvery = 200 * time.Millisecond // between two lines of progress
)

var errLong = errors.New("a line is longer than 1 MiB")

// Serve answers git-annex until it closes in, which is no error, or ctx is done. Paths in requests are taken as they are.
func (b Backend) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	requests := make(chan string)
	go read(ctx, in, requests, cancel)
	for {
		select {
		case line := <-requests:
			if err := b.answer(ctx, line, out); err != nil {
				return err
			}
		case <-ctx.Done():
			if err := context.Cause(ctx); !errors.Is(err, io.EOF) {
				return err
			}
			return nil
		}
	}
}

// read hands lines out, and ends the conversation with the input: what is being hashed then is given up.
func read(ctx context.Context, in io.Reader, requests chan<- string, end context.CancelCauseFunc) {
	s := bufio.NewScanner(in)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		select {
		case requests <- s.Text():
		case <-ctx.Done():
			return
		}
	}
	switch err := s.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		end(errLong)
	case err != nil:
		end(err)
	default:
		end(io.EOF)
	}
}

// answer answers one request.
func (b Backend) answer(ctx context.Context, line string, out io.Writer) error {
	word, rest, _ := strings.Cut(line, " ")
	reply := "ERROR what is " + oneLine(word) + "?"
	switch word {
	case "GETVERSION":
		reply = "VERSION 1"
	case "CANVERIFY", "ISSTABLE", "ISCRYPTOGRAPHICALLYSECURE":
		reply = word + "-YES"
	case "GENKEY":
		key, err := b.Make(ctx, rest, b.teller(out))
		reply = word + "-SUCCESS " + key
		if err != nil {
			reply = word + "-FAILURE " + oneLine(err.Error())
		}
	case "VERIFYKEYCONTENT":
		key, path, _ := strings.Cut(rest, " ")
		reply = word + "-FAILURE"
		if got, err := b.verify(ctx, key, path, out); err == nil && got {
			reply = word + "-SUCCESS"
		}
	case "ERROR":
		return fmt.Errorf("git-annex says: %s", oneLine(rest))
	}
	if ctx.Err() != nil {
		return nil // Serve says why
	}
	_, err := io.WriteString(out, reply+"\n")
	if err == nil && strings.HasPrefix(reply, "ERROR ") {
		err = errors.New(reply[len("ERROR "):])
	}
	return err
}

func (b Backend) verify(ctx context.Context, key, path string, out io.Writer) (bool, error) {
	if _, _, err := b.Parse(key); err != nil {
		return false, err
	}
	got, err := b.Make(ctx, path, b.teller(out))
	return got == key, err
}

// teller tells progress, not too often. When nobody hears it, the answer is not heard either.
func (b Backend) teller(out io.Writer) func(done int64) {
	last := time.Now()
	return func(done int64) {
		if now := time.Now(); now.Sub(last) >= tellEvery {
			last = now
			_, _ = io.WriteString(out, "PROGRESS "+strconv.FormatInt(done, 10)+"\n")
		}
	}
}

// oneLine makes a text of any origin fit to stand in a line.
func oneLine(s string) string {
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
	return strings.TrimSpace(s[:min(len(s), 2000)])
}
