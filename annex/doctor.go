package annex

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"shoal/bt"
)

// oldest is the oldest git-annex that this was tried with.
const oldest = "10.20230126"

// A Check is one thing that must be right for git-annex to use shoal.
type Check struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Diagnose looks for what is wrong with programs and versions, and with the repository that dir is in if there is one.
// program is the absolute path of this shoal.
func Diagnose(ctx context.Context, program, dir string) []Check {
	checks := []Check{inPath("git", "install git"), inPath("git-annex", "install git-annex")}
	for _, name := range Programs() {
		checks = append(checks, checkProgram(name, program))
	}
	r := &Repository{Dir: dir}
	if checks[0].OK && checks[1].OK {
		checks = append(checks, r.checkVersion(ctx))
	}
	if path, err := exec.LookPath(Aria2Program); err == nil && sameFile(path, program) {
		checks = append(checks, Check{Aria2Program, true, path + " is shoal: plain magnets are fetched by it", ""})
	}
	if !checks[0].OK || !checks[1].OK {
		return checks
	}
	found, err := OpenRepository(ctx, dir)
	if err != nil {
		return append(checks, failedCheck("repository", err))
	}
	checks = append(checks, Check{"repository", true, found.GitDir, ""})
	return append(checks, found.checkRemote(ctx)...)
}

func failedCheck(name string, err error) Check {
	c := Check{Name: name, Message: err.Error()}
	var e *bt.Error
	if errors.As(err, &e) {
		c.Hint = e.Advice
	}
	return c
}

func inPath(name, hint string) Check {
	path, err := exec.LookPath(name)
	if err != nil {
		return Check{name, false, "it is not in PATH", hint}
	}
	return Check{name, true, path, ""}
}

// checkProgram looks for a name that git-annex starts.
func checkProgram(name, program string) Check {
	c := inPath(name, "\"shoal annex install DIR\" puts it into a folder that PATH has")
	if c.OK && !sameFile(c.Message, program) {
		c.OK, c.Message = false, c.Message+" is another program than this shoal"
		c.Hint = "\"shoal annex install " + filepath.Dir(strings.TrimSuffix(c.Message, " is another program than this shoal")) + "\" mends it"
	}
	return c
}

// sameFile reports whether a path leads to the program.
func sameFile(path, program string) bool {
	a, err := filepath.EvalSymlinks(path)
	b, err2 := filepath.EvalSymlinks(program)
	return err == nil && err2 == nil && a == b
}

func (r *Repository) checkVersion(ctx context.Context) Check {
	v, err := r.Version(ctx)
	switch {
	case err != nil:
		return failedCheck("version", err)
	case v < oldest:
		return Check{"version", false, "git-annex is " + v, "it works with " + oldest + " and newer"}
	}
	if _, err := r.fastArgs(ctx); err != nil && ctx.Err() == nil {
		return Check{"version", true, "git-annex " + v + ", which is too old for \"shoal annex add --fast\"", ""}
	}
	return Check{"version", true, "git-annex " + v, ""}
}

// checkRemote looks at the remotes of the repository.
func (r *Repository) checkRemote(ctx context.Context) []Check {
	remote, err := r.Torrents(ctx, "")
	if bt.CodeOf(err) == bt.NotFound && len(r.shareUUIDs(ctx)) > 0 {
		return []Check{{"remote", true, "keys are kept in a share; " + err.Error(), ""}}
	}
	if err != nil {
		return []Check{failedCheck("remote", err)}
	}
	checks := []Check{{"remote", true, fmt.Sprintf("%s fetches torrents", remote.Name), ""}}
	if v, err := r.git(ctx, nil, "config", "remote."+remote.Name+".annex-ignore"); err == nil && v == "true" {
		checks = append(checks, Check{"ignored", false, "git-annex ignores the remote " + remote.Name,
			"\"git config --unset remote." + remote.Name + ".annex-ignore\" ends that"})
	}
	return checks
}
