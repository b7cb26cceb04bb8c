package wire_test

import (
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"shoal/share/blob"
	"shoal/share/secret"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keys are those of a store of a share that n names.
func keys(n byte) *secret.Keys {
	k := &secret.Keys{Role: secret.Store, Share: secret.ShareID{n, 1}}
	k.Rendezvous[0], k.PSK[0] = n, n
	return k
}

// identity is that of a node that n names.
func identity(n byte) secret.Identity {
	seed := sha256.Sum256([]byte{n})
	box, err := ecdh.X25519().NewPrivateKey(seed[:])
	if err != nil {
		panic(err)
	}
	return secret.Identity{Sign: ed25519.NewKeyFromSeed(seed[:]), Box: box}
}

// data is a blob of about n bytes, the i-th of its kind.
func data(i, n int) (blob.ID, []byte) {
	b := make([]byte, n)
	binary.BigEndian.PutUint64(b[len(b)-8:], uint64(i)+1)
	c, sealed := blob.Seal([32]byte{1}, blob.Data, nil, b)
	return c.ID, sealed
}

// A shelf holds blobs.
type shelf map[blob.ID][]byte

// fill makes n blobs of about size bytes.
func fill(n, size int) (shelf, []blob.ID) {
	s, ids := make(shelf), make([]blob.ID, n)
	for i := range n {
		id, b := data(i, size)
		ids[i], s[id] = id, b
	}
	return s, ids
}

func (s shelf) Serve(_ context.Context, id blob.ID) ([]byte, error) {
	if b, ok := s[id]; ok {
		return b, nil
	}
	return nil, wire.ErrNotHere
}

// An ear remembers what it is told.
type ear struct {
	mu       sync.Mutex
	messages []wire.Message
	lies     []blob.ID
	more     chan struct{}
}

func newEar() *ear { return &ear{more: make(chan struct{}, 1000)} }

func (e *ear) Message(_ *wire.Conn, m wire.Message) {
	e.mu.Lock()
	e.messages = append(e.messages, m)
	e.mu.Unlock()
	e.more <- struct{}{}
}

func (e *ear) Lied(_ *wire.Conn, id blob.ID) {
	e.mu.Lock()
	e.lies = append(e.lies, id)
	e.mu.Unlock()
	e.more <- struct{}{}
}

// wait waits for n calls, and returns the messages.
func (e *ear) wait(t *testing.T, n int) []wire.Message {
	t.Helper()
	for range n {
		select {
		case <-e.more:
		case <-t.Context().Done():
			t.Fatal("the messages do not come")
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.messages
}

// open opens both ends of a pair.
func open(t testing.TB, opts wiretest.Options, a, b wire.Config) (dialler, listener *wire.Conn) {
	t.Helper()
	la, lb := wiretest.Pair(opts)
	errs := make(chan error, 1)
	go func() {
		var err error
		listener, err = wire.Open(t.Context(), lb, b)
		errs <- err
	}()
	dialler, err := wire.Open(t.Context(), la, a)
	if err := errors.Join(err, <-errs); err != nil {
		t.Fatal(err)
	}
	return dialler, listener
}

// A running Conn ends with the test, or when it says why on over.
type running struct {
	*wire.Conn
	over chan error
}

// run lets a Conn run; it is over when the test is.
func run(t testing.TB, c *wire.Conn) *running {
	r := &running{c, make(chan error, 2)}
	var wg sync.WaitGroup
	wg.Go(func() {
		r.over <- c.Run(context.WithoutCancel(t.Context()))
	})
	t.Cleanup(func() {
		c.Close()
		wg.Wait()
	})
	return r
}

// wait is why the Conn is over.
func (r *running) wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-r.over:
		return err
	case <-t.Context().Done():
		t.Fatal("the connection lives on")
		return nil
	}
}

func config(node byte) wire.Config { return wire.Config{Keys: keys(1), Identity: identity(node)} }

// collect is a sink.
func collect(into shelf) func(blob.ID, []byte) error {
	return func(id blob.ID, b []byte) error {
		if _, ok := into[id]; ok {
			return fmt.Errorf("%x came twice", id)
		}
		into[id] = b
		return nil
	}
}

// equal reports how two shelves differ.
func equal(t testing.TB, got, want shelf) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d blobs, want %d", len(got), len(want))
	}
	for id, b := range want {
		if string(got[id]) != string(b) {
			t.Fatalf("blob %x is not what was sent", id)
		}
	}
}

// chacha is randomness that a seed decides.
func chacha(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }
