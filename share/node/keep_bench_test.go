package node

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/share/api"
)

// BenchmarkCopies is what a status costs of 10,000 files: who asks, and who is asked.
func BenchmarkCopies(b *testing.B) {
	n, err := Open(b.Context(), Options{Home: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	dir := b.TempDir()
	at := time.Now().Add(-time.Hour)
	for i := range 10_000 {
		p := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(p, fmt.Append(nil, i), 0o600); err != nil {
			b.Fatal(err)
		}
		if err := os.Chtimes(p, at, at); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := n.Create(b.Context(), api.CreateOptions{Name: "s", Dir: dir}); err != nil {
		b.Fatal(err)
	}
	n.Start()
	e, err := n.find("s")
	if err != nil {
		b.Fatal(err)
	}
	for v, news := e.look(); !v.Settled; v, news = e.look() {
		<-news
	}
	units, _, err := e.promise.ownUnits(b.Context())
	if err != nil || len(units) != 10_000 {
		b.Fatal(len(units), err)
	}
	b.Run("asks", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := e.promise.ownUnits(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("answers", func(b *testing.B) {
		for b.Loop() {
			if _, err := e.promise.keeper.answer(b.Context(), units, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("promises", func(b *testing.B) {
		for b.Loop() {
			if _, err := e.promise.keeper.answer(b.Context(), units, 60); err != nil {
				b.Fatal(err)
			}
		}
	})
}
