package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"shoal/share/blob"
	"shoal/share/disk"
	"shoal/share/index"
)

// larder is what is being fetched for the disk: the control goroutine orders, others bring.
type larder struct {
	mu      sync.Mutex // guards what follows
	ordered map[blob.ID][]*arrival
	arrived []*arrival
	since   time.Time        // when the first of those came
	missing map[blob.ID]bool // nobody who is here has it
	bytes   int64            // of what is ordered and not arrived
}

func newLarder() *larder {
	return &larder{ordered: map[blob.ID][]*arrival{}, missing: map[blob.ID]bool{}}
}

// fetch orders the content of a file. The control goroutine gets it in putArrived.
func (e *engine) fetch(s *index.Shown) error {
	if e.plan.coming[s.Path] != nil {
		return nil
	}
	a := &arrival{shown: *s, large: s.Size > blob.Small, of: e.row.State.Root.Files}
	name := hex.EncodeToString(s.Hash[:])
	if s.Size == 0 {
		name = "empty"
	}
	e.temps++
	temp, err := e.folder.applier.Temp(s.Path, fmt.Sprintf("%s-%d", name, e.temps), s.Size)
	if err == nil {
		err = e.quotaRoom(s.Size)
	}
	if a.large && err == nil {
		temp, err = e.folder.applier.Temp(s.Path, name, s.Size) // what came of it before is still good
		if e.largeComing(temp) {
			err = errComing
		}
	}
	switch {
	case errors.Is(err, errComing):
		e.plan.twins = true // the same content for another path: when it is here, it is copied
		return nil
	case errors.Is(err, disk.ErrNoRoom):
		return e.noRoom(s, err)
	case err != nil:
		e.retry(s.Natural, s.Path, err)
		return nil
	}
	a.temp = temp
	a.ctx, a.cancel = context.WithCancel(e.ctx)
	e.plan.coming[s.Path] = a
	e.plan.naturals[s.Natural]++
	switch {
	case s.Size == 0:
		a.err = e.writeTemp(a.temp, nil)
		e.arrive(a)
	case e.fromArchive(a), e.fromOther(a):
	case a.large:
		e.wg.Go(func() { e.fetchLarge(a) })
	default:
		e.order(a)
	}
	return nil
}

var errComing = errors.New("it is on its way")

func (e *engine) largeComing(temp string) bool {
	for _, a := range e.plan.coming {
		if a.temp == temp {
			return true
		}
	}
	return false
}

// order asks the peers for a small file.
func (e *engine) order(a *arrival) {
	id := a.cap().ID
	l := e.larder
	l.mu.Lock()
	l.ordered[id] = append(l.ordered[id], a)
	l.bytes += a.shown.Size
	l.mu.Unlock()
	if e.net != nil {
		e.net.wantData(id)
	}
}

// brought takes in a blob that somebody ordered. It is called by the goroutine that fetches.
func (e *engine) brought(id blob.ID, b []byte) error {
	l := e.larder
	l.mu.Lock()
	waiting := l.ordered[id]
	delete(l.ordered, id)
	delete(l.missing, id)
	l.mu.Unlock()
	for _, a := range waiting {
		plain, err := blob.OpenFile(a.cap(), a.shown.Size, a.shown.Hash, b)
		if err == nil {
			err = e.writeTemp(a.temp, plain)
		}
		a.err = err
		e.arrive(a)
	}
	return nil
}

// missed notes that nobody who is here has a blob.
func (e *engine) missed(id blob.ID) {
	l := e.larder
	l.mu.Lock()
	l.missing[id] = true
	l.mu.Unlock()
	e.poke()
}

// arrive hands a file to the control goroutine.
func (e *engine) arrive(a *arrival) {
	l := e.larder
	l.mu.Lock()
	if l.arrived = append(l.arrived, a); len(l.arrived) == 1 {
		l.since = e.node.now()
	}
	if !a.large && a.shown.Size > 0 {
		l.bytes -= a.shown.Size
	}
	ripe := len(l.arrived) == 1 || len(l.arrived) == applyAt || len(l.ordered) == 0
	l.mu.Unlock()
	if ripe {
		e.poke()
	}
}

// gatherTime is how long files that came wait for others: what is put together is made durable together.
const gatherTime = 200 * time.Millisecond

// ripe takes the files that are to be put in place now, and says how long to wait for more.
func (l *larder) ripe(now time.Time) (all []*arrival, more bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.arrived) == 0 {
		return nil, false, idleLook
	}
	if wait := gatherTime - now.Sub(l.since); len(l.arrived) < applyAt && len(l.ordered) > 0 && wait > 0 && wait <= gatherTime {
		return nil, false, wait
	}
	all = l.arrived[:min(len(l.arrived), applyAt)]
	l.arrived, l.since = l.arrived[len(all):], now
	return all, len(l.arrived) > 0, idleLook
}

