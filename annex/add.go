package annex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"strings"

	"shoal/bt"
)

// AddOptions say what of a torrent to add, and where.
type AddOptions struct {
	Source  *bt.Source
	Torrent *bt.Metainfo
	Select  bt.Selection
	Dir     string // slash-separated, below the current folder; "" = the current folder
	Fast    bool   // only note where content is, and do not fetch it
	Remote  string // name of the remote; "" = the one that fetches torrents
}

// An Added is a file of a torrent that was added to a repository, or attached to what is in it.
type Added struct {
	Path    string  `json:"path"`
	Bytes   int64   `json:"bytes"`
	URL     string  `json:"url"`
	Key     string  `json:"key,omitempty"`
	Code    bt.Code `json:"code"`
	Message string  `json:"message,omitempty"`
}

// Add adds files of a torrent to the repository under their exact names, by git annex addurl.
func (r *Repository) Add(ctx context.Context, opts AddOptions) ([]Added, error) {
	if _, err := r.Torrents(ctx, opts.Remote); err != nil {
		return nil, err
	}
	args := []string{"annex", "addurl", "--batch", "--with-files", "--json", "--json-error-messages"}
	if opts.Fast {
		more, err := r.fastArgs(ctx)
		if err != nil {
			return nil, err
		}
		args = append(args, more...)
	}
	u, err := r.urlOf(opts.Source, opts.Torrent)
	if err != nil {
		return nil, err
	}
	picked, err := opts.Select.Match(opts.Torrent)
	if err != nil {
		return nil, err
	}
	var added []Added
	var lines strings.Builder
	for i, f := range opts.Torrent.Files {
		if !picked[i] {
			continue
		}
		a := Added{Path: placeOf(opts.Dir, opts.Torrent, &f), Bytes: f.Length, URL: u.at(f.Number), Code: bt.OK}
		if strings.ContainsAny(a.Path, "\r\n") {
			a.Code, a.Message = bt.BadInput, "git-annex cannot be told a name with a line break"
		} else {
			fmt.Fprintf(&lines, "%s %s\n", a.URL, a.Path)
		}
		added = append(added, a)
	}
	out, err := r.git(ctx, strings.NewReader(lines.String()), args...)
	if ctx.Err() != nil {
		return nil, err
	}
	if !r.judge(added, out) && err != nil {
		return added, err
	}
	return added, nil
}

// fastArgs are what addurl takes so that what it notes down can be fetched from an external remote later: the key must be
// one of the backend VURL, as git-annex takes a URL key from no external remote. That came in 2024 as an option, which the
// newest has no need of and takes still: whether it is there is asked, with nothing to add.
func (r *Repository) fastArgs(ctx context.Context) ([]string, error) {
	fast := []string{"--fast", "--verifiable"}
	_, err := r.git(ctx, strings.NewReader(""), append([]string{"annex", "addurl", "--batch"}, fast...)...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fast, err
	}
	v, err := r.Version(ctx)
	if err != nil {
		return nil, err
	}
	return nil, &bt.Error{Code: bt.Failed, Err: fmt.Errorf("git-annex %s would refuse to get what it adds without content", v),
		Advice: "leave --fast out, or install a git-annex whose addurl has --verifiable"}
}

// placeOf is where a file of a torrent goes.
func placeOf(dir string, m *bt.Metainfo, f *bt.File) string {
	if m.Dir {
		return path.Join(dir, m.Name, f.Path)
	}
	return path.Join(dir, f.Path)
}

// urlOf is the URL that a torrent gets in the repository, one that no other remote claims, and remembers its metainfo.
func (r *Repository) urlOf(src *bt.Source, m *bt.Metainfo) (*TorrentURL, error) {
	base := ownURL(src.URL)
	if src.URL == "" {
		g := bt.MagnetOf(m, bt.MagnetOptions{})
		if src.Magnet != nil {
			g.Peers = src.Magnet.Peers
		}
		base = "shoal:" + strings.TrimPrefix(g.String(), "magnet:")
	}
	u, err := ParseTorrentURL(base)
	if err != nil {
		return nil, fmt.Errorf("making a URL for %s: %w", m.Name, err)
	}
	return u, r.Remember(u, m)
}

// addurlLine is what git-annex says of a file.
type addurlLine struct {
	File    string   `json:"file"`
	Key     string   `json:"key"`
	Success bool     `json:"success"`
	Errors  []string `json:"error-messages"`
}

// judge takes into added what git-annex said of each file, and reports whether it said something of any.
func (r *Repository) judge(added []Added, out string) (any bool) {
	said := map[string]addurlLine{}
	for line := range strings.Lines(out) {
		var l addurlLine
		if json.Unmarshal([]byte(line), &l) == nil && l.File != "" {
			said[path.Clean(l.File)] = l
		}
	}
	for i := range added {
		a := &added[i]
		l, ok := said[path.Clean(a.Path)]
		switch {
		case a.Code != bt.OK:
		case !ok:
			a.Code, a.Message = bt.Failed, "git-annex did not add it"
		case !l.Success:
			a.Code, a.Message = bt.Failed, oneOf(l.Errors)
		default:
			a.Key = l.Key
		}
	}
	return len(said) > 0
}

func oneOf(messages []string) string {
	text := strings.TrimSpace(strings.Join(messages, " "))
	if text == "" {
		return "git-annex did not add it"
	}
	return strings.Join(strings.Fields(text), " ")
}

// Failures is what is wrong with files that were to be added or attached; nil when nothing is. That a torrent has files
// that are not in the repository is wrong only when none of them is.
func Failures(added []Added) error {
	missing := 0
	for _, a := range added {
		switch a.Code {
		case bt.OK:
		case bt.NotFound:
			missing++
		default:
			return &bt.Error{Code: a.Code, Err: fmt.Errorf("adding %s: %s", a.Path, a.Message)}
		}
	}
	if missing > 0 && missing == len(added) {
		return &bt.Error{Code: bt.NotFound, Err: errors.New("nothing of the torrent is known to be in the annex here"),
			Advice: "\"shoal annex add\" fetches it"}
	}
	return nil
}
