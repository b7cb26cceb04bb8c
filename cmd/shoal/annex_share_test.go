package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shoal/bt/bttest"
)

// TestBigTestremote runs all tests that git-annex has for special remotes against a share. They go through chunk sizes and
// encryption by themselves; with SHOAL_BIG they do so for remotes that are set up with those, too.
func TestBigTestremote(t *testing.T) {
	t.Parallel()
	bttest.Need(t, "git", "git-annex")
	configs := [][]string{{"encryption=none"}}
	if os.Getenv("SHOAL_BIG") != "" {
		configs = append(configs, []string{"encryption=none", "chunk=100KiB"}, []string{"encryption=shared"}, []string{"encryption=shared", "chunk=100KiB"})
	}
	for _, config := range configs {
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

// A repository is one of git, with a home of its own.
type repository struct {
	t   *testing.T
	dir string
	env []string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	home := t.TempDir()
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
	r := &repository{t, filepath.Join(home, "repository"), append(os.Environ(), "HOME="+home, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=",
		"PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "SHOAL_NO_DHT=1", "SHOAL_LISTEN=127.0.0.1", "SHOAL_LPD=0",
		"GIT_CONFIG_GLOBAL="+filepath.Join(home, "config"), "GIT_CONFIG_NOSYSTEM=1")}
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", home).Run() }) // git-annex takes that from its objects
	if err := os.Mkdir(r.dir, 0o755); err != nil {
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
