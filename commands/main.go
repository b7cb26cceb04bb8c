// Package commands is the command line of shoal: each command turns flags into options, makes one call of an engine,
// and shows what came back. The contract with scripts (statuses, codes, JSON) is in docs/json.md and docs/config.md.
package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"shoal/commands/internal/ui"
)

// Stdio is standard input, output and error, for main to hand to Main.
func Stdio() (in io.Reader, out, errw io.Writer) { return ui.Stdio() }

// Main runs the command that args (all of os.Args) asks for and returns the exit status. A user's wish to stop comes
// as the cancellation of ctx with an Interrupted as its cause.
func Main(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	if len(args) == 0 {
		args = []string{"shoal"}
	}
	name := filepath.Base(args[0])
	if backend, ok := strings.CutPrefix(name, "git-annex-backend-"); ok {
		return shoal(ctx, append([]string{"annex", "backend", "--quiet", backend}, args[1:]...), in, out, errw)
	}
	switch name {
	case "git-annex-remote-shoal":
		return shoal(ctx, append([]string{"annex", "remote", "--quiet"}, args[1:]...), in, out, errw)
	case "git-annex-p2p-shoal":
		return shoal(ctx, append([]string{"annex", "p2p", "--quiet", "--"}, args[1:]...), in, out, errw)
	case "aria2c":
		return shoal(ctx, append([]string{"annex", "aria2c"}, args[1:]...), in, out, errw)
	default:
		return shoal(ctx, args[1:], in, out, errw)
	}
}

func shoal(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	return run(ctx, &globals{in: in, out: out, errw: errw, openLocal: openNode}, args)
}

func run(ctx context.Context, g *globals, args []string) int {
	// Until the flags are read, this is all that is known of how to show an error.
	g.json = slices.Contains(args, "--json")
	root := newRootCmd(g)
	root.SetArgs(args)
	root.SetIn(g.in)
	root.SetOut(g.out)
	root.SetErr(g.errw)
	defer sayStopping(ctx, g)()
	return g.finish(ctx, root.ExecuteContext(ctx))
}

// sayStopping tells the user, once asked to stop, that it was heard. The function it returns waits for that.
func sayStopping(ctx context.Context, g *globals) (wait func()) {
	said := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(said)
		var i Interrupted
		if errors.As(context.Cause(ctx), &i) {
			again := "a second signal leaves at once"
			if i.Signal == syscall.SIGINT {
				again = "press Ctrl-C again to leave at once"
			}
			g.output().Note("stopping; %s", again)
		}
	})
	return func() {
		if !stop() {
			<-said
		}
	}
}

// finish shows the error that a command ended with, if it is not shown yet, and returns the exit status.
func (g *globals) finish(ctx context.Context, err error) int {
	var shown *shownError
	switch {
	case errors.As(err, &shown):
		return shown.status
	case err == nil, errors.Is(err, ui.ErrClosed):
		return exitCode(ctx, err)
	}
	f := failureOf(ctx, err)
	g.output().Error(f.Message, f.Hint)
	if g.json {
		// When standard output fails too, there is nobody left to tell.
		_ = g.output().Result(errorDoc{f}, nil)
	}
	return exitCode(ctx, err)
}

// An Interrupted is the cause of a context that ends because the user or the system asked the process to stop.
type Interrupted struct{ Signal syscall.Signal }

func (i Interrupted) Error() string {
	switch i.Signal {
	case syscall.SIGINT:
		return "interrupted by SIGINT"
	case syscall.SIGTERM:
		return "interrupted by SIGTERM"
	}
	return fmt.Sprintf("interrupted by signal %d", int(i.Signal))
}

// Status is the exit status that shells know for the signal: 130 for SIGINT, 143 for SIGTERM.
func (i Interrupted) Status() int { return 128 + int(i.Signal) }
