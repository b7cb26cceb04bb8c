package p2p

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt"
)

// opts are those of a session on 127.0.0.1, with the port that it listens on.
func opts(t *testing.T, hosts ...string) (o Options, port <-chan string) {
	c := make(chan string, 1)
	return Options{Hosts: hosts, NewClient: func(ctx context.Context) (*bt.Client, error) {
		client, err := bt.NewClient(ctx, bt.Config{Listen: "127.0.0.1", NoDHT: true, Encryption: bt.EncryptionRequire, NoName: true})
		if err == nil {
			go func() {
				for client.Addr() == nil && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
				c <- client.Addr().String()
			}()
		}
		return client, err
	}}, c
}

// TestTunnel: several connections at once to one listener, each with a connection of its own to the socket; and nobody is
// found at another address.
func TestTunnel(t *testing.T) {
	t.Parallel()
	git := t.TempDir()
	key, err := MakeKey(git)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := MakeKey(git); err != nil || again != key {
		t.Fatalf("another key, %v", err)
	}
	if info, err := os.Stat(filepath.Join(git, keyFile)); err != nil || info.Mode() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	path := filepath.Join(git, "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				all, _ := io.ReadAll(c)
				_, _ = c.Write(bytes.ToUpper(all))
			}()
		}
	}()
	ctx, cancel := context.WithCancelCause(t.Context())
	o, port := opts(t)
	stop, ended := errors.New("stop"), make(chan error, 1)
	go func() { ended <- Listen(ctx, key, path, o) }()
	at := <-port
	a, err := key.Address()
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	const n = 3
	for range n {
		go func() {
			var out bytes.Buffer
			o, _ := opts(t, at)
			err := Connect(t.Context(), a, bytes.NewReader(bytes.Repeat([]byte("word "), 100_000)), &out, o)
			if err == nil && !bytes.Equal(out.Bytes(), bytes.Repeat([]byte("WORD "), 100_000)) {
				err = errors.New("another answer")
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	a[0] ^= 1
	o, _ = opts(t, at)
	o.Patience = 100 * time.Millisecond
	if err := Connect(t.Context(), a, bytes.NewReader(nil), io.Discard, o); bt.CodeOf(err) != bt.NoPeers {
		t.Errorf("at another address: %v", err)
	}
	cancel(stop)
	if err := <-ended; !errors.Is(err, stop) {
		t.Errorf("listening ends by %v", err)
	}
}
