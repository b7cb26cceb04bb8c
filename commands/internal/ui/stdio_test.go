package ui

import (
	"bufio"
	"io"
	"os"
	"strings"
	"testing"
)

// What is read of a pipe is all that was written to it, to its end; what is no pipe is read as it is.
func TestPolled(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	want := strings.Repeat("a line\n", 100_000)
	go func() {
		_, _ = io.WriteString(w, want)
		w.Close()
	}()
	if got, err := io.ReadAll(bufio.NewReader(Polled(r))); err != nil || string(got) != want {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
	if in := strings.NewReader("x"); Polled(in) != io.Reader(in) {
		t.Error("it is another")
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if Polled(file) != io.Reader(file) {
		t.Error("a device is no pipe")
	}
}
