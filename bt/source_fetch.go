package bt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// cleanSourceURL is a URL that the user gave: other than a tracker's it may carry a user name and password.
func cleanSourceURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		var uerr *url.Error
		if errors.As(err, &uerr) {
			err = uerr.Err
		}
		return "", err
	}
	user := u.User
	u.User = nil
	if u, err = sanitizeURL(u.String(), webSchemes); err != nil {
		return "", err
	}
	u.User = user
	return u.String(), nil
}

// fetch reads the metainfo from s.URL.
func (s *Source) fetch(ctx context.Context, opts LoadOptions) (*Metainfo, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return nil, errorf(BadInput, "fetching the metainfo: %w", err)
	}
	if opts.UserAgent != "" {
		req.Header.Set("User-Agent", opts.UserAgent)
	}
	shown := req.URL.Redacted()
	resp, err := cmp.Or(opts.HTTP, http.DefaultClient).Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("fetching %s: %w", shown, context.Cause(ctx))
		}
		return nil, fetchError(shown, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 500:
		return nil, errorf(Network, "fetching %s: the server answered %s", shown, resp.Status)
	case resp.StatusCode != http.StatusOK:
		return nil, errorf(BadInput, "fetching %s: the server answered %s", shown, resp.Status)
	}
	m, err := ReadMetainfo(resp.Body)
	switch {
	case err == nil:
		return m, nil
	case CodeOf(err) == BadInput:
		return nil, fmt.Errorf("reading %s: %w", shown, err)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("fetching %s: %w", shown, context.Cause(ctx))
	}
	return nil, errorf(Network, "fetching %s: %w", shown, err)
}

// fetchError is why the URL shown was not answered. Some sites send those who ask for a .torrent on to a magnet.
func fetchError(shown string, err error) error {
	var at *url.Error
	if errors.As(err, &at) && isMagnet(at.URL) {
		return errorf(BadInput, "fetching %s: it leads to a magnet, not to a .torrent", shown).
			withHint("download that instead: '" + strings.ReplaceAll(at.URL, "'", "%27") + "'")
	}
	return errorf(Network, "fetching the metainfo: %w", err)
}
