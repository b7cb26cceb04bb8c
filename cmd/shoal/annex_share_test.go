package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shoal/bt/bttest"
)

// TestBigTestremote runs all tests that git-annex has for special remotes against a share: of a remote that has neither
// encryption nor chunks, and of those that have one or both. Of all of them it varies the sizes of keys and chunks itself.
func TestBigTestremote(t *testing.T) {
	t.Parallel()
	bttest.Need(t, "git", "git-annex", "gpg")
	for _, config := range [][]string{
		{"encryption=none"}, {"encryption=none", "chunk=100KiB"},
		{"encryption=shared"}, {"encryption=shared", "chunk=100KiB"},
	} {
		t.Run(strings.Join(config, ","), func(t *testing.T) {
			t.Parallel()
			r := newRepository(t)
			r.annex("init")
			r.annex(append([]string{"initremote", "keys", "type=external", "externaltype=shoal", "share=new"}, config...)...)
			if out := r.annex("testremote", "keys"); !strings.Contains(out, "All 573 tests passed") {
				t.Errorf("not all that there were when this was written:\n%s", out[max(0, len(out)-1000):])
			}
		})
	}
}

// gpgConf spares gpg what it does against people who guess passphrases, which git-annex does not have, for each of 40,000
// times that it is run: 200 ms of hashing, and asking an agent how much of it this machine can do in that time.
const gpgConf = `s2k-count 1088
no-autostart
no-random-seed-file
`

// A repository is one of git, with a home of its own, in memory where there is such a file system.
type repository struct {
	t   *testing.T
	dir string
	env []string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	home := memoryDir(t)
	bin := filepath.Join(home, "bin")
	program, err := os.Executable()
	if err == nil {
		err = os.Mkdir(bin, 0o755)
	}
	if err == nil {
		err = os.Symlink(program, filepath.Join(bin, "git-annex-remote-shoal"))
	}
	if err != nil {
		t.Fatal(err)
	}
	gpg := filepath.Join(home, ".gnupg")
	r := &repository{t, filepath.Join(home, "repository"), append(os.Environ(), "HOME="+home, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=",
		"GNUPGHOME="+gpg, "LC_ALL=C", // gpg opens 20 files for other languages
		"PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "SHOAL_NO_DHT=1", "SHOAL_LISTEN=127.0.0.1", "SHOAL_LPD=0",
		"GIT_CONFIG_GLOBAL="+filepath.Join(home, "config"), "GIT_CONFIG_NOSYSTEM=1")}
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", home).Run() }) // git-annex takes that from its objects
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(gpg, 0o700), os.WriteFile(filepath.Join(gpg, "gpg.conf"), []byte(gpgConf), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q"}, {"config", "user.name", "anna"}, {"config", "user.email", "anna@example.org"}} {
		r.run("git", args...)
	}
	return r
}

func (r *repository) annex(args ...string) string {
	r.t.Helper()
	return r.run("git", append([]string{"annex"}, args...)...)
}

func (r *repository) run(name string, args ...string) string {
	r.t.Helper()
	c := exec.CommandContext(r.t.Context(), name, args...)
	c.Dir, c.Env = r.dir, r.env
	out, err := c.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out[max(0, len(out)-5000):])
	}
	return string(out)
}
