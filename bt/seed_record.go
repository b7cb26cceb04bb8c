package bt

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// A seedRecord remembers what was hashed: files, each with its stamp, and what came out. It is believed only when every
// file has its stamp still.
type seedRecord struct {
	InfoHash string         `json:"infohash"`       // of the torrent that they are good for
	Info     []byte         `json:"info,omitempty"` // the info dictionary, when we made it
	Files    []seedRecorded `json:"files"`
}

type seedRecorded struct {
	Name string `json:"name"`
	stamp
}

const (
	seedHeader    = "shoal serve 1 "
	seedRecordAge = 180 * 24 * time.Hour // a record that was not used for so long is removed
)

// seedRecordPath is the file for what is served under a name, "" when nothing is remembered.
func seedRecordPath(dir, kind, name string) string {
	if dir == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(kind + "\x00" + name))
	return filepath.Join(dir, hex.EncodeToString(sum[:16]))
}

func encodeSeedRecord(r *seedRecord) ([]byte, error) { return sealJSON(seedHeader, r) }

func parseSeedRecord(data []byte) (*seedRecord, error) {
	r := new(seedRecord)
	if err := unsealJSON(seedHeader, data, r); err != nil {
		return nil, fmt.Errorf("parsing record: %w", err)
	}
	return r, nil
}

// readSeedRecord reads a record; nil when there is none that can be used.
func readSeedRecord(path string) *seedRecord {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecordSize))
	if err != nil {
		return nil
	}
	r, err := parseSeedRecord(data)
	if err != nil {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // it is in use
	return r
}

// vouches reports whether the record is of these files as they are.
func (r *seedRecord) vouches(infoHash string, names []string, stamps []stamp) bool {
	if r == nil || infoHash != "" && r.InfoHash != infoHash || len(r.Files) != len(names) {
		return false
	}
	for i, f := range r.Files {
		if f.Name != names[i] || f.stamp != stamps[i] {
			return false
		}
	}
	return true
}

// writeSeedRecord remembers what was hashed.
func writeSeedRecord(path string, r *seedRecord, names []string, stamps []stamp) error {
	if path == "" {
		return nil
	}
	for i, name := range names {
		r.Files = append(r.Files, seedRecorded{name, stamps[i]})
	}
	data, err := encodeSeedRecord(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// Two processes may serve the same: each writes a file of its own, and the last one stays.
	tmp, err := os.CreateTemp(filepath.Dir(path), "new-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

// pruneSeedRecords removes the records that nobody used for long.
func pruneSeedRecords(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > seedRecordAge {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
