package bt

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestPruneResume(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	hash := "0123456789012345678901234567890123456789"
	for name, age := range map[string]time.Duration{
		hash + ".torrent":           keepResume + time.Hour,
		hash + "-0123456789abcdef":  keepResume + time.Hour,
		hash + "-fedcba9876543210":  keepResume - time.Hour,
		"notes.txt":                 keepResume + time.Hour,
		hash + "-0123456789abcdef.": keepResume + time.Hour,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	pruneResume(dir, now)
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 3 {
		t.Errorf("left: %v, %v", left, err)
	}
	pruneResume(filepath.Join(dir, "none"), now)
}
