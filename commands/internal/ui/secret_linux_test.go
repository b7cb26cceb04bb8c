package ui

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal: what is written to keyboard is typed, and what is shown can be read from there.
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return keyboard, terminal
}

// echoes reports whether a terminal shows what is typed.
func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Error(err)
		return false
	}
	return state.Lflag&unix.ECHO != 0
}

// askedWriter tells when the question was asked.
type askedWriter struct {
	bytes.Buffer
	asked chan struct{}
}

func (w *askedWriter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "token: ") {
		close(w.asked)
	}
	return w.Buffer.Write(p)
}

func TestSecret(t *testing.T) {
	keyboard, terminal := openTerminal(t)
	errw := &askedWriter{asked: make(chan struct{})}
	out := New(&bytes.Buffer{}, errw, Options{})
	if _, err := keyboard.WriteString("shoalr1secret\n"); err != nil {
		t.Fatal(err)
	}
	got, err := out.Secret(t.Context(), terminal, "token")
	if err != nil || got != "shoalr1secret" {
		t.Errorf("got %q, %v", got, err)
	}
	if s := errw.String(); s != "token: \n" {
		t.Errorf("it said %q", s)
	}
	if !echoes(t, terminal) {
		t.Error("the terminal does not show what is typed any more")
	}
}

func TestSecretInterrupted(t *testing.T) {
	keyboard, terminal := openTerminal(t)
	errw := &askedWriter{asked: make(chan struct{})}
	out := New(&bytes.Buffer{}, errw, Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	go func() {
		<-errw.asked
		for echoes(t, terminal) {
			runtime.Gosched()
		}
		cancel(cause)
	}()
	if _, err := out.Secret(ctx, terminal, "token"); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if !echoes(t, terminal) {
		t.Error("the terminal does not show what is typed any more")
	}
	_, _ = keyboard.WriteString("\n") // lets go of who still reads
}

func TestSecretWithoutTerminal(t *testing.T) {
	out := New(&bytes.Buffer{}, &bytes.Buffer{}, Options{})
	if _, err := out.Secret(t.Context(), strings.NewReader("x\n"), "token"); !errors.Is(err, ErrNoTerminal) {
		t.Errorf("got %v", err)
	}
}
