package node

import (
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"shoal/share/blob"
	"shoal/share/db"
)

// missingSince is since when data of the frontier that should be here has been missing, by the clock of ages; zero = it is
// not.
func (e *engine) missingSince() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lacking
}

func (e *engine) missingKey() string { return "missing/" + strconv.FormatInt(e.n, 10) }

func setTime(t *db.Tx, key string, at time.Time) error {
	var s int64
	if !at.IsZero() {
		s = at.Unix()
	}
	return t.SetValue(key, binary.BigEndian.AppendUint64(nil, uint64(s)))
}

func getTime(t *db.Tx, key string) (time.Time, error) {
	b, err := t.Value(key)
	if err != nil || len(b) != 8 {
		return time.Time{}, err
	}
	s := int64(binary.BigEndian.Uint64(b))
	if s == 0 {
		return time.Time{}, nil
	}
	return time.Unix(s, 0).UTC(), nil
}

// keepHeads is how long a superseded head is kept (docs/shares.md §6.4).
func (e *engine) keepHeads() time.Duration {
	if since := e.missingSince(); !since.IsZero() && e.node.ages.of(since) >= missingLong {
		return keepMissing
	}
	if e.store != nil {
		return keepHistory
	}
	return keepIndex
}

// dropOldHeads forgets heads that a complete one superseded long ago. Nothing else makes a head go: a share may be idle for
// years. The control goroutine calls it.
func (e *engine) dropOldHeads() error {
	l, keep := e.kept(), e.keepHeads()
	gone := map[blob.ID]bool{}
	for i := range l.all {
		h := &l.all[i]
		// It may have been superseded by one that is gone, too: what counts is what is kept.
		if !h.Superseded.IsZero() && e.node.ages.of(h.Superseded) > keep && l.dominated(h) {
			gone[h.ID] = true
		}
	}
	if len(gone) == 0 {
		return nil
	}
	err := e.node.db.Update(e.ctx, func(t *db.Tx) error {
		for id := range gone {
			if err := t.DropHead(e.n, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.changeHeads(func(l *headList) {
		l.all = slices.DeleteFunc(l.all, func(h db.Head) bool { return gone[h.ID] })
		for id := range gone {
			delete(l.root, id)
		}
	})
	return nil
}
