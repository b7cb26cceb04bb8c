package annex

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"shoal/bt"
)

// maxFileNumber bounds the n of URL#n: there are no torrents of more files.
const maxFileNumber = 1 << 20

// A TorrentURL is a URL that git-annex may have recorded for a torrent, or for a file of one: a magnet, an http or https
// URL whose path ends in .torrent, the absolute path of a .torrent file, or one of our own, which no other remote claims:
// "shoal:" with the query of a magnet, with an infohash, or with an http or https URL, as "shoal:?xs=" and the URL when
// that ends in .torrent: git-annex claims whatever ends so. "#n" at the end names file n of the torrent's list, as
// git-annex itself does it.
type TorrentURL struct {
	Base string // without #n
	File int    // n; 0 = all of the torrent
	src  *bt.Source
}

var errNoTorrent = errors.New("not the URL of a torrent")

// ParseTorrentURL reads a URL. Nothing but its text is looked at.
func ParseTorrentURL(s string) (*TorrentURL, error) {
	u := &TorrentURL{Base: s}
	if i := strings.LastIndexByte(s, '#'); i >= 0 {
		n, err := strconv.ParseUint(s[i+1:], 10, 32)
		if err != nil || n == 0 || n > maxFileNumber || s[i+1] == '0' {
			return nil, errNoTorrent
		}
		u.Base, u.File = s[:i], int(n)
	}
	var err error
	u.src, err = sourceOf(u.Base)
	return u, err
}

func sourceOf(s string) (*bt.Source, error) {
	scheme, rest, _ := strings.Cut(s, ":")
	switch scheme {
	case "magnet":
		return bt.ParseSource(s)
	case "http", "https":
		return webSource(s, true)
	case "shoal":
		return ownSource(rest)
	}
	if path.IsAbs(s) && strings.HasSuffix(strings.ToLower(s), ".torrent") && !strings.ContainsRune(s, 0) {
		return &bt.Source{Arg: s, Path: filepath.FromSlash(s)}, nil
	}
	return nil, errNoTorrent
}

// ownSource is what follows "shoal:".
func ownSource(s string) (*bt.Source, error) {
	switch {
	case strings.HasPrefix(s, "?xs="):
		u, err := url.QueryUnescape(s[len("?xs="):])
		if err != nil || strings.Contains(s, "&") {
			return nil, errNoTorrent
		}
		return webSource(u, false)
	case strings.HasPrefix(s, "?"):
		return bt.ParseSource("magnet:" + s)
	case strings.HasPrefix(s, "http://"), strings.HasPrefix(s, "https://"):
		return webSource(s, false)
	case strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return nil, errNoTorrent
	}
	if h, err := bt.ParseInfoHash(s); err == nil && !h.IsZero() {
		return &bt.Source{Arg: s, Magnet: &bt.Magnet{InfoHash: h}}, nil
	}
	if h, err := bt.ParseInfoHashV2(s); err == nil && !h.IsZero() {
		return &bt.Source{Arg: s, Magnet: &bt.Magnet{InfoHashV2: h}}, nil
	}
	return nil, errNoTorrent
}

// ownURL is the URL of ours for that of a .torrent.
func ownURL(s string) string {
	return "shoal:?xs=" + strings.NewReplacer("%3A", ":", "%2F", "/").Replace(url.QueryEscape(s))
}

// webSource is a URL of a .torrent. What other remotes might fetch as well must say by its name that it is one.
func webSource(s string, named bool) (*bt.Source, error) {
	u, err := url.Parse(s)
	if err != nil || named && !strings.HasSuffix(strings.ToLower(u.Path), ".torrent") {
		return nil, errNoTorrent
	}
	src, err := bt.ParseSource(s)
	if err != nil || src.URL == "" {
		return nil, cmp.Or(err, errNoTorrent)
	}
	return src, nil
}

// id is equal for URLs of the same torrent, as far as their texts tell.
func (u *TorrentURL) id() string {
	if g := u.src.Magnet; g != nil {
		if g.InfoHash.IsZero() {
			return g.InfoHashV2.Short().String() // the name under which bt remembers it, too
		}
		return g.InfoHash.String()
	}
	h := sha256.Sum256([]byte(u.Base))
	return "url-" + hex.EncodeToString(h[:16])
}

// file is the index of the file that u names.
func (u *TorrentURL) file(m *bt.Metainfo) (int, error) {
	if u.File == 0 {
		if len(m.Files) == 1 {
			return 0, nil
		}
		return 0, fmt.Errorf("the torrent %s has %d files; the URL of one ends in #n", m.Name, len(m.Files))
	}
	for i := range m.Files {
		if m.Files[i].Number == u.File {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the torrent %s has no file %d", m.Name, u.File)
}

// at is the URL of file n of the torrent.
func (u *TorrentURL) at(n int) string { return u.Base + "#" + strconv.Itoa(n) }

// keySize is the size that a key of git-annex says its content has (BACKEND-s123-m456--NAME); negative when it does not
// say.
func keySize(key string) int64 {
	head, _, ok := strings.Cut(key, "--")
	if !ok {
		return -1
	}
	for i, field := range strings.Split(head, "-") {
		if i > 0 && strings.HasPrefix(field, "s") {
			if n, err := strconv.ParseInt(field[1:], 10, 64); err == nil && n >= 0 {
				return n
			}
		}
	}
	return -1
}
