package protocol

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// A Job is a request of git-annex that is being worked on. What it offers may be used until the request is answered,
// from one goroutine at a time, but for Progress, which any may call. Its methods fail when git-annex has gone, and what
// asks when a text cannot stand in a line. At ExportSupported and ImportSupported there are no settings to be asked for.
type Job struct {
	s      *server
	msg    string // the word of the request
	args   string // what came after it
	turn   *turn
	n      int    // its number, 0 in the plain form
	prefix string // of each line: "J 3 ", or nothing in the plain form
	name   string // the file that an earlier EXPORT or IMPORT named

	query *query // what is being asked, nil when nothing is; guarded by s.mu
	over  bool   // it is answered: nothing may be said any more; guarded by s.writing
}

// A query is a question to git-annex.
type query struct {
	replies chan string
	ended   chan struct{} // closed when no more replies are taken
}

var errOver = errors.New("the request is answered already")

// tell sends a message that has no answer.
func (j *Job) tell(msg string, args ...string) error {
	line, err := j.line(msg, args)
	if err != nil {
		return err
	}
	return j.s.write(j, line, false)
}

func (j *Job) line(msg string, args []string) (string, error) {
	var b strings.Builder
	b.WriteString(j.prefix)
	b.WriteString(msg)
	for i, a := range args {
		if breaks(a) || i < len(args)-1 && strings.Contains(a, " ") {
			return "", fmt.Errorf("telling git-annex %s: %q cannot stand in a message", msg, a)
		}
		b.WriteByte(' ')
		b.WriteString(a)
	}
	b.WriteByte('\n')
	return b.String(), nil
}

// ask sends a message, and hands its answers, all of which must begin with the word want, to take until that returns
// false.
func (j *Job) ask(want string, take func(rest string) (more bool), msg string, args ...string) error {
	line, err := j.line(msg, args)
	if err != nil {
		return err
	}
	q := &query{make(chan string), make(chan struct{})}
	defer close(q.ended)
	j.s.setQuery(j, q)
	defer j.s.setQuery(j, nil)
	j.turn.pass()
	if err := j.s.write(j, line, false); err != nil {
		return err
	}
	for {
		select {
		case <-j.s.ctx.Done():
			return context.Cause(j.s.ctx)
		case reply := <-q.replies:
			got, rest := word(reply)
			if got != want {
				return fmt.Errorf("asking git-annex %s: it answered %s", msg, oneLine(got))
			}
			if !take(rest) {
				return nil
			}
		}
	}
}

// value asks for a single VALUE.
func (j *Job) value(msg string, args ...string) (v string, err error) {
	err = j.ask("VALUE", func(rest string) bool { v = rest; return false }, msg, args...)
	return v, err
}

// Progress tells how many bytes of the file are transferred, counted from its beginning.
func (j *Job) Progress(bytes int64) error { return j.tell("PROGRESS", strconv.FormatInt(bytes, 10)) }

// GetConfig is a setting of initremote, "" when it is not set.
func (j *Job) GetConfig(name string) (string, error) { return j.value("GETCONFIG", name) }

// SetConfig changes a setting. It is kept, for everybody who has the repository to read, when Init does it.
func (j *Job) SetConfig(name, value string) error { return j.tell("SETCONFIG", name, value) }

// GetCreds are credentials, both "" when there are none.
func (j *Job) GetCreds(name string) (user, password string, err error) {
	err = j.ask("CREDS", func(rest string) bool { user, password = word(rest); return false }, "GETCREDS", name)
	return user, password, err
}

// SetCreds stores credentials in the local repository, or with embedcreds=yes encrypted for all who can decrypt. user
// must have no spaces.
func (j *Job) SetCreds(name, user, password string) error {
	return j.tell("SETCREDS", name, user, password)
}

// GetUUID is the UUID of the remote.
func (j *Job) GetUUID() (string, error) { return j.value("GETUUID") }

