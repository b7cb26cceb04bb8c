// Package ui is how shoal looks: results on standard output; errors, notes, logs and the progress display on standard
// error. It alone names the standard streams and knows about terminals. Words of strangers (names, messages of
// trackers) are quoted before they reach a terminal.
package ui

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
)

// ErrClosed means that nobody reads the result any more: the other end of a pipe was closed.
var ErrClosed = errors.New("writing the result: nobody reads it")

// Options say how a run of shoal shows itself.
type Options struct {
	JSON     bool   // results as JSON documents
	Progress string // auto, bar, plain, json or none
	Quiet    bool   // no notes and no progress
	Color    string // auto, always or never
	NoColor  bool   // the user wishes none unless Color says always
	Dumb     bool   // the terminal cannot move its cursor
}

// An Output is where a command puts what it has to say. Its methods may be called concurrently.
type Output struct {
	opts Options
	mode string // of progress: bar, plain, json or none

	now   func() time.Time
	width func() int

	mu   sync.Mutex // guards all below, and keeps lines whole
	out  io.Writer
	err  io.Writer
	line string // the progress bar that stands on the terminal, "" when none does
}

// New makes the Output of one run.
func New(out, errw io.Writer, opts Options) *Output {
	o := &Output{opts: opts, out: out, err: errw, now: time.Now, mode: opts.Progress}
	o.width = func() int { return columns(errw) }
	switch {
	case opts.Quiet && opts.Progress != "json":
		o.mode = "none"
	case opts.Progress != "auto" && opts.Progress != "":
	case isTerminal(errw) && !opts.Dumb:
		o.mode = "bar"
	default:
		o.mode = "plain"
	}
	return o
}

// JSON reports whether results are JSON documents.
func (o *Output) JSON() bool { return o.opts.JSON }

// Quiet reports whether only results and errors are wanted.
func (o *Output) Quiet() bool { return o.opts.Quiet }

// Result shows the result of a command: v as a JSON document, or what text writes.
func (o *Output) Result(v any, text func(io.Writer) error) error {
	return o.show(func(w io.Writer) error {
		if !o.opts.JSON {
			return text(w)
		}
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}

// Event shows something that happened in a command that runs for long: v as one line of JSON, or what text writes.
func (o *Output) Event(v any, text func(io.Writer) error) error {
	return o.show(func(w io.Writer) error {
		if !o.opts.JSON {
			return text(w)
		}
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	})
}

// show writes to standard output with the progress bar out of the way.
func (o *Output) show(write func(io.Writer) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.erase()
	defer o.redraw()
	w := bufio.NewWriter(o.out)
	return closed(errors.Join(write(w), w.Flush()))
}

// Bytes is standard output for data that is a result as it is: a file, a .torrent.
func (o *Output) Bytes() io.Writer { return bytesWriter{o.out} }

// OnTerminal reports whether somebody looks at standard output.
func (o *Output) OnTerminal() bool { return isTerminal(o.out) }

type bytesWriter struct{ w io.Writer }

func (b bytesWriter) Write(p []byte) (int, error) {
	n, err := b.w.Write(p)
	return n, closed(err)
}

// closed marks the error of a pipe that nobody reads.
func closed(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return err
}

// Name is a name of a stranger as it may be written into a result: quoted when it goes to a terminal.
func (o *Output) Name(s string) string {
	if o.OnTerminal() {
		return Quote(s)
	}
	return s
}

// Note shows a message on standard error, unless the user wants quiet.
func (o *Output) Note(format string, args ...any) {
	if !o.opts.Quiet {
		o.print("shoal: " + quoteLines(fmt.Sprintf(format, args...)))
	}
}

// Error shows what went wrong in one line on standard error, and advice in a second.
func (o *Output) Error(message, hint string) {
	name, advice := "shoal:", "hint:"
	if o.colored() {
		name, advice = "\x1b[1;31mshoal:\x1b[0m", "\x1b[1mhint:\x1b[0m"
	}
	o.print(name + " " + Quote(message))
	if hint != "" {
		o.print(name + " " + advice + " " + Quote(hint))
	}
}

func (o *Output) colored() bool {
	switch o.opts.Color {
	case "always":
		return true
	case "never":
		return false
	}
	return !o.opts.NoColor && !o.opts.Dumb && isTerminal(o.err)
}

// Log is standard error for lines of a log: they do not tear the progress bar.
func (o *Output) Log() io.Writer { return logWriter{o} }

type logWriter struct{ o *Output }

func (l logWriter) Write(p []byte) (int, error) {
	l.o.mu.Lock()
	defer l.o.mu.Unlock()
	l.o.erase()
	defer l.o.redraw()
	return l.o.err.Write(p)
}

// print writes a line to standard error. That nobody reads it is no reason to stop.
func (o *Output) print(line string) { _, _ = o.Log().Write([]byte(line + "\n")) }

// erase takes the progress bar off the terminal; o.mu is held.
func (o *Output) erase() {
	if o.line != "" {
		_, _ = io.WriteString(o.err, "\r\x1b[K")
	}
}

// redraw puts the progress bar back; o.mu is held.
func (o *Output) redraw() { _, _ = io.WriteString(o.err, o.line) }

// draw shows line as the progress bar, instead of the one before; o.mu is held.
func (o *Output) draw(line string) {
	o.erase()
	o.line = line
	o.redraw()
}