// writeTemp writes a small file that is to be put in place.
func (e *engine) writeTemp(temp string, plain []byte) error {
	fsys := e.fsNow()
	f, err := fsys.Create(temp)
	if errors.Is(err, fs.ErrExist) { // of an earlier run
		if err := fsys.Remove(temp); err != nil {
			return err
		}
		f, err = fsys.Create(temp)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(plain, 0)
	return err
}

// putArrived puts what has come in its place, unless it is no longer wanted there.
func (e *engine) putArrived() (more bool, err error) {
	all, more, wait := e.larder.ripe(e.node.now())
	e.gathering = wait
	if len(all) == 0 {
		return false, nil
	}
	var ops []disk.Op
	var of []*arrival
	t := newTally(nil, nil)
	planned, err := e.planArrived(all)
	if err != nil {
		return false, err
	}
	for _, a := range all {
		if a.err != nil {
			e.failed(a)
			continue
		}
		op, err := e.place(a, planned[a.shown.Natural])
		if err != nil {
			return false, err
		}
		if op == nil {
			continue
		}
		ops, of = append(ops, *op), append(of, a)
		t.left[a.shown.Natural]++
	}
	outcomes := e.folder.applier.Apply(e.ctx, ops)
	for i := range outcomes {
		natural := of[i].shown.Natural
		done, err := e.outcome(&outcomes[i], natural)
		if err != nil {
			return false, err
		}
		if !done {
			t.bad[natural] = true
			// Half done, the temporary file may be what the user had: it belongs to the intent until that is finished.
			if !e.folder.applier.Unfinished(of[i].shown.Path) {
				_ = e.folder.fs.Remove(of[i].temp)
			}
			continue
		}
		t.left[natural]--
		if e.plan.naturals[natural] > 0 {
			t.bad[natural] = true // a conflict copy of it is still on its way
		}
	}
	if err := context.Cause(e.ctx); err != nil {
		return false, err
	}
	if err := e.recheck(t, of); err != nil {
		return false, err
	}
	if e.plan.twins {
		e.plan.twins, e.plan.again = false, true
	}
	return more, e.finish(t)
}

// place is what puts a file that came in its place. It is nil, and the file is thrown away, when something else is wanted
// there now, or is there.
func (e *engine) place(a *arrival, planned []index.Op) (*disk.Op, error) {
	op := putOp(a, planned)
	if op == nil {
		e.plan.again = true
	} else if free, err := e.makeWay(op, a.shown.Natural); free || err != nil {
		return op, err
	}
	_ = e.folder.fs.Remove(a.temp)
	return nil, nil
}

// recheck keeps those natural paths on the list where there is more to do than what has just been put.
func (e *engine) recheck(t *tally, of []*arrival) error {
	for _, a := range of {
		natural := a.shown.Natural
		if a.alone || t.bad[natural] || t.left[natural] > 0 {
			continue
		}
		ops, err := e.planPath(natural)
		if err != nil {
			return err
		}
		if len(ops) > 0 {
			t.bad[natural], e.plan.again = true, true
		}
	}
	return nil
}

// giveUpOld ends the fetching of what is no longer wanted and may never come: its author has gone on, and nobody has it any
// more.
func (e *engine) giveUpOld() error {
	now := e.row.State.Root.Files
	for _, a := range e.plan.coming {
		if a.of == now || !a.large && !e.larder.isMissing(a.cap().ID) {
			continue
		}
		a.of = now
		ops, err := e.planPath(a.shown.Natural)
		if err != nil {
			return err
		}
		if putOp(a, ops) != nil {
			continue
		}
		e.plan.again = true
		if a.cancel(); a.large {
			continue // it arrives, with an error
		}
		if e.larder.drop(a) {
			e.forget(a)
			_ = e.folder.fs.Remove(a.temp)
		}
	}
	return nil
}

func (l *larder) isMissing(id blob.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.missing[id]
}

// drop takes a small file off the list; false when it has just come.
func (l *larder) drop(a *arrival) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := a.cap().ID
	waiting := l.ordered[id]
	i := slices.Index(waiting, a)
	if i < 0 {
		return false
	}
	if l.ordered[id] = slices.Delete(waiting, i, i+1); len(l.ordered[id]) == 0 {
		delete(l.ordered, id)
	}
	l.bytes -= a.shown.Size
	return true
}

// forget ends what fetch began.
func (e *engine) forget(a *arrival) {
	a.cancel()
	delete(e.plan.coming, a.shown.Path)
	if e.plan.naturals[a.shown.Natural]--; e.plan.naturals[a.shown.Natural] <= 0 {
		delete(e.plan.naturals, a.shown.Natural)
	}
}

// failed notes why a file did not come.
func (e *engine) failed(a *arrival) {
	if e.ctx.Err() != nil {
		return
	}
	if a.err != nil && errors.Is(a.err, context.Canceled) {
		e.plan.again = true // it was given up: something else is wanted there now
		return
	}
	e.retry(a.shown.Natural, a.shown.Path, a.err)
	if !a.large {
		_ = e.folder.fs.Remove(a.temp)
	}
}

// planArrived is what is to be done now at the natural paths of files that came.
func (e *engine) planArrived(all []*arrival) (map[string][]index.Op, error) {
	ops := make(map[string][]index.Op, len(all))
	var paths []string
	for _, a := range all {
		e.forget(a)
		if _, ok := ops[a.shown.Natural]; !ok && a.err == nil {
			ops[a.shown.Natural] = nil
			paths = append(paths, a.shown.Natural)
		}
	}
	return ops, e.planEach(paths, func(natural string, todo []index.Op) { ops[natural] = todo })
}

// putOp is that of ops which puts a file in its place; nil when it is no longer what is wanted there.
func putOp(a *arrival, ops []index.Op) *disk.Op {
	a.alone = len(ops) == 1
	for i := range ops {
		op := &ops[i]
		if op.Kind == index.Put && op.Path == a.shown.Path && op.Shown.Hash == a.shown.Hash && op.Shown.Size == a.shown.Size {
			return &disk.Op{Do: disk.Put, Path: op.Path, Temp: a.temp, Old: present(op.Base), New: newRow(op.Shown)}
		}
	}
	return nil
}

// noRoom holds a file that does not fit on the disk.
func (e *engine) noRoom(s *index.Shown, why error) error {
	e.retry(s.Natural, s.Path, why)
	return nil
}
