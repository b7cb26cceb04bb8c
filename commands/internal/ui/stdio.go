package ui

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// Stdio is standard input, output and error of the process: nothing else in shoal names them.
func Stdio() (in io.Reader, out, errw io.Writer) { return os.Stdin, os.Stdout, os.Stderr }

// descriptor is the file descriptor behind a writer, if it has one.
func descriptor(w io.Writer) (fd uintptr, ok bool) {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok {
		return 0, false
	}
	return f.Fd(), true
}

// isTerminal reports whether somebody looks at w.
func isTerminal(w io.Writer) bool {
	fd, ok := descriptor(w)
	return ok && (isatty.IsTerminal(fd) || isatty.IsCygwinTerminal(fd))
}

// columns is the width of the terminal behind w now; 80 where it cannot be known.
func columns(w io.Writer) int {
	if fd, ok := descriptor(w); ok {
		if width, _, err := term.GetSize(int(fd)); err == nil && width > 0 {
			return width
		}
	}
	return 80
}
