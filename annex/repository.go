package annex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"shoal/bt"
)

// A Repository is a git repository with an annex, which is worked on by running git.
type Repository struct {
	Dir    string // absolute path of the current folder, which is in the repository
	GitDir string // absolute
}

// OpenRepository finds the repository that dir is in. It is of class Failed when git or git-annex is missing, and
// NotFound when dir is in no repository with an annex.
func OpenRepository(ctx context.Context, dir string) (*Repository, error) {
	r := &Repository{Dir: dir}
	gitDir, err := r.git(ctx, nil, "rev-parse", "--absolute-git-dir")
	if err != nil {
		return nil, &bt.Error{Code: codeOf(err, bt.NotFound), Err: err, Advice: "run it in a git repository"}
	}
	r.GitDir = gitDir
	if _, err := r.git(ctx, nil, "config", "annex.uuid"); err != nil {
		return nil, &bt.Error{Code: bt.NotFound, Err: errors.New("the repository has no annex"), Advice: "\"git annex init\" makes one"}
	}
	return r, nil
}

// codeOf is code, unless a program is missing.
func codeOf(err error, code bt.Code) bt.Code {
	if errors.Is(err, exec.ErrNotFound) {
		return bt.Failed
	}
	return code
}

// git runs git, and returns what it says without the last line end.
func (r *Repository) git(ctx context.Context, in io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	var out, complaints bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.Dir, in, &out, &complaints
	err := cmd.Run()
	text := strings.TrimSuffix(out.String(), "\n")
	if err == nil || ctx.Err() != nil {
		return text, context.Cause(ctx)
	}
	if said := strings.TrimSpace(complaints.String()); said != "" {
		err = fmt.Errorf("%w: %s", err, lastLine(said))
	}
	return text, fmt.Errorf("running git %s: %w", args[0], err)
}

func lastLine(s string) string { return s[strings.LastIndexByte(s, '\n')+1:] }

// A Remote is a special remote of ours in a repository.
type Remote struct {
	Name string
	UUID string
}

// Torrents is the remote of the name that fetches torrents, or with name "" the first that does. NotFound when there is
// none.
func (r *Repository) Torrents(ctx context.Context, name string) (Remote, error) {
	list, err := r.git(ctx, nil, "config", "--get-regexp", `^remote\..*\.annex-externaltype$`, "^shoal$")
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // git says by its status that there is nothing
		return Remote{}, err
	}
	shares := r.shareUUIDs(ctx)
	for line := range strings.Lines(list) {
		key, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		found := Remote{Name: strings.TrimSuffix(strings.TrimPrefix(key, "remote."), ".annex-externaltype")}
		if found.UUID, err = r.git(ctx, nil, "config", "remote."+found.Name+".annex-uuid"); err != nil {
			continue
		}
		if !shares[found.UUID] && (name == "" || name == found.Name) {
			return found, nil
		}
	}
	what := "no remote of the repository fetches torrents"
	if name != "" {
		what = fmt.Sprintf("the remote %s does not fetch torrents", name)
	}
	return Remote{}, &bt.Error{Code: bt.NotFound, Err: errors.New(what),
		Advice: "\"git annex initremote torrents type=external externaltype=shoal encryption=none\" makes one"}
}

// shareUUIDs are the remotes that keep content in shares.
func (r *Repository) shareUUIDs(ctx context.Context) map[string]bool {
	uuids := map[string]bool{}
	for uuid, set := range r.remotes(ctx) {
		if set["share"] != "" {
			uuids[uuid] = true
		}
	}
	return uuids
}

// allowsLocal reports whether a remote of the repository that fetches torrents may talk to this machine and its networks.
func (r *Repository) allowsLocal(ctx context.Context) bool {
	for _, set := range r.remotes(ctx) {
		if v := set["allow-local"]; set["externaltype"] == "shoal" && (v == "yes" || v == "true") {
			return true
		}
	}
	return false
}

// remotes are the settings of all special remotes, by UUID, as the repository has them.
func (r *Repository) remotes(ctx context.Context) map[string]map[string]string {
	all := map[string]map[string]string{}
	text, err := r.git(ctx, nil, "cat-file", "blob", "git-annex:remote.log")
	if err != nil {
		return all // no remote was ever made
	}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		set := map[string]string{}
		for _, f := range fields[1:] {
			if name, value, ok := strings.Cut(f, "="); ok {
				set[name] = value
			}
		}
		all[fields[0]] = set
	}
	return all
}

// Remember keeps a metainfo in the repository, so that nobody need be asked for it again.
func (r *Repository) Remember(u *TorrentURL, m *bt.Metainfo) error {
	set := settings{memory: filepath.Join(r.GitDir, filepath.FromSlash(memoryFolder))}
	return set.remember(u, m)
}

// Version is that of git-annex, such as 10.20230126.
func (r *Repository) Version(ctx context.Context) (string, error) {
	text, err := r.git(ctx, nil, "annex", "version", "--raw")
	if v, _, ok := strings.Cut(text, "-"); ok {
		return v, err
	}
	return text, err
}