// GetGitDir is the absolute path of the git directory.
func (j *Job) GetGitDir() (string, error) {
	dir, err := j.value("GETGITDIR")
	return j.s.abs(dir), err
}

// GetGitRemoteName is the name that the user knows the remote by; [ErrUnsupported] from a git-annex that cannot say.
func (j *Job) GetGitRemoteName() (string, error) {
	if !j.Has("GETGITREMOTENAME") {
		return "", ErrUnsupported
	}
	return j.value("GETGITREMOTENAME")
}

// DirHash is a path of two folders for a key, DirHashLower one that does without upper case.
func (j *Job) DirHash(key string) (string, error) { return j.value("DIRHASH", key) }

// DirHashLower is DirHash in lower case.
func (j *Job) DirHashLower(key string) (string, error) { return j.value("DIRHASH-LOWER", key) }

// GetWanted is the preferred content expression of the remote.
func (j *Job) GetWanted() (string, error) { return j.value("GETWANTED") }

// SetWanted sets the preferred content expression of the remote.
func (j *Job) SetWanted(expr string) error { return j.tell("SETWANTED", expr) }

// GetState is what SetState of any clone has last kept for the key.
func (j *Job) GetState(key string) (string, error) { return j.value("GETSTATE", key) }

// SetState keeps a value for the key, for everybody who has the repository.
func (j *Job) SetState(key, value string) error { return j.tell("SETSTATE", key, value) }

// GetURLs are the URLs of a key that begin with prefix.
func (j *Job) GetURLs(key, prefix string) (urls []string, err error) {
	err = j.ask("VALUE", func(rest string) bool {
		if rest != "" {
			urls = append(urls, rest)
		}
		return rest != ""
	}, "GETURLS", key, prefix)
	return urls, err
}

// SetURLPresent records that the key can be had at the URL, SetURLMissing that it no longer can.
func (j *Job) SetURLPresent(key, url string) error { return j.tell("SETURLPRESENT", key, url) }

// SetURLMissing forgets a URL of the key.
func (j *Job) SetURLMissing(key, url string) error { return j.tell("SETURLMISSING", key, url) }

// SetURIPresent and SetURIMissing are the same for what another program than git-annex downloads.
func (j *Job) SetURIPresent(key, uri string) error { return j.tell("SETURIPRESENT", key, uri) }

// SetURIMissing forgets a URI of the key.
func (j *Job) SetURIMissing(key, uri string) error { return j.tell("SETURIMISSING", key, uri) }

// Debug is shown with git annex --debug.
func (j *Job) Debug(format string, args ...any) error {
	return j.tell("DEBUG", oneLine(fmt.Sprintf(format, args...)))
}

// Info is shown to the user. A git-annex that has no way to show it gets it as Debug.
func (j *Job) Info(format string, args ...any) error {
	if !j.Has("INFO") {
		return j.Debug(format, args...)
	}
	return j.tell("INFO", oneLine(fmt.Sprintf(format, args...)))
}

// Has reports whether an extension of the protocol was agreed on.
func (j *Job) Has(extension string) bool { return j.s.has(extension) }

// answer ends the job with lines that go out together.
func (j *Job) answer(lines ...string) {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(j.prefix)
		b.WriteString(l)
		b.WriteByte('\n')
	}
	j.s.done(j)
	_ = j.s.write(j, b.String(), true) // when nobody reads, the server ends by itself
}

// outcome answers by "WORD-SUCCESS args", or "WORD-FAILURE args message" when err is not nil.
func (j *Job) outcome(word string, err error, args ...string) {
	with := func(s string) string { return strings.Join(append([]string{s}, args...), " ") }
	switch {
	case errors.Is(err, ErrUnsupported):
		j.answer(unsupported)
	case err != nil:
		j.answer(with(word+"-FAILURE") + " " + oneLine(err.Error()))
	default:
		j.answer(with(word + "-SUCCESS"))
	}
}

func (s *server) abs(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.dir, path)
}
