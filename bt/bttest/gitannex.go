package bttest

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// NewGitAnnex is the folder that has the git-annex of make peers-new, to be put before PATH; "" when it is not there, which
// is an error where SHOAL_REQUIRE_NEW is set.
func NewGitAnnex() (dir string, err error) {
	_, file, _, _ := runtime.Caller(0)
	dir = filepath.Join(filepath.Dir(file), "..", "..", "build", "peers", "git-annex-new", "bin")
	if _, err := os.Stat(filepath.Join(dir, "git-annex")); err == nil {
		return dir, nil
	}
	if os.Getenv("SHOAL_REQUIRE_NEW") != "" {
		return "", errors.New("there is no new git-annex: make peers-new brings it")
	}
	return "", nil
}
