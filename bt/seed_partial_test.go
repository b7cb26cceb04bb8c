package bt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// withoutFile takes away the file that ends in name, and returns its index.
func withoutFile(t *testing.T, s *seedFiles, name string) int {
	t.Helper()
	for i, path := range s.names {
		if strings.HasSuffix(path, name) {
			if err := os.Rename(path, path+".away"); err != nil {
				t.Fatal(err)
			}
			return i
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// TestPartialSeedPieces: exactly the pieces are there of which every byte is.
func TestPartialSeedPieces(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
		full, _ := seedOf(t, format, nil)
		away := full.m.Files[withoutFile(t, full, "c.bin")]
		s, err := newPartialSeed(full.m, full.names, newHandlePool(os.OpenFile, 2), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.verify(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if s.there() != s.m.Length-away.Length {
			t.Errorf("%s: %d bytes of %d are there", format, s.there(), s.m.Length)
		}
		for p := range s.m.NumPieces {
			begin := int64(p) * s.m.PieceLength
			lacks := away.Offset < begin+s.m.PieceSize(p) && begin < away.Offset+away.Length
			if s.Complete(p) == lacks {
				t.Errorf("%s: piece %d is there: %v", format, p, !lacks)
			}
			b := make([]byte, s.m.PieceSize(p))
			if _, err := s.ReadAt(b, begin); (err != nil) != lacks || err == nil && !s.m.VerifyPiece(p, b) {
				t.Errorf("%s: reading piece %d: %v", format, p, err)
			}
		}
	}
}

// TestPartialSeed: what is there reaches another, and nothing else is offered. What is hashed is remembered, also when
// less is there. Files that come and go are noticed.
func TestPartialSeed(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			full, _ := seedOf(t, format, nil)
			gone := withoutFile(t, full, "z.bin")
			changed := make(chan error, 1)
			hashed := int64(0)
			opts := SeedOptions{Files: full.names, Partial: true, Memory: t.TempDir(), Changed: func(err error) { changed <- err },
				Progress: func(done, _ int64) { hashed = done }}
			c := local(t)
			s, err := c.Seed(t.Context(), full.m, opts)
			if err != nil {
				t.Fatal(err)
			}
			if p := s.Progress(); p.Done != full.m.Length-full.m.Files[gone].Length || s.Whole() || hashed == 0 {
				t.Errorf("%d bytes are there, %d hashed; all: %v", p.Done, hashed, s.Whole())
			}
			src := &Source{Arg: "album", Stdin: true}
			_, err = local(t).Download(t.Context(), src, DownloadOptions{LoadOptions: LoadOptions{Stdin: bytes.NewReader(full.m.Bytes())},
				Dir: t.TempDir(), Peers: s.Addrs(), Select: Selection{Include: []string{"a.bin"}}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = local(t).Download(t.Context(), src, DownloadOptions{LoadOptions: LoadOptions{Stdin: bytes.NewReader(full.m.Bytes())},
				Dir: t.TempDir(), Peers: s.Addrs(), Select: Selection{Include: []string{"z.bin"}}, StallTimeout: time.Second})
			if code := CodeOf(err); code != Stalled && code != NoPeers {
				t.Errorf("what is not there: %v", err)
			}
			if err := os.Rename(full.names[gone]+".away", full.names[gone]); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(); err == nil || !errors.Is(<-changed, err) {
				t.Error("that a file has come is not noticed")
			}
			s.Close()
			hashed = 0
			withoutFile(t, full, "z.bin")
			withoutFile(t, full, "c.bin")
			if s, err = c.Seed(t.Context(), full.m, opts); err != nil || hashed != 0 {
				t.Fatalf("%d bytes were hashed again: %v", hashed, err)
			}
			withoutFile(t, full, "a.bin")
			if err := s.Check(); err == nil || !errors.Is(<-changed, err) {
				t.Error("that a file has gone is not noticed")
			}
			s.Close()
			_, err = c.Seed(t.Context(), full.m, opts)
			wantCode(t, err, NotFound)
		})
	}
}

// TestPartialSeedDamaged: pieces that are wrong are not offered, and when all are it is an error.
func TestPartialSeedDamaged(t *testing.T) {
	t.Parallel()
	full, _ := seedOf(t, FormatV1, nil)
	withoutFile(t, full, "z.bin")
	damage := func(at int64) {
		t.Helper()
		b, err := os.ReadFile(full.names[0])
		if err != nil {
			t.Fatal(err)
		}
		for ; at < int64(len(b)); at += full.m.PieceLength / 2 {
			b[at] ^= 1
		}
		if err := os.WriteFile(full.names[0], b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	damage(70_000) // pieces 2 and 3
	s, err := newPartialSeed(full.m, full.names, newHandlePool(os.OpenFile, 2), nil)
	if err == nil {
		err = s.verify(t.Context(), nil)
	}
	if err != nil || s.Complete(2) || !s.Complete(0) || !s.Complete(1) {
		t.Fatalf("pieces 2 and 3 are wrong: %v", err)
	}
	damage(0)
	only := []string{full.names[0], "", "", ""}
	_, err = local(t).Seed(t.Context(), full.m, SeedOptions{Files: only, Partial: true})
	wantCode(t, err, Mismatch)
	_, err = local(t).Seed(t.Context(), full.m, SeedOptions{Files: only[:2], Partial: true})
	wantCode(t, err, BadInput)
	_, err = local(t).Seed(t.Context(), full.m, SeedOptions{Files: []string{"", "", "", filepath.Join(t.TempDir(), "x")}, Partial: true})
	wantCode(t, err, NotFound)
}
