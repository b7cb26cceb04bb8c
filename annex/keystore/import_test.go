package keystore

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/annex/protocol/protocoltest"
	"shoal/share/api"
)

// TestImport: the tree of a share is told with keys that follow from what the share says, fetched or not.
func TestImport(t *testing.T) {
	t.Parallel()
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte("ab")))
	big := strings.Repeat("0f", 32)
	small, large := "SHA256-s2--"+hash, "XSHOAL-s600000--"+big
	for name, form := range protocoltest.Forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, f := treeOf(t, form, func(f *fake) {
				f.tree = []api.FileInfo{{Path: "d e", Type: "dir"}, {Path: "d e/ü [1]", Type: "file", Size: 2, Hash: hash, Present: true},
					{Path: "big", Type: "file", Size: 600_000, Hash: big}, {Path: "empty", Type: "file"}, {Path: "link", Type: "symlink", Target: "x"},
					{Path: "mine", Type: "file", Size: 2, Local: true, Present: true}, {Path: "no\nname", Type: "file", Size: 2, Hash: hash}}
				f.files["big"], f.promises = false, 1
				f.get = func(path, _ string) error {
					return os.WriteFile(filepath.Join(f.info.Dir, path), make([]byte, 600_000), 0o644)
				}
			})
			if err := os.Mkdir(filepath.Join(f.info.Dir, "d e"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(f.info.Dir, "d e", "ü [1]"), []byte("ab"))
			to := filepath.Join(t.TempDir(), "to")
			c.Play("< IMPORTSUPPORTED\n> IMPORTSUPPORTED-SUCCESS\n< LISTIMPORTABLECONTENTS\n" +
				"> IMPORTABLECONTENT 2 d e/ü [1]\n> IMPORTABLECONTENTIDENTIFIER " + hash + "\n" +
				"> IMPORTABLECONTENT 600000 big\n> IMPORTABLECONTENTIDENTIFIER " + big + "\n" +
				"> IMPORTABLECONTENT 0 empty\n> IMPORTABLECONTENTIDENTIFIER empty\n> LISTIMPORTABLECONTENTS-SUCCESS\n" +
				"< IMPORT d e/ü [1]\n< IMPORTKEY 2 " + hash + "\n> IMPORTKEY-SUCCESS " + small + "\n" +
				"< IMPORT big\n< IMPORTKEY 600000 " + big + "\n> IMPORTKEY-SUCCESS " + large + "\n" +
				"< IMPORT empty\n< IMPORTKEY 0 empty\n> IMPORTKEY-SUCCESS SHA256-s0--e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n" +
				"< IMPORT big\n< IMPORTKEY 600000 " + big[1:] + "\n> IMPORTKEY-FAILURE an id that is not of a share\n" +
				"< IMPORT d e/ü [1]\n< RETRIEVEIMPORT " + to + "\n> RETRIEVEIMPORT-SUCCESS\n" +
				"< IMPORT .shoal/id\n< RETRIEVEIMPORT " + to + "\n> RETRIEVEIMPORT-FAILURE a share has no file…\n" +
				"< IMPORT d e/ü [1]\n< CHECKPRESENTIMPORT " + small + "\n> CHECKPRESENT-SUCCESS " + small + "\n" +
				"< IMPORT d e/ü [1]\n< CHECKPRESENTIMPORT SHA256E-s2--00.txt\n> CHECKPRESENT-FAILURE SHA256E-s2--00.txt\n" +
				"< IMPORT none\n< CHECKPRESENTIMPORT " + small + "\n> CHECKPRESENT-FAILURE " + small + "\n" +
				"< IMPORT big\n< CHECKPRESENTIMPORT " + large + "\n> CHECKPRESENT-SUCCESS " + large + "\n")
			if b, err := os.ReadFile(to); err != nil || string(b) != "ab" {
				t.Errorf("it brought %q, %v", b, err)
			}
			c.Play("< IMPORT big\n< RETRIEVEIMPORT " + to + "\n> RETRIEVEIMPORT-SUCCESS\n")
			if err := c.End(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestImportOfNothing: a share that has met nobody is not empty.
func TestImportOfNothing(t *testing.T) {
	t.Parallel()
	c, _ := treeOf(t, protocoltest.Plain, func(f *fake) { f.listed = false })
	c.Play("< LISTIMPORTABLECONTENTS\n> LISTIMPORTABLECONTENTS-FAILURE the share keys has met no other machine yet…\n")
	if err := c.End(); err != nil {
		t.Error(err)
	}
}
