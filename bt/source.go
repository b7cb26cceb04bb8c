package bt

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// A Source is what a user names a torrent by. Exactly one of Magnet, URL, Path and Stdin is set.
type Source struct {
	Arg    string // as given
	Magnet *Magnet
	URL    string // http or https, of a .torrent
	Path   string // of a .torrent file
	Stdin  bool   // a .torrent on standard input
}

// ParseSource tells what arg is: a magnet, an http or https URL, a bare infohash (40 or 64 hexadecimal digits, or 32 of
// base32), "-" for standard input, else the path of a .torrent file. What looks like an infohash but is the name of a
// file is the file. Only the file system is looked at. Errors are of class BadInput.
func ParseSource(arg string) (*Source, error) {
	s := &Source{Arg: arg}
	trimmed := strings.TrimSpace(arg)
	scheme, _, hasScheme := strings.Cut(trimmed, "://")
	scheme = strings.ToLower(scheme)
	switch {
	case trimmed == "":
		return nil, errorf(BadInput, "an empty source names no torrent")
	case arg == "-":
		s.Stdin = true
	case isMagnet(trimmed):
		m, err := ParseMagnet(trimmed)
		if err != nil {
			return nil, err
		}
		s.Magnet = m
	case hasScheme && (scheme == "http" || scheme == "https"):
		u, err := cleanSourceURL(trimmed)
		if err != nil {
			return nil, errorf(BadInput, "parsing URL %q: %w", clip(arg), err)
		}
		s.URL = u
	case fileExists(arg):
		s.Path = arg
	default:
		return s.parseHash(trimmed, hasScheme)
	}
	return s, nil
}

// parseHash takes what is no file: an infohash, or a path that does not exist, which is reported when it is opened.
func (s *Source) parseHash(arg string, hasScheme bool) (*Source, error) {
	if h, err := ParseInfoHash(arg); err == nil && !h.IsZero() {
		s.Magnet = &Magnet{InfoHash: h}
		return s, nil
	}
	if h, err := ParseInfoHashV2(arg); err == nil && !h.IsZero() {
		s.Magnet = &Magnet{InfoHashV2: h}
		return s, nil
	}
	if hasScheme {
		return nil, errorf(BadInput, "parsing source %q: it is neither a magnet nor an http or https URL", clip(arg))
	}
	if strings.ContainsRune(s.Arg, 0) {
		return nil, errorf(BadInput, "parsing source %q: a path has no NUL", clip(arg))
	}
	s.Path = s.Arg
	return s, nil
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// hashHint is advice for a file that is not there when its name may be meant for an infohash; "" otherwise.
func hashHint(name string) string {
	if len(name) < 28 || strings.Trim(name, "0123456789abcdefABCDEF") != "" {
		return ""
	}
	return fmt.Sprintf("an infohash has 40 or 64 hexadecimal digits; this has %d", len(name))
}

// LoadOptions say where Load reads from. The zero value reads standard input as empty, and fetches with
// http.DefaultClient.
type LoadOptions struct {
	Stdin     io.Reader
	HTTP      *http.Client
	UserAgent string // "" = that of net/http
}

// Load reads the metainfo that s names by file, URL or standard input, up to 256 MiB. A magnet has none to load: that
// is a Usage error. A URL that answers with 4xx, or with something else than a metainfo, is BadInput; one that cannot be
// reached or answers with 5xx is Network; a file that is not there is BadInput.
func (s *Source) Load(ctx context.Context, opts LoadOptions) (*Metainfo, error) {
	switch {
	case s.Magnet != nil:
		return nil, errorf(Usage, "reading %s: a magnet has no metainfo of its own", clip(s.Arg))
	case s.URL != "":
		return s.fetch(ctx, opts)
	case s.Stdin && opts.Stdin == nil:
		opts.Stdin = bytes.NewReader(nil)
		fallthrough
	case s.Stdin:
		m, err := unlessDone(ctx, func() (*Metainfo, error) { return ReadMetainfo(opts.Stdin) })
		if err != nil {
			return nil, fmt.Errorf("reading standard input: %w", err)
		}
		return m, nil
	}
	return s.open()
}

func (s *Source) open() (*Metainfo, error) {
	f, err := os.Open(s.Path)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, errorf(BadInput, "%w", err).withHint(hashHint(s.Path))
		}
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errorf(BadInput, "reading %s: it is a folder", s.Path)
	}
	m, err := ReadMetainfo(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.Path, err)
	}
	return m, nil
}

// unlessDone is what f returns, or the cause of ctx when that is done first. f is for a caller's reader or writer, which
// may block for good: a call of it that does so is left behind.
func unlessDone[T any](ctx context.Context, f func() (T, error)) (T, error) {
	var v T
	var err error
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		v, err = f()
	}()
	select {
	case <-returned:
		return v, err
	case <-ctx.Done():
		var zero T
		return zero, context.Cause(ctx)
	}
}
