package p2p

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

// A pipe is one end of a channel in memory.
type pipe struct {
	out  chan<- []byte
	in   <-chan []byte
	gone chan struct{}
}

var errGone = errors.New("gone")

func pipes() (a, b *pipe, cut func()) {
	x, y, gone := make(chan []byte, 1000), make(chan []byte, 1000), make(chan struct{})
	return &pipe{x, y, gone}, &pipe{y, x, gone}, func() { close(gone) }
}

func (p *pipe) Send(ctx context.Context, m []byte) error {
	select {
	case p.out <- bytes.Clone(m):
		return nil
	case <-p.gone:
		return errGone
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *pipe) Recv(ctx context.Context) ([]byte, error) {
	select {
	case m := <-p.in:
		return m, nil
	default:
	}
	select {
	case m := <-p.in:
		return m, nil
	case <-p.gone:
		return nil, errGone
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// result is how a relay ended.
func result(t *testing.T, c <-chan error) error {
	t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(time.Minute):
		t.Fatal("it hangs")
		return nil
	}
}

func start(ch channel, near local) <-chan error {
	c := make(chan error, 1)
	go func() { c <- run(context.Background(), ch, near) }()
	return c
}

// TestRelay: two ends that write much before they read, which hangs relays that do not receive while they write; and each
// says when it has said all.
func TestRelay(t *testing.T) {
	t.Parallel()
	a, b, cut := pipes()
	defer cut()
	question, answer := make([]byte, 3*window+7), make([]byte, 5*window+1)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(question)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(answer)

	// The program at the socket says all of its answer before it reads the question to its end.
	socketIn, toProgram := io.Pipe()
	fromProgram, socketOut := io.Pipe()
	heard := make(chan []byte, 1)
	go func() {
		_, _ = socketOut.Write(answer)
		all, _ := io.ReadAll(socketIn)
		heard <- all
		socketOut.Close()
	}()
	listener := start(b, local{in: fromProgram, out: toProgram, closeOut: toProgram.Close})
	var got bytes.Buffer
	client := start(a, local{in: bytes.NewReader(question), out: &got, closeOut: func() error { return nil }, leaves: true})
	if err := result(t, client); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), answer) || !bytes.Equal(<-heard, question) {
		t.Error("what came is another")
	}
	if err := result(t, listener); err != nil {
		t.Error(err)
	}
}

// TestRelayCut: a connection that breaks is an error, unless all had been said.
func TestRelayCut(t *testing.T) {
	t.Parallel()
	never, w := io.Pipe()
	defer w.Close()
	a, b, cut := pipes()
	client := start(a, local{in: never, out: io.Discard, leaves: true, closeOut: func() error { return nil }})
	_ = b.Send(t.Context(), []byte("dab"))
	cut()
	if err := result(t, client); !errors.Is(err, errGone) {
		t.Errorf("it ends by %v", err)
	}
	a, b, cut = pipes()
	_ = b.Send(t.Context(), []byte("dab"))
	_ = b.Send(t.Context(), []byte{kindEnd})
	cut()
	var got bytes.Buffer
	client = start(a, local{in: never, out: &got, leaves: true, closeOut: func() error { return nil }})
	if err := result(t, client); err != nil || got.String() != "ab" {
		t.Errorf("it ends by %v with %q", err, got.String())
	}
}

// FuzzRelay: whatever a peer sends, the relay ends, holds no more than its window, and hands on a prefix of what was said
// in messages that are in order.
func FuzzRelay(f *testing.F) {
	f.Add([]byte("dab"), []byte{kindEnd}, took(1))
	f.Add(took(0), []byte("d"), []byte("x"))
	f.Add([]byte{kindEnd}, []byte("dz"), took(1<<63))
	f.Fuzz(func(t *testing.T, x, y, z []byte) {
		a, b, cut := pipes()
		var said []byte
		for _, m := range [][]byte{x, y, z} {
			_ = b.Send(t.Context(), m)
			if len(m) > 1 && m[0] == kindData {
				said = append(said, m[1:]...)
			}
		}
		cut()
		var got bytes.Buffer
		never, w := io.Pipe()
		defer w.Close()
		err := result(t, start(a, local{in: never, out: &got, leaves: true, closeOut: func() error { return nil }}))
		if !bytes.HasPrefix(said, got.Bytes()) {
			t.Errorf("%q, %q, %q became %q, %v", x, y, z, got.Bytes(), err)
		}
	})
}
