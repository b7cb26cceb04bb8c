package node

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"time"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
)

// How long things are remembered, by the clock of ages (docs/shares.md §6.1b, §6.4).
const (
	keepJournal  = 90 * day // own events, after a peer's head covered them
	volumeDays   = 30       // the archive may grow to a tenth of the largest size in so many days
	upkeepEvery  = time.Hour
	upkeepTight  = time.Minute // when the disk has no room
	countedAgain = 10 * time.Second
	recoverAgain = 10 * time.Second // changes that an error stopped half way
)

// upkeep is what the control goroutine remembers of keeping a folder and its archive in order.
type upkeep struct {
	resumed time.Time // when changes were gone on with that an error had stopped
	checked time.Time // the walk after which the archive was looked at
	done    time.Time // when the rest was done last
	tight   bool      // something did not fit since
	used    int64     // bytes of the share and its archive, and what was ordered since they were counted
	counted time.Time
}

// maintain does what is due for the folder, and says when to look again.
func (e *engine) maintain() (next time.Duration, err error) {
	f, now := e.folder, e.node.now()
	f.applier.Reserve = reserveOf(parseConfig(e.row.Options).Reserve)
	next = idleLook
	if f.applier.Pending() && now.Sub(f.upkeep.resumed).Abs() >= recoverAgain {
		if f.upkeep.resumed = now; e.resume() != nil {
			return 0, e.ctx.Err()
		}
	}
	if at, ok := f.applier.NextLate(); ok {
		if !now.Before(at) {
			out, err := f.applier.Late(e.ctx)
			if err := e.cameBack(out, err); err != nil {
				return 0, err
			}
			at, ok = f.applier.NextLate()
		}
		if ok {
			next = min(next, max(0, at.Sub(now)))
		}
	}
	if f.walked != f.upkeep.checked {
		if err := e.walked(); err != nil {
			return 0, err
		}
		f.upkeep.checked = f.walked
	}
	since := now.Sub(f.upkeep.done).Abs()
	if since >= upkeepEvery || f.upkeep.tight && since >= upkeepTight {
		if err := e.tidyFolder(); err != nil {
			return 0, err
		}
		f.upkeep.done, f.upkeep.tight = now, false
	}
	e.seeRoom()
	return next, nil
}

// resume goes on with changes that an error stopped half way. Nothing else is done at their paths until they are at an end.
func (e *engine) resume() error {
	out, err := e.folder.applier.Recover(e.ctx)
	if err != nil {
		e.log.Warn("what was begun cannot be finished", "why", err)
		return e.ctx.Err()
	}
	for i := range out {
		o := &out[i]
		natural := o.Op.Path
		if row := cmp.Or(o.Op.New, o.Op.Old); row != nil {
			natural = row.Natural
		}
		done, err := e.outcome(o, natural)
		if err != nil {
			return err
		}
		if !done {
			continue
		}
		delete(e.plan.waiting, natural)
		e.plan.again = true
		for _, p := range o.Op.Paths() { // nobody has looked there
			e.lookAt(p)
		}
	}
	return nil
}

// cameBack lets conflict copies be scanned that programs wrote in the archive.
func (e *engine) cameBack(out []disk.Outcome, err error) error {
	for i := range out {
		if out[i].Copy != "" {
			e.log.Warn("a program wrote to a file that was replaced: it is kept as a copy", "path", out[i].Copy)
			e.lookAt(out[i].Copy)
		}
	}
	if err != nil && e.ctx.Err() == nil {
		e.log.Warn("the archive cannot be looked at", "why", err)
		return nil
	}
	return e.ctx.Err()
}

// walked does what belongs to each walk of the whole folder.
func (e *engine) walked() error {
	out, err := e.folder.applier.CheckArchive(e.ctx)
	if err := errors.Join(e.cameBack(out, err), e.sweep()); err != nil {
		return err
	}
	if e.row.Walked.IsZero() {
		e.row.Walked = e.folder.walked
		return e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.SetWalked(e.n, e.folder.walked) })
	}
	return nil
}

// tidyFolder forgets what is old: files of the archive, own events that all have, temporary files that nobody wants.
func (e *engine) tidyFolder() error {
	own, ages := e.node.ages.now(), map[string]*db.Archived{}
	var largest int64
	var old []db.Archived
	err := e.node.db.Update(e.ctx, func(t *db.Tx) error {
		_, bytes, err := t.CountBase(e.n)
		if err != nil {
			return err
		}
		today := e.node.ages.day()
		if err := t.NoteVolume(e.n, today, today-volumeDays, bytes); err != nil {
			return err
		}
		if largest, err = t.Volume(e.n); err != nil {
			return err
		}
		if old, err = t.Archived(e.n); err != nil {
			return err
		}
		return e.cover(t, own)
	})
	if err != nil {
		return err
	}
	for i := range old {
		ages[old[i].Name] = &old[i]
	}
	_, err = e.folder.applier.Expire(e.ctx, disk.ExpireOptions{Largest: largest, Keep: e.keepArchived, Age: func(a *disk.Archived) time.Duration {
		if row := ages[a.Name]; row != nil {
			return e.node.ages.archived(row)
		}
		return 0
	}})
	if err != nil && e.ctx.Err() == nil {
		e.log.Warn("old files stay in the archive", "why", err)
	}
	if err := e.cleanTemps(e.folder, false); err != nil && e.ctx.Err() == nil {
		e.log.Warn("temporary files are left", "why", err)
	}
	return e.ctx.Err()
}

