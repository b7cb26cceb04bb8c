package bt

import (
	"crypto/sha1"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

const benchSize = 512 << 20

// BenchmarkFilesHash hashes what is on disk; its goal is 0.9 of BenchmarkSHA1.
func BenchmarkFilesHash(b *testing.B) {
	sm, opts := benchSample(b)
	writeFile(b, filepath.Join(opts.Root, "a"), sm.data)
	past := time.Now().Add(-time.Minute)
	if err := os.Chtimes(filepath.Join(opts.Root, "a"), past, past); err != nil {
		b.Fatal(err)
	}
	opts.Check = true
	b.SetBytes(benchSize)
	for b.Loop() {
		s := mustOpen(b, sm, opts)
		if s.Missing() != nil {
			b.Fatal("damaged")
		}
		mustClose(b, s)
	}
}

// BenchmarkSHA1 hashes memory on all cores.
func BenchmarkSHA1(b *testing.B) {
	sm, _ := benchSample(b)
	n := runtime.GOMAXPROCS(0)
	b.SetBytes(benchSize)
	for b.Loop() {
		var wg sync.WaitGroup
		for w := range n {
			wg.Go(func() {
				for p := w; p < sm.NumPieces; p += n {
					sha1.Sum(sm.piece(p))
				}
			})
		}
		wg.Wait()
	}
}

// BenchmarkFilesWrite stores a torrent in blocks, as the engine does, without hashing.
func BenchmarkFilesWrite(b *testing.B) {
	sm, opts := benchSample(b)
	b.SetBytes(benchSize)
	for b.Loop() {
		s := mustOpen(b, sm, opts)
		for p := range sm.NumPieces {
			data := sm.piece(p)
			for at := 0; at < len(data); at += 16 << 10 {
				if _, err := s.WriteAt(data[at:at+16<<10], int64(p)*sm.PieceLength+int64(at)); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.MarkComplete(p); err != nil {
				b.Fatal(err)
			}
		}
		mustClose(b, s)
		if err := os.RemoveAll(opts.Root); err != nil {
			b.Fatal(err)
		}
	}
}

func benchSample(b *testing.B) (sample, FileOptions) {
	const pieceLength = 256 << 10
	sm := sample{&Metainfo{Name: "a", PieceLength: pieceLength, NumPieces: benchSize / pieceLength, Length: benchSize}, make([]byte, benchSize)}
	for i := range sm.data {
		sm.data[i] = byte(i * i >> 7)
	}
	sm.Files = []File{{Path: "a", Length: benchSize}}
	for p := range sm.NumPieces {
		sum := sha1.Sum(sm.piece(p))
		sm.hashes = append(sm.hashes, sum[:]...)
	}
	sm.InfoHash = sha1.Sum(sm.hashes)
	return sm, sm.options(b)
}
