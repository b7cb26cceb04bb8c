package node

import (
	"os"
	"path/filepath"
	"testing"

	"shoal/share/api"
)

// A node whose user renames a file while it runs comes to rest again: others would wait for it forever.
func TestRenamedWhileRunning(t *testing.T) {
	t.Parallel()
	m := founder(t, map[string]string{"from": "content", "kept": "kept"})
	if err := os.Rename(filepath.Join(m.dir, "from"), filepath.Join(m.dir, "to")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "an event", func() bool { list := m.ls(""); return len(list) == 2 && list[1] == "file to here" })
	m.settled()
}

// Who gets a rename and nothing else is done with both names.
func TestRenameComes(t *testing.T) {
	t.Parallel()
	m := founder(t, map[string]string{"from": "content", "kept": "kept"})
	j := m.joiner("joiner", "write", api.ShareConfig{})
	if err := os.Rename(filepath.Join(m.dir, "from"), filepath.Join(m.dir, "to")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a rename", func() bool { return j.has("to") && !j.has("from") })
	j.settled()
	m.inSync()
}

// What a user does in directories that came from others is seen, too.
func TestChangesInDirectoriesThatCame(t *testing.T) {
	t.Parallel()
	m := founder(t, map[string]string{"d/e/one": "content", "d/e/two": "content two"})
	j := m.joiner("joiner", "write", api.ShareConfig{})
	waitFor(t, "the files", func() bool { return j.has("d/e/one") && j.has("d/e/two") })
	j.settled()
	j.write("d/e/three", "of the joiner")
	if err := os.Rename(filepath.Join(j.dir, "d/e/one"), filepath.Join(j.dir, "moved")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "changes", func() bool { return m.has("d/e/three") && m.has("moved") && !m.has("d/e/one") })
}
