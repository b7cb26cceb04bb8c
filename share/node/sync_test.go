package node

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

// testNode is a node on loopback that meets the given hosts.
func testNode(t *testing.T, name string) (*Node, string) {
	t.Helper()
	c, err := OpenNet(t.Context(), bt.Config{Listen: "127.0.0.1", NoDHT: true})
	if err != nil {
		t.Fatal(err)
	}
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	home := t.TempDir()
	n, err := Open(t.Context(), Options{Home: home, Label: name, Net: c, Watch: true,
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: level})).With("node", name)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n, t.TempDir()
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(string(bytes.TrimSpace(b)))
	return len(b), nil
}

func write(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

func TestTwoNodes(t *testing.T) {
	t.Parallel()
	a, dirA := testNode(t, "a")
	b, dirB := testNode(t, "b")
	ctx := context.Background()
	big := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	write(t, dirA, "hello.txt", []byte("hello"))
	write(t, dirA, "sub/dir/empty", nil)
	write(t, dirA, "big.bin", big)
	for i := range 20 {
		write(t, dirA, fmt.Sprintf("many/%d", i), []byte(fmt.Sprint(i)))
	}
	if _, err := a.Create(ctx, api.CreateOptions{Name: "docs", Dir: dirA}); err != nil {
		t.Fatal(err)
	}
	token, err := a.Token(ctx, "docs", "write")
	if err != nil {
		t.Fatal(err)
	}
	a.Start()
	port := 0
	waitFor(t, "a port", func() bool { port = a.net.Port(); return port != 0 })
	if _, err := b.Add(ctx, api.AddOptions{Token: token, Dir: dirB, Name: "docs", Options: api.ShareConfig{Hosts: []string{fmt.Sprintf("127.0.0.1:%d", port)}}}); err != nil {
		t.Fatal(err)
	}
	res, err := b.Sync(ctx, api.SyncOptions{For: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if res[0].Code != "ok" {
		t.Fatalf("%+v %+v", res[0], res[0].Status)
	}
	got, err := os.ReadFile(filepath.Join(dirB, "big.bin"))
	if err != nil || !bytes.Equal(got, big) {
		t.Fatal("big", err, len(got))
	}
	got, err = os.ReadFile(filepath.Join(dirB, "many/7"))
	if err != nil || string(got) != "7" {
		t.Fatal("7", err)
	}
	write(t, dirB, "from-b", []byte("B"))
	began := time.Now()
	waitFor(t, "a file of b at a", func() bool { b, _ := os.ReadFile(filepath.Join(dirA, "from-b")); return string(b) == "B" })
	t.Log("a small file took", time.Since(began))
	os.Remove(filepath.Join(dirA, "hello.txt"))
	began = time.Now()
	waitFor(t, "a removal", func() bool { _, err := os.Stat(filepath.Join(dirB, "hello.txt")); return os.IsNotExist(err) })
	t.Log("a removal took", time.Since(began))
}
