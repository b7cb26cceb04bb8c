package p2p

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shoal/bt"
	"shoal/share/wire"
)

// keyFile is where the key of a repository is, in its git directory. git-annex keeps its own secrets there.
const keyFile = "annex/creds/shoal-p2p"

// MakeKey is the key that the repository with a git directory listens with; it is made when there is none.
func MakeKey(gitDir string) (wire.TunnelKey, error) {
	key, err := LoadKey(gitDir)
	if bt.CodeOf(err) != bt.NotFound {
		return key, err
	}
	if key, err = wire.NewTunnelKey(); err != nil {
		return key, err
	}
	path := filepath.Join(gitDir, filepath.FromSlash(keyFile))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return key, err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "shoal-p2p-") // 0600
	if err != nil {
		return key, err
	}
	_, err = temp.WriteString(hex.EncodeToString(key[:]) + "\n")
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Link(temp.Name(), path) // of two that make one at once, the first
	}
	if err = errors.Join(err, os.Remove(temp.Name())); errors.Is(err, fs.ErrExist) {
		return LoadKey(gitDir)
	}
	return key, err
}

// LoadKey is the key of a repository; NotFound when it has none.
func LoadKey(gitDir string) (key wire.TunnelKey, err error) {
	b, err := os.ReadFile(filepath.Join(gitDir, filepath.FromSlash(keyFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return key, &bt.Error{Code: bt.NotFound, Err: errors.New("the repository does not listen by shoal"),
			Advice: "\"git annex p2p --enable shoal\" makes an address for it"}
	}
	if err != nil {
		return key, err
	}
	text, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(text) != len(key) {
		return key, fmt.Errorf("%s in the git directory is no key", keyFile) // and no word of what it is
	}
	return wire.TunnelKey(text), nil
}