// cover notes which own events peers have, and forgets those that they have had for long.
func (e *engine) cover(t *db.Tx, now time.Time) error {
	own, err := t.Own(e.n)
	if err != nil {
		return err
	}
	covered := index.Context{}
	for _, h := range e.kept().all {
		if h.Mine || !h.Complete {
			continue
		}
		for w := range own {
			if c := h.Ctx[w]; c > covered[w] {
				covered[w] = c
			}
		}
	}
	return t.Cover(e.n, covered, now, now.Add(-keepJournal))
}

// cleanTemps removes temporary files that nobody wants. At the start parts of large files stay: they are gone on with.
func (e *engine) cleanTemps(f *folder, start bool) error {
	var mounts []string
	var todo int64
	err := e.node.db.View(e.ctx, func(t *db.Tx) (err error) {
		if mounts, err = t.Mounts(e.n); err != nil {
			return err
		}
		todo, err = t.CountTodo(e.n)
		return err
	})
	if err != nil || !start && todo > 0 {
		return err
	}
	coming := map[string]bool{}
	for _, a := range e.plan.coming {
		coming[a.temp] = true
	}
	return f.applier.Clean(e.ctx, disk.CleanOptions{Mounts: mounts, Lost: start && e.row.Walked.IsZero(), Keep: func(temp string) bool {
		return coming[temp] || start && isLargeTemp(path.Base(temp))
	}})
}

// isLargeTemp reports whether a temporary file is one that a large file is put together in: it is named by the content.
func isLargeTemp(name string) bool {
	_, err := hex.DecodeString(name)
	return err == nil && len(name) == 64
}

// quotaRoom is nil when a file of so many bytes may be fetched by the quota of the share: what is on disk counts, and the
// archive.
func (e *engine) quotaRoom(size int64) error {
	config, u := parseConfig(e.row.Options), &e.folder.upkeep
	quota, err := e.quota(&config)
	if err != nil || quota == 0 {
		return err
	}
	if now := e.node.now(); now.Sub(u.counted).Abs() >= countedAgain {
		err := e.node.db.View(e.ctx, func(t *db.Tx) error {
			_, bytes, err := t.CountBase(e.n)
			if err != nil {
				return err
			}
			u.used, err = t.ArchiveBytes(e.n)
			u.used += bytes
			return err
		})
		if err != nil {
			return err
		}
		u.used, u.counted = u.used+e.larderBytes(), now
	}
	if u.used+size > quota {
		return &quotaError{size, u.used, quota}
	}
	u.used += size
	return nil
}

// A quotaError is that a file does not fit, in bytes.
type quotaError struct{ size, used, quota int64 }

func (e *quotaError) Error() string {
	return fmt.Sprintf("%d bytes do not fit: %d of the quota of %d are used", e.size, e.used, e.quota)
}

// Is makes it a want of room.
func (e *quotaError) Is(target error) bool { return target == disk.ErrNoRoom || target == errFull }

// noteFull lets room be made: the archive gives up what is older than seven days, garbage is collected. It also says so.
func (e *engine) noteFull(why error) {
	e.folder.upkeep.tight = true
	e.node.minder.tight()
	e.setFull(why.Error())
}

// seeRoom notes when there is room again.
func (e *engine) seeRoom() {
	v, _ := e.look()
	if v.Full == "" {
		return
	}
	free, err := e.folder.fs.Free(".")
	if err != nil || free < e.folder.applier.Reserve+roomToGo {
		return
	}
	if e.folder.upkeep.counted = (time.Time{}); e.quotaRoom(0) == nil {
		e.setFull("")
	}
}

func (e *engine) setFull(why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.view.Full = why
	e.tell()
}

// chunksOf records where the chunks of a large file are, or will be: other versions and copies of it need not fetch them.
func (e *engine) chunksOf(t *db.Tx, l *blob.Torrent) error {
	old, err := t.Data(e.n, l.Info)
	if err != nil || old != nil {
		return err
	}
	d := db.Data{Share: e.n, Info: l.Info, Hash: l.InfoHash, State: db.DataPlain}
	if err := t.AddData(&d); err != nil {
		return err
	}
	for i := range l.Pieces() {
		if err := t.PutPiece(l.Sum(i), d.N, i); err != nil {
			return err
		}
	}
	return nil
}
