// Command shoal downloads, inspects, creates and serves torrents, and keeps encrypted shares in step.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"shoal/commands"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go obey(catchSignals(), cancel)
	in, out, errw := commands.Stdio()
	return commands.Main(ctx, os.Args, in, out, errw)
}

// catchSignals makes the signals that ask for an end come through a channel.
func catchSignals() <-chan os.Signal {
	// With SIGPIPE caught, writing to a pipe that nobody reads is an error, which leaves time to save the state.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM)
	// A shell that starts a job in the background of a script has it ignore SIGINT; that wish is kept.
	if !signal.Ignored(syscall.SIGINT) {
		signal.Notify(signals, syscall.SIGINT)
	}
	return signals
}

// obey asks for a clean stop at the first signal, and leaves at once at the second.
func obey(signals <-chan os.Signal, stop context.CancelCauseFunc) {
	stop(interrupted(<-signals))
	os.Exit(interrupted(<-signals).Status())
}

func interrupted(s os.Signal) commands.Interrupted {
	number, _ := s.(syscall.Signal)
	return commands.Interrupted{Signal: number}
}
