package protocol

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// extensions are those that this package makes use of.
var extensions = []string{"INFO", "ASYNC", "GETGITREMOTENAME", "UNAVAILABLERESPONSE", "IMPORTKEY"}

const (
	unsupported = "UNSUPPORTED-REQUEST"
	maxJobs     = 4096            // that run side by side; git-annex has as many as -J says
	grace       = 2 * time.Second // that jobs get to end in, once nobody waits for them
)

// Options say how to talk to git-annex.
type Options struct {
	In  io.Reader // requests; a Read may outlast Serve
	Out io.Writer // answers
	Dir string    // absolute path of the current folder, which paths of git-annex begin at
}

// Serve talks to git-annex until that closes In, and closes r. It returns nil then, the cause of ctx when that is done
// first, and an error when git-annex breaks the protocol or cannot be written to. Whatever ends it cancels all requests
// that are being worked on.
func Serve(ctx context.Context, r Remote, opts Options) error {
	s := &server{remote: r, dir: opts.Dir, out: opts.Out, jobs: map[int]*Job{}, names: map[int]string{}}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	defer s.cancel(nil)
	_ = s.write(nil, "VERSION 2\n", false)
	go s.read(bufio.NewReaderSize(opts.In, 64<<10))
	<-s.ctx.Done()
	err := context.Cause(s.ctx)
	s.leave()
	if cerr := r.Close(); errors.Is(err, io.EOF) {
		return cerr
	}
	return err
}

// server is one conversation.
type server struct {
	remote Remote
	dir    string
	ctx    context.Context // done at the end of the conversation
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // of jobs

	working  atomic.Pointer[turn] // who has the turn, and works; nil: nobody does
	watching atomic.Bool          // see watch

	writing sync.Mutex // guards out
	out     io.Writer

	mu     sync.Mutex // guards what follows
	agreed []string   // extensions
	jobs   map[int]*Job
	names  map[int]string // job → what EXPORT or IMPORT named
	left   bool           // no job may begin
}

// leave gives the jobs a moment to end.
func (s *server) leave() {
	s.mu.Lock()
	s.left = true
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.wg.Wait()
	}()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

// take does with one line what is due: a job is left to do. An error ends the conversation.
func (s *server) take(line string) (*Job, error) {
	n, rest, async := jobOf(line)
	if !async || !s.has("ASYNC") {
		n, rest, async = 0, line, false
	}
	msg, args := word(rest)
	switch {
	case msg == "ERROR":
		return nil, fmt.Errorf("git-annex says: %s", oneLine(args))
	case msg == "VALUE" || msg == "CREDS":
		return nil, s.reply(n, rest)
	case msg == "EXTENSIONS" && !async:
		return nil, s.agree(args)
	case msg == "EXPORT" || msg == "IMPORT":
		return nil, s.setName(n, args)
	}
	return s.begin(&Job{s: s, n: n, msg: msg, args: args}, async)
}

// agree answers EXTENSIONS: asking for one that was not offered is fatal.
func (s *server) agree(offered string) error {
	var both []string
	for _, e := range extensions {
		if slices.Contains(strings.Fields(offered), e) {
			both = append(both, e)
		}
	}
	s.mu.Lock()
	s.agreed = both
	s.mu.Unlock()
	return s.write(nil, "EXTENSIONS "+strings.Join(both, " ")+"\n", false)
}

func (s *server) has(extension string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.agreed, extension)
}

// begin lets a job begin; nil when it is too late for any.
func (s *server) begin(j *Job, async bool) (*Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.left:
		return nil, nil
	case s.jobs[j.n] != nil:
		return nil, fmt.Errorf("git-annex sent a request before it had the answer to the last one")
	case len(s.jobs) >= maxJobs:
		return nil, fmt.Errorf("git-annex sent more than %d requests at once", maxJobs)
	}
	j.name = s.names[j.n]
	if async {
		j.prefix = "J " + strconv.Itoa(j.n) + " "
	}
	delete(s.names, j.n)
	s.jobs[j.n] = j
	s.wg.Add(1)
	return j, nil
}

// done lets the next request with the number of the job come. It precedes the answer.
func (s *server) done(j *Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.jobs, j.n)
}

// setName takes the name that the next request of a job is about. There is no answer.
func (s *server) setName(n int, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.names) >= maxJobs {
		return fmt.Errorf("git-annex named more than %d files at once", maxJobs)
	}
	s.names[n] = name
	return nil
}

func (s *server) setQuery(j *Job, q *query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.query = q
}

// reply hands an answer to the job that asked.
func (s *server) reply(n int, line string) error {
	var q *query
	s.mu.Lock()
	if j := s.jobs[n]; j != nil {
		q = j.query
	}
	s.mu.Unlock()
	if q == nil {
		return errUnasked
	}
	select {
	case q.replies <- line:
	case <-q.ended:
		return errUnasked
	case <-s.ctx.Done():
	}
	return nil
}

var errUnasked = errors.New("git-annex answered what was not asked")

// write sends whole lines of a job, or of none; last are its last. When nobody reads them, the conversation is over.
func (s *server) write(j *Job, lines string, last bool) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if j != nil && j.over {
		return errOver
	}
	if err := context.Cause(s.ctx); err != nil {
		return err
	}
	if j != nil {
		j.over = last
	}
	if _, err := io.WriteString(s.out, lines); err != nil {
		err = fmt.Errorf("writing to git-annex: %w", err)
		s.cancel(err)
		return err
	}
	return nil
}
