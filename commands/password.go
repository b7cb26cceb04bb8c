package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"shoal/bt"
	"shoal/commands/internal/ui"
)

// maxPassword bounds a password, in bytes.
const maxPassword = 4 << 10

// A passwordSource is where a password may come from, beside a terminal: never from the command line.
type passwordSource struct{ file, variable string }

// master is where the master password comes from; commands without --password-file know the variable of that flag.
func (g *globals) master() passwordSource {
	file := g.passwordFile
	if file == "" {
		file = os.Getenv(envName("password-file"))
	}
	return passwordSource{file, "SHOAL_PASSWORD"}
}

func (g *globals) registerPassword(fs *pflag.FlagSet) {
	fs.StringVar(&g.passwordFile, "password-file", "", "the master password is the first line of `FILE|-` (default $SHOAL_PASSWORD, or it is asked for)")
}

// givenPassword is what a file or the environment says; "" when they say nothing.
func (g *globals) givenPassword(ctx context.Context, from passwordSource) (string, error) {
	if from.file == "" {
		return os.Getenv(from.variable), nil
	}
	f, err := g.open(from.file)
	if err != nil {
		return "", &bt.Error{Code: bt.BadInput, Err: fmt.Errorf("reading a password: %w", err)}
	}
	defer f.Close()
	line, err := firstLine(ctx, f)
	if err != nil {
		return "", err
	}
	if line == "" {
		return "", &bt.Error{Code: bt.BadInput, Err: fmt.Errorf("reading a password: %s begins with an empty line", from.file)}
	}
	return line, nil
}

// firstLine reads up to the end of a line, and no further: the next one may be another password.
func firstLine(ctx context.Context, f io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		var line []byte
		var b [1]byte
		for {
			n, err := f.Read(b[:])
			if n == 1 && b[0] != '\n' {
				line = append(line, b[0])
			}
			switch {
			case n == 1 && b[0] == '\n', errors.Is(err, io.EOF):
				read <- result{strings.TrimSuffix(string(line), "\r"), nil}
				return
			case err != nil:
				read <- result{"", &bt.Error{Code: bt.BadInput, Err: fmt.Errorf("reading a password: %w", err)}}
				return
			case len(line) > maxPassword:
				read <- result{"", &bt.Error{Code: bt.BadInput, Err: errors.New("reading a password: its line is too long for one")}}
				return
			}
		}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case r := <-read:
		return r.line, r.err
	}
}

// askPassword is a password that is there already: given, or asked for.
func (g *globals) askPassword(ctx context.Context, from passwordSource, question string) (string, error) {
	password, err := g.givenPassword(ctx, from)
	if err != nil || password != "" {
		return password, err
	}
	password, err = g.output().Secret(ctx, g.in, question)
	if errors.Is(err, ui.ErrNoTerminal) {
		return "", withHint(usageErrorf("no %s given", question), "it is read from a terminal, from %s, or from a file (\"shoal secrets --help\")", from.variable)
	}
	return password, err
}

// newPassword is a password that is to be: given, or asked for twice.
func (g *globals) newPassword(ctx context.Context, from passwordSource, question string) (string, error) {
	password, err := g.givenPassword(ctx, from)
	if err != nil || password != "" {
		return password, err
	}
	if password, err = g.askPassword(ctx, from, question); err != nil {
		return "", err
	}
	again, err := g.output().Secret(ctx, g.in, question+", again")
	switch {
	case err != nil:
		return "", err
	case again != password:
		return "", usageErrorf("the two passwords are not the same")
	case password == "":
		return "", usageErrorf("a password cannot be empty")
	}
	return password, nil
}

// unlocking is the master password for a node that is opened in this process; "" when nobody says it: then what is locked
// stays so.
func (g *globals) unlocking(ctx context.Context) (string, error) {
	password, err := g.givenPassword(ctx, g.master())
	if err != nil || password != "" {
		return password, err
	}
	password, err = g.output().Secret(ctx, g.in, "master password")
	if errors.Is(err, ui.ErrNoTerminal) {
		return "", nil
	}
	return password, err
}
