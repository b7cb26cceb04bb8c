package ui

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/term"
)

// ErrNoTerminal says that there is nobody to ask.
var ErrNoTerminal = errors.New("standard input is no terminal")

// Secret asks for a line that is not shown while it is typed. When ctx ends first, the terminal is as it was, and the
// reading of it goes on until the process ends.
func (o *Output) Secret(ctx context.Context, in io.Reader, question string) (string, error) {
	f, ok := in.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", ErrNoTerminal
	}
	fd := int(f.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("asking for %s: %w", question, err)
	}
	_, _ = io.WriteString(o.Log(), question+": ")
	type answer struct {
		line []byte
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		typed <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		_, _ = io.WriteString(o.Log(), "\n")
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, before))
	case a := <-typed:
		_, _ = io.WriteString(o.Log(), "\n")
		if a.err != nil {
			return "", fmt.Errorf("asking for %s: %w", question, a.err)
		}
		return string(a.line), nil
	}
}
