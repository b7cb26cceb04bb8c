package bt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// A stamp tells one state of a file from later ones. It is believed only when the file was not modified in the moment
// before it was taken, since the clock of a file system ticks slowly (see settle and settled).
type stamp struct {
	Size  int64  `json:"size"`
	MTime int64  `json:"mtime"` // nanoseconds since 1970
	Inode uint64 `json:"inode"` // 0 where there is none
}

func stampOf(info fs.FileInfo) stamp {
	return stamp{Size: info.Size(), MTime: info.ModTime().UnixNano(), Inode: inodeOf(info)}
}

// tick is longer than the clock of any file system needs to advance (FAT: 2 s).
const tick = 2 * time.Second

// settled reports whether a modification after now would show in the stamp.
func (st stamp) settled(now time.Time) bool { return now.UnixNano()-st.MTime > int64(tick) }

// settle sets the modification time of a file of ours to a moment that has passed, so that any later modification shows,
// and returns the file's stamp.
func (s *FileStorage) settle(name string) (stamp, error) {
	past := time.Now().Add(-tick).Truncate(tick)
	if err := s.root.Chtimes(name, past, past); err != nil {
		return stamp{}, err
	}
	info, err := s.root.Lstat(name)
	if err != nil {
		return stamp{}, err
	}
	return stampOf(info), nil
}

// stamps are those of all files, once each is complete and has its final name; ok is false before that, and when one is
// too young to be believed.
func (s *FileStorage) stamps() (all []stamp, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, d := range s.files {
		if d.path == "" || d.place != atFinal || !d.complete() || d.stamp == (stamp{}) {
			return nil, false
		}
		all = append(all, d.stamp)
	}
	return all, true
}

// A record is what a storage tells the next one about what it left on disk. A piece is vouched for when its bit is set
// and every file that holds bytes of it has its stamp.
//
// No order of crashes makes it lie: files under final names are synced before they are recorded, and never written. The
// others are recorded only when the storage closes. Their pieces in the record are not written again before the record
// is replaced (MarkIncomplete does), and after a loss of power, which may lose writes that happened before the record,
// they are not believed, since Boot differs.
type record struct {
	InfoHash string         `json:"infohash"`
	Boot     string         `json:"boot"` // names the run of the operating system; "" = unknown
	Pieces   []byte         `json:"pieces"`
	Selected []byte         `json:"selected"` // files; the edges have bytes of the others
	Files    []recordedFile `json:"files"`
}

// A recordedFile is a file that has all bytes of the recorded pieces that touch it.
type recordedFile struct {
	Index int    `json:"index"` // in Metainfo.Files; edgesIndex for the edges
	Name  string `json:"name"`  // below the root
	Final bool   `json:"final"` // has its final name
	Done  bool   `json:"done"`  // and all of its pieces were verified
	stamp
}

const (
	edgesIndex    = -1
	recordHeader  = "shoal resume 1 "
	maxRecordSize = 256 << 20
)

// sealJSON is a line of header and checksum, and v as JSON.
func sealJSON(header string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return slices.Concat([]byte(header+hex.EncodeToString(sum[:])+"\n"), body), nil
}

// unsealJSON reads what sealJSON wrote into v, if it is whole.
func unsealJSON(header string, data []byte, v any) error {
	line, body, ok := bytes.Cut(data, []byte("\n"))
	sum := sha256.Sum256(body)
	if !ok || string(line) != header+hex.EncodeToString(sum[:]) {
		return errors.New("damaged, or of another version")
	}
	return json.Unmarshal(body, v)
}

// encodeRecord is what parseRecord reads.
func encodeRecord(r *record) ([]byte, error) { return sealJSON(recordHeader, r) }

// parseRecord reads what encodeRecord wrote for m.
func parseRecord(data []byte, m *Metainfo) (*record, error) {
	r := new(record)
	if err := unsealJSON(recordHeader, data, r); err != nil {
		return nil, fmt.Errorf("parsing resume record: %w", err)
	}
	if r.InfoHash != m.Short().String() || len(r.Pieces) != len(newBitset(m.NumPieces)) ||
		len(r.Selected) != len(newBitset(len(m.Files))) {
		return nil, errors.New("parsing resume record: of another torrent")
	}
	seen := make(map[int]bool, len(r.Files))
	for _, f := range r.Files {
		if f.Index < edgesIndex || f.Index >= len(m.Files) || seen[f.Index] || f.Done && !f.Final {
			return nil, fmt.Errorf("parsing resume record: bad entry for file %d", f.Index)
		}
		seen[f.Index] = true
	}
	return r, nil
}

// readRecord reads the record of an earlier storage; nil when there is none that can be used.
func (s *FileStorage) readRecord() *record {
	if s.opts.Record == "" {
		return nil
	}
	f, err := os.Open(s.opts.Record)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecordSize))
	if err != nil {
		return nil
	}
	rec, err := parseRecord(data, s.m)
	if err != nil {
		return nil
	}
	s.recorded = bitset(rec.Pieces)
	return rec
}

// writeRecord replaces the record by one of the present state. Partial files are in it only when closing: they change
// all the time. The caller holds mu, or is alone.
func (s *FileStorage) writeRecord(closing bool) error {
	if s.opts.Record == "" {
		return nil
	}
	rec, err := s.makeRecord(closing)
	if err != nil {
		return err
	}
	s.flushed = time.Now()
	if s.complete.count() == 0 && len(rec.Files) == 0 {
		return s.removeRecord()
	}
	data, err := encodeRecord(rec)
	if err != nil {
		return err
	}
	s.opts.step("record to be written")
	if err := replaceFile(s.opts.Record, data); err != nil {
		return fmt.Errorf("writing resume record: %w", err)
	}
	s.opts.step("record written")
	s.recorded = bitset(rec.Pieces)
	return nil
}

func (s *FileStorage) removeRecord() error {
	s.recorded = nil
	if err := os.Remove(s.opts.Record); err != nil && !isNotExist(err) {
		return fmt.Errorf("removing resume record: %w", err)
	}
	return nil
}

// makeRecord describes the present state. The caller holds mu, or is alone.
func (s *FileStorage) makeRecord(closing bool) (*record, error) {
	rec := &record{InfoHash: s.m.Short().String(), Boot: bootID(), Pieces: slices.Clone(s.complete)}
	selected := newBitset(len(s.files))
	for _, d := range s.files {
		if d.path != "" {
			selected.set(d.index)
		}
		switch {
		case d.path == "" || d.length == 0:
		case d.place == atFinal && d.stamp != stamp{}:
			rec.Files = append(rec.Files, recordedFile{d.index, d.path, true, d.complete(), d.stamp})
		case d.place == inPart && closing:
			st, err := s.settle(d.part)
			if isNotExist(err) { // someone removed it
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("recording %s: %w", s.display(d.path), err)
			}
			rec.Files = append(rec.Files, recordedFile{d.index, d.part, false, false, st})
		}
	}
	rec.Selected = selected
	if _, err := s.root.Lstat(s.edges); err == nil && closing {
		st, err := s.settle(s.edges)
		if err != nil {
			return nil, fmt.Errorf("recording partial data: %w", err)
		}
		rec.Files = append(rec.Files, recordedFile{edgesIndex, s.edges, false, false, st})
	}
	return rec, nil
}

// replaceFile writes a file so that its name has either the old or the new content. The lock keeps others away.
func replaceFile(name string, data []byte) error {
	tmp := name + ".tmp" // left by a crash, it is used up by the next run
	err := os.WriteFile(tmp, data, 0o600)
	if err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}
