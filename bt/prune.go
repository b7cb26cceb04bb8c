package bt

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// keepResume is how long a resume record, or the metainfo of a magnet, is kept after it was last written. What is older
// costs one hashing of the files, or one question to the swarm.
const keepResume = 180 * 24 * time.Hour

// isResumeName reports whether this package writes files of that name into the folder of resume records: the metainfo of
// a magnet, or a record. Nothing else is ever removed there.
func isResumeName(name string) bool {
	if len(name) < 40 {
		return false
	}
	if _, err := ParseInfoHash(name[:40]); err != nil {
		return false
	}
	place, isRecord := strings.CutPrefix(name[40:], "-")
	_, err := hex.DecodeString(place)
	return name[40:] == ".torrent" || isRecord && len(place) == 16 && err == nil
}

// pruneResume removes what was not written for keepResume from the folder of resume records.
func pruneResume(dir string, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && isResumeName(e.Name()) && now.Sub(info.ModTime()) > keepResume {
			_ = os.Remove(filepath.Join(dir, e.Name())) // the next run tries again
		}
	}
}
