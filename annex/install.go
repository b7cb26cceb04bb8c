package annex

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"shoal/annex/backend"
	"shoal/bt"
)

// The names under which other programs start shoal.
const (
	RemoteProgram = "git-annex-remote-shoal"
	P2PProgram    = "git-annex-p2p-shoal"
	Aria2Program  = "aria2c" // what the bittorrent remote of git-annex starts
)

// Programs are the names that git-annex looks for.
func Programs() []string {
	names := []string{RemoteProgram, P2PProgram}
	for _, b := range backend.All {
		names = append(names, b.Program())
	}
	return names
}

// Install makes symbolic links to program, which is absolute, in the folder dir, under the names that git-annex looks
// for. With aria2c it also makes one under that name. What is there and is no link to a shoal is Exists.
func Install(program, dir string, aria2c bool) (links []string, err error) {
	names := Programs()
	if aria2c {
		names = append(names, Aria2Program)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := link(program, path); err != nil {
			return links, err
		}
		links = append(links, path)
	}
	return links, nil
}

// link makes path a link to program.
func link(program, path string) error {
	old, err := os.Readlink(path)
	switch {
	case err == nil && old == program:
		return nil
	case err == nil && filepath.Base(old) == filepath.Base(program): // of a shoal that was elsewhere
		if err := os.Remove(path); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return &bt.Error{Code: bt.Exists, Err: fmt.Errorf("linking %s: something else is there", path),
			Advice: "name another folder that PATH has"}
	}
	return os.Symlink(program, path)
}
