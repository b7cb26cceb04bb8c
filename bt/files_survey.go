package bt

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// survey looks at what lies where, and touches nothing but a part that is the final file too.
func (s *FileStorage) survey() error {
	seen := make(map[string]bool)
	for _, d := range s.files {
		if d.path == "" {
			continue
		}
		if err := s.checkParents(d.path, seen); err != nil {
			return err
		}
		if err := s.surveyFile(d); err != nil {
			return err
		}
	}
	if info, err := s.root.Lstat(s.edges); err == nil && !info.Mode().IsRegular() {
		return errorf(Exists, "storing %q: %s is not a file", s.m.Name, s.display(s.edges))
	}
	return nil
}

func (s *FileStorage) surveyFile(d *diskFile) error {
	final, err := s.lstatRegular(d.path)
	if err != nil {
		return err
	}
	part, err := s.lstatRegular(d.part)
	if err != nil {
		return err
	}
	if final != nil && part != nil && os.SameFile(final, part) { // a crash between link and remove
		if err := s.root.Remove(d.part); err != nil {
			return err
		}
		part = nil
	}
	switch {
	case final != nil && final.Size() == d.length:
		d.place, d.spare, d.seen = atFinal, part != nil, stampOf(final)
		s.youngest = later(s.youngest, final.ModTime())
		if d.seen.settled(time.Now()) {
			d.stamp = d.seen
		}
		return nil
	case final != nil && !s.opts.Force:
		return errorf(Exists, "storing %s: it exists and has %d bytes instead of %d", s.display(d.path), final.Size(), d.length).
			withHint("--force replaces it")
	case final != nil:
		d.replace = true
	}
	if part != nil {
		d.place = inPart
	}
	return nil
}

// lstatRegular is Lstat for what must be a file, or nothing: then info is nil.
func (s *FileStorage) lstatRegular(name string) (info fs.FileInfo, err error) {
	info, err = s.root.Lstat(name)
	switch {
	case err != nil && isNotExist(err):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, errorf(Exists, "storing %s: a symbolic link is in the way", s.display(name))
	case !info.Mode().IsRegular():
		return nil, errorf(Exists, "storing %s: something that is not a file is in the way", s.display(name))
	}
	return info, nil
}

// A trust says what the record vouches for, by index of Metainfo.Files, the edges last.
type trust struct {
	rec   *record
	files []bool
	done  []bool
}

// compareRecord finds the files that are still what the record says.
func (s *FileStorage) compareRecord(rec *record) trust {
	n := len(s.files)
	t := trust{rec, make([]bool, n+1), make([]bool, n+1)}
	if rec == nil {
		return t
	}
	sameBoot := rec.Boot != "" && rec.Boot == bootID()
	for _, f := range rec.Files {
		name, at := s.edges, n
		if f.Index >= 0 {
			d := s.files[f.Index]
			if at = f.Index; d.place == nowhere || f.Final != (d.place == atFinal) {
				continue
			}
			if name = d.part; f.Final {
				name = d.path
			}
		}
		info, err := s.root.Lstat(name)
		t.files[at] = err == nil && name == f.Name && stampOf(info) == f.stamp && (f.Final || sameBoot)
		t.done[at] = t.files[at] && f.Done
	}
	return t
}

// holds reports whether the bytes of the segment are trusted.
func (t *trust) holds(seg segment) bool {
	switch {
	case seg.file == nil:
		return true
	case seg.file.path == "":
		return t.files[len(t.files)-1] && !bitset(t.rec.Selected).has(seg.file.index)
	}
	return t.files[seg.file.index]
}

// judge finds out which pieces are complete: from the record, else by hashing. Files under final names that turn out to
// differ are errors, or made partial.
func (s *FileStorage) judge(ctx context.Context, rec *record) error {
	t := s.compareRecord(rec)
	var doubtful []int
	for p := range s.m.NumPieces {
		touched, trusted, present := s.outlook(p, &t)
		switch {
		case !touched:
		case trusted && !s.opts.Check:
			if bitset(rec.Pieces).has(p) {
				s.complete.set(p)
			}
		case present:
			doubtful = append(doubtful, p)
		}
	}
	if err := s.hashPieces(ctx, doubtful); err != nil {
		return err
	}
	again, err := s.settleDifferences(doubtful, &t)
	if err != nil {
		return err
	}
	if err := s.hashPieces(ctx, again); err != nil {
		return err
	}
	for _, d := range s.files {
		if d.path != "" {
			d.vouched = t.done[d.index] && d.place == atFinal
			s.recount(d)
			if d.vouched && d.missing == 0 { // needs no voucher
				d.vouched = false
				s.recount(d)
			}
		}
	}
	return s.recordJudgement(rec, len(doubtful) > 0)
}

