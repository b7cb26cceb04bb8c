package bt_test

import (
	"path/filepath"
	"testing"

	"shoal/bt"
	"shoal/bt/bttest/storagetest"
)

func TestStorageConformance(t *testing.T) {
	open := func(t *testing.T, m *bt.Metainfo, only map[int]bool) bt.Storage {
		opts := bt.FileOptions{Root: filepath.Join(t.TempDir(), "root"), Record: filepath.Join(t.TempDir(), "record")}
		for i, f := range m.Files {
			path := f.Path
			if only != nil && !only[i] {
				path = ""
			}
			opts.Paths = append(opts.Paths, path)
		}
		s, err := bt.OpenFiles(t.Context(), m, opts)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("files", func(t *testing.T) {
		storagetest.Run(t, func(t *testing.T, m *bt.Metainfo) bt.Storage { return open(t, m, nil) })
	})
	t.Run("some files", func(t *testing.T) {
		storagetest.Run(t, func(t *testing.T, m *bt.Metainfo) bt.Storage { return open(t, m, map[int]bool{1: true, 3: true}) })
	})
	t.Run("memory", func(t *testing.T) {
		storagetest.Run(t, func(t *testing.T, m *bt.Metainfo) bt.Storage { return storagetest.NewMemory(m) })
	})
}
