package wire

import (
	"context"
	"slices"

	"shoal/share/blob"
)

// A Job is a set of blobs that somebody wants from a Fetcher. What is wanted by several jobs comes once.
type Job struct {
	f       *Fetcher
	sink    func(id blob.ID, b []byte) error
	missed  func(id blob.ID)
	idle    func()        // of one that lasts: nothing is wanted now; nil of others
	wake    chan struct{} // something of the following may have changed
	left    int           // ids that are wanted and not used yet; f.mu guards this and what follows
	missing int           // of those, how many nobody has
	arrived fifo[*arrival]
	over    error // why no more comes
}

// arrival is a blob on its way to the sinks, or with b nil the news that nobody has it.
type arrival struct {
	id    blob.ID
	b     []byte
	from  *Conn
	users int // jobs that have not used it yet; the Fetcher's mutex guards it
}

// JobStatus is how far a Job is, in ids.
type JobStatus struct {
	Left    int // wanted and not used yet
	Missing int // of those, refused by every peer that is here
}

// NewJob is an empty Job. sink gets each blob once, verified; b is its own. It may call Want, so that a tree can be walked
// while it comes. While it runs the peers' windows fill, nothing else stops: a slow sink slows its peers. missed, which
// may be nil, is told when all present peers have refused an id or are silent; the id stays wanted, and is asked for again
// when a peer comes or may have changed its mind. Both are called by the goroutine that calls Run.
func (f *Fetcher) NewJob(sink func(id blob.ID, b []byte) error, missed func(id blob.ID)) *Job {
	return &Job{f: f, sink: sink, missed: missed, wake: make(chan struct{}, 1)}
}

// NewLasting is a Job whose Run goes on when nothing is wanted: it then calls idle, and waits for more.
func (f *Fetcher) NewLasting(sink func(id blob.ID, b []byte) error, missed func(id blob.ID), idle func()) *Job {
	j := f.NewJob(sink, missed)
	j.idle = idle
	return j
}

// Fetch gets blobs: Want and Run of one Job.
func (f *Fetcher) Fetch(ctx context.Context, ids []blob.ID, sink func(id blob.ID, b []byte) error) error {
	j := f.NewJob(sink, nil)
	j.Want(ids...)
	return j.Run(ctx)
}

// Want adds ids; those that are wanted already are not asked for twice, those that have come come again. They are asked
// for in this order, roughly. An id costs some 300 bytes of memory here until its blob is used: who wants millions adds
// them by portions.
func (j *Job) Want(ids ...blob.ID) {
	f := j.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		j.fail(errFetcherClosed)
	}
	if j.over != nil {
		return
	}
	for _, id := range ids {
		w := f.wishes[id]
		if w == nil {
			w = &wish{id: id, at: -1}
			f.wishes[id] = w
			f.enqueue(w)
		} else if slices.Contains(w.jobs, j) {
			continue
		}
		w.jobs = append(w.jobs, j)
		j.left++
		if w.missing {
			j.missing++
			j.report(id)
		}
	}
	f.pullAll()
	f.arm()
}

// Forget takes back what Want added, as far as it has not come.
func (j *Job) Forget(ids ...blob.ID) {
	f := j.f
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		w := f.wishes[id]
		if w == nil {
			continue
		}
		i := slices.Index(w.jobs, j)
		if i < 0 {
			continue
		}
		w.jobs = slices.Delete(w.jobs, i, i+1)
		j.left--
		if w.missing {
			j.missing--
		}
		if len(w.jobs) == 0 {
			f.drop(w)
		}
	}
	j.notify()
}

// Status is how far j is.
func (j *Job) Status() JobStatus {
	j.f.mu.Lock()
	defer j.f.mu.Unlock()
	return JobStatus{Left: j.left, Missing: j.missing}
}

// Run gives what comes to the sink, until nothing is wanted any more (nil), the sink fails (its error), or ctx is done
// (its cause). Then the Job is over; a new one may want what is left. It is called once.
func (j *Job) Run(ctx context.Context) error {
	for {
		a, err := j.next(ctx)
		if a != nil {
			err = j.use(ctx, a)
			j.used(a)
		}
		if a == nil || err != nil {
			j.cancel(err)
			return err
		}
	}
}

// next waits for the next arrival; nil without an error when none will come.
func (j *Job) next(ctx context.Context) (*arrival, error) {
	for idle := false; ctx.Err() == nil; {
		a, err := j.poll()
		if a != nil || err != nil {
			return a, err
		}
		switch none := j.Status().Left == 0; {
		case none && j.idle == nil:
			return nil, nil
		case none && !idle:
			j.idle()
			idle = true
			continue
		}
		select {
		case <-j.wake:
		case <-ctx.Done():
		}
	}
	return nil, context.Cause(ctx)
}

func (j *Job) poll() (*arrival, error) {
	j.f.mu.Lock()
	defer j.f.mu.Unlock()
	if j.arrived.len() > 0 && j.over == nil {
		return j.arrived.pop(), nil
	}
	return nil, j.over
}

func (j *Job) use(ctx context.Context, a *arrival) error {
	if a.b == nil {
		if j.missed != nil {
			j.missed(a.id)
		}
		return nil
	}
	if j.f.pace != nil {
		if err := j.f.pace(ctx, len(a.b)+j.f.owed()); err != nil {
			return err
		}
	}
	return j.sink(a.id, a.b)
}

// used lets the peer send more, once every job has used what it sent.
func (j *Job) used(a *arrival) {
	if a.b == nil {
		return
	}
	j.f.mu.Lock()
	j.left--
	a.users--
	last := a.users == 0
	j.f.mu.Unlock()
	if last {
		a.from.took(len(a.b))
	}
}

// cancel ends a Job: what nobody else wants is not asked for any more, and what came is let go.
func (j *Job) cancel(err error) {
	f := j.f
	f.mu.Lock()
	j.fail(err)
	if j.left > 0 {
		for _, w := range f.wishes {
			if i := slices.Index(w.jobs, j); i >= 0 {
				w.jobs = slices.Delete(w.jobs, i, i+1)
				if len(w.jobs) == 0 {
					f.drop(w)
				}
			}
		}
	}
	arrived := j.arrived
	j.arrived = fifo[*arrival]{}
	f.mu.Unlock()
	for arrived.len() > 0 {
		a := arrived.pop()
		f.mu.Lock()
		f.debt += len(a.b)
		f.mu.Unlock()
		j.used(a)
	}
}

// fail says that nothing more comes; f.mu is held.
func (j *Job) fail(err error) {
	if j.over == nil {
		if j.over = err; err == nil {
			j.over = context.Canceled
		}
		j.notify()
	}
}

// deliver gives a blob to the job; f.mu is held.
func (j *Job) deliver(a *arrival) {
	j.arrived.push(a)
	j.notify()
}

// report tells the job that nobody has id; f.mu is held.
func (j *Job) report(id blob.ID) { j.deliver(&arrival{id: id}) }

func (j *Job) notify() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}