// recordJudgement writes the record unless it says the same already, and removes partial files that are not needed.
func (s *FileStorage) recordJudgement(rec *record, hashed bool) error {
	for _, d := range s.spans {
		if d.place == atFinal && d.missing == 0 {
			if err := s.removeSpare(d); err != nil {
				return err
			}
		}
	}
	if rec != nil && !hashed && string(rec.Pieces) == string(s.complete) {
		return nil
	}
	return s.writeRecord(true)
}

// removeSpare removes partial data that the final file has made superfluous. The caller holds mu, or is alone.
func (s *FileStorage) removeSpare(d *diskFile) error {
	if !d.spare {
		return nil
	}
	d.spare = false
	return s.root.Remove(d.part)
}

// outlook says of a piece whether it touches a selected file, whether the record may be believed for all of it, and
// whether all of it may be on disk.
func (s *FileStorage) outlook(piece int, t *trust) (touched, trusted, present bool) {
	trusted, present = t.rec != nil, true
	for seg := range s.pieceSegments(piece) {
		if seg.file == nil {
			continue
		}
		trusted = trusted && t.holds(seg)
		if seg.file.path == "" {
			continue // the edges are looked at when they are read
		}
		touched = true
		present = present && seg.file.place != nowhere
	}
	return touched, trusted, present
}

// A tally counts the pieces of a file under its final name.
type tally struct{ good, bad, alone int } // alone: bad, and of no other file

// settleDifferences deals with files under final names that have bad pieces. A piece that partial data takes part in
// says nothing about them. It returns pieces to hash, since a file's bytes are now others.
func (s *FileStorage) settleDifferences(hashed []int, t *trust) (again []int, err error) {
	tallies := make(map[*diskFile]*tally)
	for _, p := range hashed {
		files, settled := s.finals(p)
		for _, d := range files {
			c := tallies[d]
			if c == nil {
				c = new(tally)
				tallies[d] = c
			}
			switch {
			case s.complete.has(p):
				c.good++
			case settled && len(files) == 1:
				c.bad++
				c.alone++
			case settled:
				c.bad++
			}
		}
	}
	if err := s.refuse(tallies, t); err != nil {
		return nil, err
	}
	for _, d := range s.spans {
		if c := tallies[d]; c != nil && c.alone > 0 {
			pieces, err := s.replaceFinal(d, c)
			if err != nil {
				return nil, err
			}
			again = append(again, pieces...)
		} else if c != nil && c.bad > 0 {
			t.done[d.index] = false
		}
	}
	return again, nil
}

// finals lists the files under final names that a piece touches; settled when nothing else does.
func (s *FileStorage) finals(piece int) (files []*diskFile, settled bool) {
	settled = true
	for seg := range s.pieceSegments(piece) {
		switch {
		case seg.file == nil:
		case seg.file.path != "" && seg.file.place == atFinal:
			files = append(files, seg.file)
		default:
			settled = false
		}
	}
	return files, settled
}

// refuse is the error for files that differ and may not be replaced. Check repairs what was ours, or is to some part
// what it should be.
func (s *FileStorage) refuse(tallies map[*diskFile]*tally, t *trust) error {
	var suspect *diskFile
	for _, d := range s.spans {
		c := tallies[d]
		if c == nil || c.bad == 0 || s.opts.Force || s.opts.Check && (c.good > 0 || t.files[d.index] || c.alone == 0) {
			continue
		}
		if c.alone > 0 {
			return s.differs(d)
		}
		if suspect == nil || t.files[suspect.index] {
			suspect = d
		}
	}
	if suspect != nil {
		return s.differs(suspect)
	}
	return nil
}

// replaceFinal makes way for a better file than d's final one. It returns pieces to hash.
func (s *FileStorage) replaceFinal(d *diskFile, c *tally) (again []int, err error) {
	if !d.spare && c.good > 0 {
		return nil, s.takeBack(d)
	}
	// There is a better start, or nothing worth keeping: the final file stays as it is until it is replaced.
	s.pool.drop(d.path)
	d.place, d.replace, d.stamp = nowhere, true, stamp{}
	first, last := d.pieces(s.m.PieceLength)
	for p := first; p <= last; p++ {
		s.complete.clear(p)
		if d.spare {
			again = append(again, p)
		}
	}
	if d.spare {
		d.place, d.spare = inPart, false
	}
	return again, nil
}

// makeEmptyFiles makes the selected files that have no bytes.
func (s *FileStorage) makeEmptyFiles() error {
	for _, d := range s.files {
		if d.path == "" || d.length > 0 || d.place != nowhere {
			continue
		}
		if err := s.makePart(d); err != nil {
			return fmt.Errorf("storing %s: %w", s.display(d.path), err)
		}
	}
	return nil
}
