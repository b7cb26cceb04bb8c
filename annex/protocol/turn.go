package protocol

import (
	"bufio"
	"sync/atomic"
	"time"
)

const (
	patience = time.Millisecond // nobody reads for so long, or twice that, because a request is being worked on
	quiet    = 10               // times of patience without a request, until nobody looks any more whether one takes long
)

// A turn is that of a goroutine to read. It works on a request itself, without another goroutine having to wake up: most
// requests take less than that would. When one takes longer, or asks something, the turn passes to another.
type turn struct {
	s    *server
	r    *bufio.Reader
	over atomic.Bool
}

// pass lets another goroutine read, unless one does.
func (t *turn) pass() {
	if t.over.CompareAndSwap(false, true) {
		t.s.working.CompareAndSwap(t, nil)
		go t.s.read(t.r)
	}
}

// read takes what git-annex says, until it says no more or it is another's turn.
func (s *server) read(r *bufio.Reader) {
	for s.ctx.Err() == nil {
		line, err := readLine(r)
		var j *Job
		if err == nil {
			j, err = s.take(line)
		}
		if err != nil {
			s.cancel(err)
		}
		if j != nil && !s.work(j, r) {
			return
		}
	}
}

// work does a job, and reports whether it is still this goroutine's turn to read.
func (s *server) work(j *Job, r *bufio.Reader) bool {
	t := &turn{s: s, r: r}
	j.turn = t
	s.working.Store(t)
	if s.watching.CompareAndSwap(false, true) {
		go s.watch()
	}
	j.do(s.ctx, s.remote)
	s.wg.Done()
	s.working.CompareAndSwap(t, nil)
	return t.over.CompareAndSwap(false, true)
}

// watch passes the turn of who works on one request for long. It is there while requests come: a timer for each of them
// would wake a thread for each.
func (s *server) watch() {
	var last *turn
	for none := 0; none < quiet && s.ctx.Err() == nil; none++ {
		time.Sleep(patience)
		now := s.working.Load()
		if now != nil {
			none = 0
		}
		if now != nil && now == last {
			now.pass()
		}
		last = now
	}
	s.watching.Store(false)
	if s.working.Load() != nil && s.ctx.Err() == nil && s.watching.CompareAndSwap(false, true) {
		go s.watch()
	}
}
