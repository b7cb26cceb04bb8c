package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"shoal/bt"
)

// Run runs the conformance suite for bt.Storage. Each test opens an empty storage of m, which has no hashes.
func Run(t *testing.T, open func(t *testing.T, m *bt.Metainfo) bt.Storage) {
	tests := []struct {
		name string
		run  func(t *testing.T, c *storageCase)
	}{
		{"ReadsBack", testReadsBack},
		{"GapsAreZero", testGapsAreZero},
		{"ReadsAcross", testReadsAcross},
		{"Bounds", testBounds},
		{"Marks", testMarks},
		{"Rewrites", testRewrites},
		{"Concurrent", testConcurrent},
		{"Closes", testCloses},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, data := storageSample()
			s := open(t, m)
			test.run(t, &storageCase{m, data, s})
			if err := s.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
		})
	}
}

// A storageCase is an empty storage and what belongs into it.
type storageCase struct {
	m    *bt.Metainfo
	data []byte // the piece space, gaps zero
	s    bt.Storage
}

// storageSample has files of all sorts: with gaps before, between and after, empty, smaller than a piece, larger.
func storageSample() (*bt.Metainfo, []byte) {
	const pieceLength = 64
	m := &bt.Metainfo{InfoHash: bt.InfoHash{1}, Name: "sample", Dir: true, PieceLength: pieceLength, NumPieces: 12}
	data := make([]byte, pieceLength*m.NumPieces)
	rng := rand.New(rand.NewPCG(1, 2))
	var off int64
	for i, f := range []struct{ gap, length int64 }{{10, 100}, {0, 1}, {0, 0}, {17, 200}, {0, 64}, {128, 5}, {0, 30}} {
		off += f.gap
		m.Files = append(m.Files, bt.File{Path: fmt.Sprintf("d%d/f%d", i%2, i), Offset: off, Length: f.length})
		for range f.length {
			data[off] = byte(rng.Uint32()) | 1 // not zero, so that gaps differ
			off++
		}
		m.Length += f.length
	}
	return m, data
}

func (c *storageCase) piece(p int) (data []byte, off int64) {
	off = int64(p) * c.m.PieceLength
	return c.data[off : off+c.m.PieceLength], off
}

// put writes and marks a piece.
func (c *storageCase) put(t *testing.T, p int) {
	t.Helper()
	data, off := c.piece(p)
	if n, err := c.s.WriteAt(data, off); n != len(data) || err != nil {
		t.Fatalf("writing piece %d: %d, %v", p, n, err)
	}
	if err := c.s.MarkComplete(p); err != nil {
		t.Fatalf("marking piece %d: %v", p, err)
	}
}

// want makes sure that a range reads as it should.
func (c *storageCase) want(t *testing.T, off int64, n int) {
	t.Helper()
	got := make([]byte, n)
	for i := range got {
		got[i] = 0xaa
	}
	if k, err := c.s.ReadAt(got, off); k != n || err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("reading %d bytes at %d: %d, %v", n, off, k, err)
	} else if !bytes.Equal(got, c.data[off:off+int64(n)]) {
		t.Errorf("%d bytes at %d are not what was written", n, off)
	}
}

func testReadsBack(t *testing.T, c *storageCase) {
	for _, p := range rand.Perm(c.m.NumPieces) {
		data, off := c.piece(p)
		for at := 0; at < len(data); at += 16 { // in blocks
			if n, err := c.s.WriteAt(data[at:at+16], off+int64(at)); n != 16 || err != nil {
				t.Fatalf("writing: %d, %v", n, err)
			}
		}
		c.want(t, off, len(data)) // before it is marked: that is how the engine verifies
		if err := c.s.MarkComplete(p); err != nil {
			t.Fatal(err)
		}
		c.want(t, off, len(data))
	}
	for p := range c.m.NumPieces {
		c.want(t, int64(p)*c.m.PieceLength, int(c.m.PieceLength))
	}
}

