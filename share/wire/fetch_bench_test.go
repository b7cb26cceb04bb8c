package wire_test

import (
	"testing"

	"shoal/share/blob"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// BenchmarkFetch moves blobs from one node to another, both in this process.
func BenchmarkFetch(b *testing.B) {
	for _, size := range []struct {
		name     string
		n, bytes int
	}{{"1KiB", 100000, 1 << 10}, {"4KiB", 10000, 4 << 10}, {"16KiB", 10000, 16 << 10}, {"256KiB", 600, 256 << 10}} {
		b.Run(size.name, func(b *testing.B) {
			have, ids := fill(size.n, size.bytes)
			cfg := config(2)
			cfg.Serve = have.Serve
			l, r := open(b, wiretest.Options{}, config(1), cfg)
			run(b, r)
			f := wire.NewFetcher(wire.FetcherOptions{})
			defer f.Close()
			f.Add(run(b, l).Conn)
			b.SetBytes(int64(len(have) * size.bytes))
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				if err := f.Fetch(b.Context(), ids, func(blob.ID, []byte) error { n++; return nil }); err != nil || n != len(ids) {
					b.Fatal(n, err)
				}
			}
		})
	}
}
