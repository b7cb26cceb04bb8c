package commands

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/commands/internal/ui"
)

// globals are the flags of every command, and the streams of this run.
type globals struct {
	in        io.Reader
	out, errw io.Writer
	openLocal openLocal

	json     bool
	progress string
	quiet    bool
	verbose  int
	color    string
	home     string
	version  bool

	passwordFile string // of commands that have the flag

	once sync.Once
	ui   *ui.Output
}

func (g *globals) register(fs *pflag.FlagSet) {
	fs.BoolVar(&g.json, "json", g.json, "write the result as JSON")
	fs.Var(newChoice(&g.progress, "auto", "bar", "plain", "json", "none"), "progress", "how progress is shown on standard error: `auto|bar|plain|json|none`")
	fs.BoolVarP(&g.quiet, "quiet", "q", false, "show nothing but results and errors")
	fs.CountVarP(&g.verbose, "verbose", "v", "log to standard error; twice logs each peer")
	fs.Var(newChoice(&g.color, "auto", "always", "never"), "color", "color errors: `auto|always|never`")
	fs.StringVar(&g.home, "home", "", "keep state in `DIR` (default $XDG_STATE_HOME/shoal)")
	fs.BoolVar(&g.version, "version", false, "print the version and exit")
}

// output is where this run shows things; the first call fixes how.
func (g *globals) output() *ui.Output {
	g.once.Do(func() {
		g.ui = ui.New(g.out, g.errw, ui.Options{
			JSON:     g.json,
			Progress: g.progress,
			Quiet:    g.quiet,
			Color:    g.color,
			NoColor:  os.Getenv("NO_COLOR") != "",
			Dumb:     os.Getenv("TERM") == "dumb",
		})
	})
	return g.ui
}

// logger logs to standard error what -v asks for; nil logs nothing.
func (g *globals) logger() *slog.Logger {
	level := slog.LevelInfo
	switch {
	case g.verbose == 0:
		return nil
	case g.verbose > 1:
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(g.output().Log(), &slog.HandlerOptions{Level: level}))
}

// stateDir is where shoal keeps what it must remember; "" when there is no place for it.
func (g *globals) stateDir() string {
	if g.home != "" {
		return g.home
	}
	return xdg("XDG_STATE_HOME", ".local/state")
}

// open opens a file that the user named for reading; "-" is standard input.
func (g *globals) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(g.in), nil
	}
	return os.Open(name)
}

// xdg is shoal's folder below one of the base directories; "" when there is no home. The specification has relative
// values ignored.
func xdg(variable, fallback string) string {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return filepath.Join(dir, "shoal")
	}
	if home := os.Getenv("HOME"); home != "" {
		return filepath.Join(home, fallback, "shoal")
	}
	return ""
}

// wrap makes a command obey what all commands have in common: settings are complete before arguments are looked at,
// and --version answers whatever else is asked.
func (g *globals) wrap(cmd *cobra.Command) {
	checkArgs, run := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := g.settle(cmd); err != nil {
			return err
		}
		if g.version {
			return nil
		}
		return checkArgs(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if g.version {
			return runVersion(g.output())
		}
		return run(cmd, args)
	}
	completeChoices(cmd)
	for _, sub := range cmd.Commands() {
		g.wrap(sub)
	}
}