func testGapsAreZero(t *testing.T, c *storageCase) {
	garbage := bytes.Repeat([]byte{0xff}, 10)
	if _, err := c.s.WriteAt(garbage, 0); err != nil { // the gap before the first file
		t.Fatal(err)
	}
	c.want(t, 0, 10)
	c.put(t, 0)
	c.want(t, 0, int(c.m.PieceLength))
}

func testReadsAcross(t *testing.T, c *storageCase) {
	for p := range c.m.NumPieces {
		c.put(t, p)
	}
	c.want(t, 0, len(c.data))
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		off := rng.IntN(len(c.data))
		c.want(t, int64(off), rng.IntN(len(c.data)-off+1))
	}
}

func testBounds(t *testing.T, c *storageCase) {
	buf := make([]byte, 8)
	if _, err := c.s.ReadAt(buf, int64(len(c.data))); !errors.Is(err, io.EOF) {
		t.Errorf("reading behind the end: %v, want EOF", err)
	}
	for _, off := range []int64{-1, -1 << 62} {
		if _, err := c.s.ReadAt(buf, off); err == nil {
			t.Errorf("reading at %d succeeds", off)
		}
		if _, err := c.s.WriteAt(buf, off); err == nil {
			t.Errorf("writing at %d succeeds", off)
		}
	}
	if _, err := c.s.WriteAt(buf, int64(len(c.data))-4); err == nil {
		t.Error("writing over the end succeeds")
	}
	for _, p := range []int{-1, c.m.NumPieces} {
		if c.s.Complete(p) || c.s.MarkComplete(p) == nil {
			t.Errorf("there is a piece %d", p)
		}
	}
}

func testMarks(t *testing.T, c *storageCase) {
	for p := range c.m.NumPieces {
		if c.s.Complete(p) {
			t.Fatalf("piece %d is complete in an empty storage", p)
		}
	}
	c.put(t, 3)
	for range 2 { // again changes nothing
		if err := c.s.MarkComplete(3); err != nil || !c.s.Complete(3) || c.s.Complete(2) {
			t.Fatalf("marked: %v", err)
		}
	}
	for range 2 {
		if err := c.s.MarkIncomplete(3); err != nil || c.s.Complete(3) {
			t.Fatalf("unmarked: %v", err)
		}
	}
	c.put(t, 3)
	if !c.s.Complete(3) {
		t.Error("not complete again")
	}
}

func testRewrites(t *testing.T, c *storageCase) {
	data, off := c.piece(2)
	if _, err := c.s.WriteAt(bytes.Repeat([]byte{0x55}, len(data)), off); err != nil {
		t.Fatal(err)
	}
	if err := c.s.MarkIncomplete(2); err != nil {
		t.Fatal(err)
	}
	for p := range c.m.NumPieces {
		c.put(t, p)
	}
	if err := c.s.MarkIncomplete(2); err != nil { // all files were complete
		t.Fatal(err)
	}
	c.put(t, 2)
	c.want(t, 0, len(c.data))
}

func testConcurrent(t *testing.T, c *storageCase) {
	var wg sync.WaitGroup
	for p := range c.m.NumPieces {
		wg.Go(func() {
			data, off := c.piece(p)
			for range 20 {
				if _, err := c.s.WriteAt(data, off); err != nil {
					t.Errorf("writing: %v", err)
				}
			}
			if err := c.s.MarkComplete(p); err != nil {
				t.Errorf("marking: %v", err)
			}
			for range 20 {
				c.want(t, off, len(data))
				c.s.Complete((p + 1) % c.m.NumPieces)
			}
		})
	}
	wg.Wait()
}

func testCloses(t *testing.T, c *storageCase) {
	c.put(t, 0)
	for range 2 {
		if err := c.s.Close(); err != nil {
			t.Fatalf("closing: %v", err)
		}
	}
	data, off := c.piece(1)
	if _, err := c.s.WriteAt(data, off); err == nil {
		t.Error("a closed storage can be written")
	}
	if _, err := c.s.ReadAt(make([]byte, 1), 20); err == nil {
		t.Error("a closed storage can be read")
	}
	if c.s.MarkComplete(1) == nil {
		t.Error("a closed storage can be marked")
	}
}
