package keystore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/annex/protocol/protocoltest"
	"shoal/bt"
	"shoal/share/api"
	"shoal/share/disk"
)

// two and its like are keys of content that long.
const two, three = Key("SHA256E-s2--aa.txt"), Key("SHA256E-s3--bb.txt")

// treeOf starts a remote in the share of a fake, and prepares it.
func treeOf(t *testing.T, form string, change func(f *fake)) (*protocoltest.Conversation, *fake) {
	t.Helper()
	s, f := storeOf(t, nil)
	if change != nil {
		change(f)
	}
	r := &Remote{Open: s.opts.Open}
	c := protocoltest.Start(t, r, t.TempDir(), form)
	c.Play("< PREPARE\n> GETCONFIG share\n< VALUE keys\n> GETCONFIG shareid\n< VALUE \n> GETCONFIG copies\n< VALUE \n> GETCONFIG thin\n< VALUE \n> GETUUID\n< VALUE " +
		repository + "\n> PREPARE-SUCCESS\n")
	return c, f
}

// TestExport: what is exported has its name in the folder; renames, removals and folders; and the end announces it.
func TestExport(t *testing.T) {
	t.Parallel()
	for name, form := range protocoltest.Forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, f := treeOf(t, form, nil)
			announced := 0
			f.news = func() { announced++ }
			src := t.TempDir()
			a, b := write(t, filepath.Join(src, "a"), []byte("ab")), write(t, filepath.Join(src, "b c"), []byte("abc"))
			c.Play("< EXPORTSUPPORTED\n> EXPORTSUPPORTED-SUCCESS\n" +
				"< EXPORT d e/ü [1].txt\n< CHECKPRESENTEXPORT " + string(two) + "\n> CHECKPRESENT-FAILURE " + string(two) + "\n" +
				"< EXPORT d e/ü [1].txt\n< TRANSFEREXPORT STORE " + string(two) + " " + a + "\n> TRANSFER-SUCCESS STORE " + string(two) + "\n" +
				"< EXPORT -x\n< TRANSFEREXPORT STORE " + string(three) + " " + b + "\n> TRANSFER-SUCCESS STORE " + string(three) + "\n" +
				"< EXPORT -x\n< TRANSFEREXPORT STORE " + string(two) + " " + b + "\n> TRANSFER-FAILURE…\n" +
				"< EXPORT d e/ü [1].txt\n< CHECKPRESENTEXPORT " + string(two) + "\n> CHECKPRESENT-SUCCESS " + string(two) + "\n")
			onDisk(t, f, "d e/ü [1].txt", "ab")
			onDisk(t, f, "-x", "abc")
			if info, err := os.Stat(filepath.Join(f.info.Dir, "-x")); err != nil || info.Mode() != 0o644 {
				t.Errorf("it has mode %v, %v", info.Mode(), err)
			}
			c.Play("< EXPORT -x\n< RENAMEEXPORT " + string(three) + " .git-annex-tmp-content-" + string(three) + "\n> RENAMEEXPORT-SUCCESS " + string(three) + "\n" +
				"< EXPORT d e/ü [1].txt\n< RENAMEEXPORT " + string(two) + " -x\n> RENAMEEXPORT-SUCCESS " + string(two) + "\n" +
				"< REMOVEEXPORTDIRECTORY d e\n> REMOVEEXPORTDIRECTORY-SUCCESS\n< REMOVEEXPORTDIRECTORY d e\n> REMOVEEXPORTDIRECTORY-SUCCESS\n")
			onDisk(t, f, "-x", "ab")
			onDisk(t, f, "d e", "")
			if names, _ := os.ReadDir(f.info.Dir); len(names) != 2 {
				t.Errorf("the folder has %v, not -x and its own", names)
			}
			c.Play("< EXPORT .git-annex-tmp-content-" + string(three) + "\n< RENAMEEXPORT " + string(three) + " g/h i/j\n> RENAMEEXPORT-SUCCESS " + string(three) + "\n" +
				"< EXPORT g/h i/j\n< TRANSFEREXPORT RETRIEVE " + string(three) + " back\n> TRANSFER-SUCCESS RETRIEVE " + string(three) + "\n" +
				"< EXPORT -x\n< REMOVEEXPORT " + string(two) + "\n> REMOVE-SUCCESS " + string(two) + "\n" +
				"< EXPORT -x\n< REMOVEEXPORT " + string(two) + "\n> REMOVE-SUCCESS " + string(two) + "\n" +
				"< EXPORT ../x\n< TRANSFEREXPORT STORE " + string(two) + " " + a + "\n> TRANSFER-FAILURE STORE " + string(two) + " a share has no file…\n" +
				"< EXPORT .shoal/id\n< REMOVEEXPORT " + string(two) + "\n> REMOVE-FAILURE " + string(two) + " a share has no file…\n")
			onDisk(t, f, "g/h i/j", "abc")
			onDisk(t, f, "-x", "")
			if err := c.End(); err != nil || announced != 1 {
				t.Errorf("%d announced, %v", announced, err)
			}
		})
	}
}

