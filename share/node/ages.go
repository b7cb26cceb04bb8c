package node

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"shoal/share/db"
)

// ages is the clock by which things grow old (docs/shares.md §6.4): it goes as the wall clock does, but a time in which the
// node did not run, or by which the clock was moved forward, counts as one day at most, and a clock that was moved back
// stands still. So nothing is thrown away because a machine was off for a year, or woke up with a wrong date. Its times
// have nothing to do with those of the wall. Its methods may be called concurrently.
type ages struct {
	wall func() time.Time

	mu    sync.Mutex // guards what follows
	last  time.Time  // of the wall
	own   time.Time
	saved time.Time // own, as it is in the database
}

const (
	day        = 24 * time.Hour
	saveAges   = time.Hour // so much may count twice after a crash: once as life, once as a gap
	agesKey    = "ages"
	agesLength = 16
)

func newAges(wall func() time.Time) *ages {
	now := seconds(wall())
	return &ages{wall: wall, last: now, own: now}
}

func seconds(t time.Time) time.Time { return time.Unix(t.Unix(), 0).UTC() }

// load goes on where an earlier run of the node was.
func (a *ages) load(t *db.Tx) error {
	b, err := t.Value(agesKey)
	if err != nil || len(b) != agesLength {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last, a.own = time.Unix(int64(binary.BigEndian.Uint64(b)), 0).UTC(), time.Unix(int64(binary.BigEndian.Uint64(b[8:])), 0).UTC()
	a.saved = a.own
	return nil
}

// now is the time by this clock.
func (a *ages) now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	wall := seconds(a.wall())
	a.own = a.own.Add(min(max(wall.Sub(a.last), 0), day))
	a.last = wall
	return a.own
}

// of is how old something is that happened at a time of this clock.
func (a *ages) of(at time.Time) time.Duration { return a.now().Sub(at) }

// day is the number of the day.
func (a *ages) day() int64 { return a.now().Unix() / int64(day/time.Second) }

// save keeps the time for the next run, when it is worth while or must be.
func (a *ages) save(ctx context.Context, d *db.DB, must bool) error {
	own := a.now()
	a.mu.Lock()
	due, last := own.Sub(a.saved) >= saveAges, a.last
	a.mu.Unlock()
	if !due && !must {
		return nil
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(last.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(own.Unix()))
	if err := d.Update(ctx, func(t *db.Tx) error { return t.SetValue(agesKey, b) }); err != nil {
		return err
	}
	a.mu.Lock()
	a.saved = own
	a.mu.Unlock()
	return nil
}

// archived is how long a file has been in the archive. Of one whose age is not known the wall clock must do.
func (a *ages) archived(row *db.Archived) time.Duration {
	if row.Aged.IsZero() {
		return a.wall().Sub(row.Added)
	}
	return a.of(row.Aged)
}
