package main

import (
	"context"
	"crypto/sha1"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"shoal/bt/bttest/internal/wire"
)

// The data of every bench torrent is one random pattern over and over: small enough to stay in the processor's cache,
// so that a seeder costs little, and of an odd number of blocks, so that no two neighbouring pieces are equal.
const period = 511 * wire.BlockSize

// maxBlock is the longest block that fastseed sends in one go.
const maxBlock = 128 << 10

// newPattern is the pattern, followed by its own beginning so that any block is one slice of it.
func newPattern() []byte {
	b := make([]byte, period+maxBlock)
	r := rand.NewChaCha8([32]byte{'b', 'e', 'n', 'c', 'h'})
	_, _ = r.Read(b[:period])
	copy(b[period:], b)
	return b
}

// makeTorrent is the .torrent of size bytes of the pattern.
func makeTorrent(name string, size, pieceLength int64) []byte {
	pattern := newPattern()
	known := map[[2]int64][20]byte{} // by place in the pattern and length
	var pieces []byte
	for off := int64(0); off < size; off += pieceLength {
		n := min(pieceLength, size-off)
		key := [2]int64{off % period, n}
		sum, ok := known[key]
		if !ok {
			h := sha1.New()
			_, _ = io.Copy(h, io.LimitReader(&patternReader{pattern, key[0]}, n))
			sum = [20]byte(h.Sum(nil))
			known[key] = sum
		}
		pieces = append(pieces, sum[:]...)
	}
	return wire.Bencode(wire.Dict{"info": wire.Dict{
		"length": size, "name": name, "piece length": pieceLength, "pieces": pieces,
	}})
}

// A patternReader reads the pattern without end.
type patternReader struct {
	pattern []byte
	off     int64
}

func (r *patternReader) Read(p []byte) (int, error) {
	n := copy(p, r.pattern[r.off:period])
	r.off = (r.off + int64(n)) % period
	return n, nil
}

// writePattern writes size bytes of the pattern to a new file.
func writePattern(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(&patternReader{newPattern(), 0}, size), make([]byte, 1<<20)); err != nil {
		return err
	}
	return f.Close()
}

// checkPattern reports whether a file is size bytes of the pattern.
func checkPattern(path string, size int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	pattern := newPattern()
	b := make([]byte, maxBlock)
	var off int64
	for {
		n, err := f.Read(b)
		at := off % period
		if string(b[:n]) != string(pattern[at:at+int64(n)]) {
			return fmt.Errorf("checking %s: wrong bytes near %d", path, off)
		}
		off += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if off != size {
		return fmt.Errorf("checking %s: %d bytes, want %d", path, off, size)
	}
	return nil
}

func runMake(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("make", flag.ContinueOnError)
	size := sizeFlag(flags, "size", 2<<30, "bytes of data (K, M, G allowed)")
	piece := sizeFlag(flags, "piece", 1<<20, "piece length")
	name := flags.String("name", "payload", "name of the file in the torrent")
	out := flags.String("o", "payload.torrent", "the .torrent to write")
	data := flags.String("data", "", "write the data to this file too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *data != "" {
		if err := writePattern(*data, *size); err != nil {
			return err
		}
	}
	return os.WriteFile(*out, makeTorrent(*name, *size, *piece), 0o644)
}

// sizeFlag defines a flag that is a number of bytes.
func sizeFlag(flags *flag.FlagSet, name string, def int64, usage string) *int64 {
	n := def
	flags.Func(name, fmt.Sprintf("%s (default %d)", usage, def), func(s string) error {
		shift := strings.IndexByte("KMG", s[max(0, len(s)-1)]) + 1
		if shift > 0 {
			s = s[:len(s)-1]
		}
		v, err := strconv.ParseInt(s, 10, 64)
		n = v << (10 * shift)
		return err
	})
	return &n
}
