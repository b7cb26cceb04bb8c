package bt

import (
	"os"
	"slices"
	"sync"
)

// newPartialSeed is newSeedFiles of a torrent of which only some files are there, and served. A name is "" where none
// is known; one that names nothing, or something of another length, is as good. NotFound when no piece is there whole.
// changed is also called when a file is there that was not.
func newPartialSeed(m *Metainfo, names []string, pool *handlePool, changed func(error)) (*seedFiles, error) {
	s := &seedFiles{m: m, pool: pool, names: names, stamps: make([]stamp, len(names)), settled: true, changed: changed,
		absent: make([]bool, len(names)), have: newBitset(m.NumPieces)}
	for i := range names {
		s.absent[i] = !s.isThere(i)
	}
	for p := range m.NumPieces {
		if s.isWhole(p) {
			s.have.set(p)
		}
	}
	if s.have.count() == 0 {
		return nil, errorf(NotFound, "seeding %s: nothing of it is there", clip(m.Name))
	}
	return s, s.survey()
}

// isThere reports whether file i looks like the torrent's.
func (s *seedFiles) isThere(i int) bool {
	if s.names[i] == "" {
		return false
	}
	info, err := os.Stat(s.names[i])
	return err == nil && info.Mode().IsRegular() && info.Size() == s.m.Files[i].Length
}

// isWhole reports whether all files that have bytes in a piece are there.
func (s *seedFiles) isWhole(piece int) bool {
	begin := int64(piece) * s.m.PieceLength
	end := begin + s.m.PieceSize(piece)
	first, last := s.m.FilesIn(begin, end-begin)
	for i := first; i < last; i++ {
		f := &s.m.Files[i]
		if s.absent[i] && max(f.Offset, begin) < min(f.Offset+f.Length, end) {
			return false
		}
	}
	return true
}

// there is how many bytes there are.
func (s *seedFiles) there() int64 {
	if s.absent == nil {
		return s.m.Length
	}
	n := int64(0)
	for i, away := range s.absent {
		if !away {
			n += s.m.Files[i].Length
		}
	}
	return n
}

// key is what the record of what was hashed is named by, besides the torrent.
func (s *seedFiles) key() string {
	if s.absent != nil || len(s.names) == 0 {
		return ""
	}
	return s.names[0]
}

// vouched reports whether a record is of the files that are there, as they are.
func (s *seedFiles) vouched(r *seedRecord, infoHash string) bool {
	if s.absent == nil || r == nil || len(r.Files) != len(s.names) {
		return r.vouches(infoHash, s.names, s.stamps)
	}
	names, stamps := slices.Clone(s.names), slices.Clone(s.stamps)
	for i, away := range s.absent {
		if away { // whatever it was
			names[i], stamps[i] = r.Files[i].Name, r.Files[i].stamp
		}
	}
	return r.vouches(infoHash, names, stamps)
}

// drop judges pieces that are wrong: a part of a torrent loses them, as long as others remain.
func (s *seedFiles) drop(bad []int) error {
	if len(bad) == 0 {
		return nil
	}
	if s.have != nil && len(bad) < s.have.count() {
		for _, p := range bad {
			s.have.clear(p)
		}
		s.settled = false // the record says nothing of pieces
		return nil
	}
	if s.have != nil {
		return errorf(Mismatch, "seeding %s: the files are not those of the torrent", clip(s.m.Name))
	}
	return errorf(Damaged, "seeding %s: %d of %d pieces are damaged", clip(s.m.Name), len(bad), s.m.NumPieces)
}

// badPieces are found by several goroutines.
type badPieces struct {
	mu  sync.Mutex
	all []int // guarded by mu
}

func (b *badPieces) add(piece int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, piece)
}
