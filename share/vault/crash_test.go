package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecureCrash ends a change at each of its steps: what is there then is the store before or after it, whole.
func TestSecureCrash(t *testing.T) {
	t.Parallel()
	all := some(t)
	used := func(s Secret) bool { return s.Is(all[0].Secret) }
	for _, c := range []struct {
		name   string
		before []Change
		change Change
	}{
		{"first password", nil, Change{New: password, Used: used}},
		{"first password, lock", nil, Change{New: password, Lock: true}},
		{"other password", []Change{{New: "old", Used: used}}, Change{Old: "old", New: password, Used: used}},
		{"lock on", []Change{{New: "old", Used: used}}, Change{Old: "old", New: password, Lock: true}},
		{"lock off", []Change{{New: "old", Lock: true}}, Change{Old: "old", Used: used}},
	} {
		for at, more := 0, true; more; at++ {
			v := newVault(t)
			fill(t, v, all)
			for _, b := range c.before {
				if err := v.Secure(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			var step string
			step, more = crashAt(t, v, at, c.change)
			again := AtCost(v.dir, 4)
			var list []Entry
			for _, p := range []string{"old", password} {
				if l, err := again.Read(p); err == nil {
					list = l
				}
			}
			if labels(list) != labels(all) {
				t.Fatalf("%s: after a crash at %q neither store is there: %s", c.name, step, labels(list))
			}
			wantPrivate(t, v.dir)
			// and the change can be made all the same
			for _, old := range []string{"old", password} {
				redo := c.change
				if redo.Old = old; redo.New == "" {
					redo.New = "old"
				}
				if err := again.Secure(t.Context(), redo); err == nil {
					break
				}
			}
			wantRead(t, again, cmpOr(c.change.New, "old"), all)
		}
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// crashAt makes a change that ends at its step number at. more is false when it has fewer.
func crashAt(t *testing.T, v *Vault, at int, c Change) (step string, more bool) {
	t.Helper()
	v.step = func(s string) {
		if at--; at < 0 {
			step = s
			panic(errCrash)
		}
	}
	defer func() {
		v.step = func(string) {}
		if p := recover(); p != nil {
			if p != any(errCrash) {
				panic(p)
			}
			more = true
		}
	}()
	if err := v.Secure(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return "", false
}

var errCrash = errors.New("crash")

// wantPrivate checks that nobody else can read anything.
func wantPrivate(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := d.Info()
		if err == nil && i.Mode().Perm()&0o077 != 0 {
			t.Errorf("others can read %s: %v", path, i.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPanic ends a process in the middle of a change, by a panic: neither what it says nor what it leaves has secrets.
func TestPanic(t *testing.T) {
	if dir := os.Getenv("SHOAL_TEST_PANIC"); dir != "" {
		v := AtCost(dir, 4)
		v.step = func(step string) {
			if step == "rename "+nameAge {
				panic("in the middle")
			}
		}
		_ = v.Secure(t.Context(), Change{Old: password, New: "another " + password, Lock: true})
		t.Fatal("it did not panic")
	}
	t.Parallel()
	v, all := newVault(t), some(t)
	fill(t, v, all)
	if err := v.Secure(t.Context(), Change{New: password, Lock: true}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPanic$", "-test.v")
	cmd.Env = append(os.Environ(), "SHOAL_TEST_PANIC="+v.dir, "GOTRACEBACK=all")
	said, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(said, []byte("in the middle")) {
		t.Fatalf("%v: %s", err, said)
	}
	text := strings.ToLower(string(said) + readAll(t, v.dir))
	for _, e := range all {
		if strings.Contains(text, e.Secret.Text()) || strings.Contains(text, hex.EncodeToString(e.Secret.Seed[:])) && e.Secret.Kind == Node {
			t.Errorf("the secret of %s is shown", e.Label)
		}
	}
	for _, canary := range []string{password, "aaaaaaaaaaaaaaaa", hex.EncodeToString([]byte("aaaaaaaa")), "0x61, 0x61, 0x61"} {
		if strings.Contains(text, canary) {
			t.Errorf("%q is shown: %s", canary, said)
		}
	}
	wantRead(t, v, password, all)
}
