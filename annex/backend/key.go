package backend

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"shoal/bt"
	"shoal/share/blob"
)

// A Backend is a kind of key: NAME-sSIZE--HASH, where HASH is 64 hex digits.
type Backend struct {
	Name string // of upper-case letters and digits; begins with X, and does not end in E
	sum  func(ctx context.Context, r io.Reader, size int64, progress func(done int64)) ([32]byte, error)
}

// The backends.
var (
	// XBTV2 has the pieces root of BEP 52: what a v2 torrent says of a file.
	XBTV2 = Backend{"XBTV2", func(ctx context.Context, r io.Reader, _ int64, progress func(int64)) ([32]byte, error) {
		root, _, err := bt.PiecesRoot(ctx, r, progress)
		return root, err
	}}
	// XSHOAL has f: what a share says of a file (docs/shares.md §2.2).
	XSHOAL = Backend{"XSHOAL", func(ctx context.Context, r io.Reader, size int64, progress func(int64)) ([32]byte, error) {
		return blob.Sum(ctx, &counting{r: r, tell: progress}, size, 0)
	}}
)

// All are the backends, for who starts programs of their names.
var All = []Backend{XBTV2, XSHOAL}

// Program is the name that git-annex starts a backend under.
func (b Backend) Program() string { return "git-annex-backend-" + b.Name }

// Key is the key of content of size bytes with a hash.
func (b Backend) Key(size int64, hash [32]byte) string {
	return b.Name + "-s" + strconv.FormatInt(size, 10) + "--" + hex.EncodeToString(hash[:])
}

var errKey = errors.New("not a key of this backend")

// Parse reads a key. That of git-annex which ends in an extension has the name of the backend and E, and is not for us.
func (b Backend) Parse(key string) (size int64, hash [32]byte, err error) {
	rest, ok := strings.CutPrefix(key, b.Name+"-s")
	number, digits, ok2 := strings.Cut(rest, "--")
	if !ok || !ok2 || len(digits) != hex.EncodedLen(len(hash)) {
		return 0, hash, errKey
	}
	if size, err = strconv.ParseInt(number, 10, 64); err != nil || size < 0 {
		return 0, hash, errKey
	}
	if _, err := hex.Decode(hash[:], []byte(digits)); err != nil || b.Key(size, hash) != key {
		return 0, hash, errKey
	}
	return size, hash, nil
}

// Make is the key of the content of a file. progress is told the bytes that are done.
func (b Backend) Make(ctx context.Context, path string, progress func(done int64)) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no file", path)
	}
	hash, err := b.sum(ctx, f, info.Size(), progress)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return b.Key(info.Size(), hash), nil
}

// counting tells how much is read.
type counting struct {
	r    io.Reader
	done int64
	tell func(int64)
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done += int64(n)
	if n > 0 {
		c.tell(c.done)
	}
	return n, err
}