// onDisk checks what the folder has under a name; "" is nothing.
func onDisk(t *testing.T, f *fake, name, want string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(f.info.Dir, filepath.FromSlash(name)))
	if want == "" && errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil || string(b) != want {
		t.Errorf("%s has %q, %v, and not %q", name, b, err, want)
	}
}

// TestExportSparesOthers: what somebody else put in the place of a file, or beside it, stays; a reader changes nothing;
// nothing is announced when nothing has changed.
func TestExportSparesOthers(t *testing.T) {
	t.Parallel()
	c, f := treeOf(t, protocoltest.Plain, nil)
	f.news = func() { t.Error("announced") }
	dir := f.info.Dir
	if err := os.MkdirAll(filepath.Join(dir, "d", "e", "f"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "d", "a"), []byte("other"))
	c.Play("< EXPORT d/a\n< CHECKPRESENTEXPORT " + string(two) + "\n> CHECKPRESENT-FAILURE " + string(two) + "\n")
	if err := c.End(); err != nil {
		t.Error(err)
	}

	c, f = treeOf(t, protocoltest.Plain, func(f *fake) { f.info.Dir = dir })
	c.Play("< EXPORT d/a\n< REMOVEEXPORT " + string(two) + "\n> REMOVE-SUCCESS " + string(two) + "\n" +
		"< EXPORT d/a\n< RENAMEEXPORT " + string(two) + " b\n> INFO…\n> RENAMEEXPORT-FAILURE " + string(two) + "\n" +
		"< EXPORT d/none\n< RENAMEEXPORT " + string(two) + " b\n> INFO…\n> RENAMEEXPORT-FAILURE " + string(two) + "\n" +
		"< REMOVEEXPORTDIRECTORY d\n> REMOVEEXPORTDIRECTORY-SUCCESS\n")
	onDisk(t, f, "d/a", "other")
	onDisk(t, f, "d/e", "")
	if err := c.End(); err != nil {
		t.Error(err)
	}

	c, _ = treeOf(t, protocoltest.Plain, func(f *fake) { f.info.Dir, f.info.Role = dir, "read" })
	c.Play("< EXPORT d/a\n< REMOVEEXPORT " + string(two) + "\n> REMOVE-FAILURE " + string(two) + " the share keys is read-only here…\n" +
		"< EXPORT d/a\n< RENAMEEXPORT " + string(two) + " b\n> INFO the share keys is read-only…\n> RENAMEEXPORT-FAILURE " + string(two) + "\n" +
		"< REMOVEEXPORTDIRECTORY d\n> INFO…\n> REMOVEEXPORTDIRECTORY-FAILURE\n")
	if err := c.End(); err != nil {
		t.Error(err)
	}
}

// TestExportElsewhere: a file that only others have is present when one promises it, can be had, and is not renamed.
func TestExportElsewhere(t *testing.T) {
	t.Parallel()
	s, f := storeOf(t, func(_ *Options, f *fake) { f.info.Config = api.ShareConfig{OnDemand: true} })
	f.files["d/a"], f.promises = false, 1
	f.get = func(path, out string) error { return os.WriteFile(out, []byte("ab"), 0o644) }
	at := s.At("d/a")
	if ok, _, err := at.Has(t.Context(), two); !ok || err != nil {
		t.Errorf("it is present: %v, %v", ok, err)
	}
	if err := at.Rename(t.Context(), two, "b"); bt.CodeOf(err) != api.Denied || !strings.Contains(err.Error(), "share get keys:d/a") {
		t.Errorf("renaming it says %v", err)
	}
	to := filepath.Join(t.TempDir(), "to")
	if err := at.Get(t.Context(), two, to, nil); err != nil {
		t.Error(err)
	}
}

// TestAnnounceAlone: nobody may be there to hear it.
func TestAnnounceAlone(t *testing.T) {
	t.Parallel()
	s, _ := storeOf(t, nil)
	if err := s.Announce(context.Background()); err != nil {
		t.Error(err)
	}
}

// FuzzTreeName: a name that a tree may have leads to a file of its own in the share, and never to what is shoal's.
func FuzzTreeName(f *testing.F) {
	for _, s := range []string{"a", "a/b c", "../a", "/a", "a//b", ".shoal/id", ".Shoal", ".shoal/annex/moved/x", ".git-annex-tmp-content-K/../..",
		".git-annex-tmp-content-SHA1--a", "a/.git-annex-tmp-content-b", "u\u0308", ".", "a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		p, err := treePath(name)
		if err != nil {
			return
		}
		own := strings.HasPrefix(p, disk.Dir+"/")
		switch {
		case !disk.ValidPath(p) || p == ".":
			t.Errorf("%q is at %q", name, p)
		case own && (!strings.HasPrefix(name, moving) || strings.Contains(p[len(moved)+1:], "/")):
			t.Errorf("%q is at %q, among what is shoal's", name, p)
		case !own && p != name:
			t.Errorf("%q is at %q", name, p)
		}
	})
}
