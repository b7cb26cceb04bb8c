package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/disk"
	"shoal/share/index"
	"shoal/share/rules"
	"shoal/share/wire"
)

// limitsFile is where the folder of a share, a store's too, says what the share may cost this node (docs/shares.md §11).
const limitsFile = disk.Dir + "/limits.toml"

// limits are those of a share on this node. Until the file was read once, and understood, nothing is sent or taken: no limit
// that somebody wrote down is passed over. One that cannot be understood later leaves those of before.
type limits struct {
	up, down throttle

	mu    sync.Mutex // guards what follows
	known bool       // they were read
	rules.Limits
	ident index.Ident // of the file that was read; none: it was not there, or too young
	wrong string      // with the file as it is now; "" = nothing
}

// bounds are the limits that count for a share: of one beside another, those of the other.
func (e *engine) bounds() *limits {
	if e.isBeside() {
		if source := e.node.byNumber(e.link.Of); source != nil {
			return &source.limits
		}
	}
	return &e.limits
}

// sending and taking wait until n bytes of blobs and pieces more may go to peers, or come from them.
func (e *engine) sending(ctx context.Context, n int) error { return e.bounds().up.wait(ctx, n) }
func (e *engine) taking(ctx context.Context, n int) error  { return e.bounds().down.wait(ctx, n) }

// serveLimited is serve, which refuses while it is not known how fast it may be.
func (e *engine) serveLimited(ctx context.Context, id blob.ID) ([]byte, error) {
	if !e.bounds().up.isOpen() {
		return nil, wire.ErrNotHere
	}
	return e.serve(ctx, id)
}

// youngLimits is how old a file must be when it is read, so that its identity says that it has not changed.
const youngLimits = 2 * time.Second

// seeLimits reads the limits again if they may have changed. The control goroutine calls it at each step.
func (e *engine) seeLimits() {
	l := &e.limits
	var fsys disk.FS
	switch {
	case e.store != nil:
		fsys, _ = e.store.folder()
	case e.folder != nil:
		fsys = e.folder.fs
	}
	if fsys == nil {
		if e.row.Dir == "" { // there is no folder that could have limits
			l.set(rules.Limits{}, index.Ident{})
		}
		return
	}
	e.readLimits(fsys)
}

// peekLimits is seeLimits where the folder is not open: while no node runs, for what status says; and of a share that is
// stranded, for the exports that the node is beside.
func (e *engine) peekLimits() {
	if e.row.Dir == "" {
		e.limits.set(rules.Limits{}, index.Ident{})
		return
	}
	fsys, err := e.node.openFS(e.row.Dir)
	if err != nil {
		return
	}
	defer fsys.Close()
	if disk.CheckMark(fsys, e.idText()) == nil { // an empty mount point has no limits, and the disk that belongs there may
		e.readLimits(fsys)
	}
}

func (e *engine) readLimits(fsys disk.FS) {
	l := &e.limits
	now, ident, err := l.read(fsys)
	age := e.node.now().Sub(time.Unix(0, ident.CTime))
	young := age < youngLimits // or the clock was set back
	switch {
	case err == nil && age.Abs() < youngLimits && ident.Inode != 0 && ident.Size == 0:
		// Somebody is about to write it: the next step sees what.
	case err != nil:
		if l.refuse(err) {
			e.log.Error("the limits of the share cannot be read", "file", limitsFile, "why", err)
		}
	case now != nil:
		if young {
			ident = index.Ident{}
		}
		if l.set(*now, ident) {
			e.tryAgain()
		}
	}
}

// tryAgain lets what there was no room for be tried at once.
func (e *engine) tryAgain() {
	clear(e.plan.waiting)
	e.plan.again = true
	if e.folder != nil {
		e.folder.upkeep.counted = time.Time{}
	}
	if s := e.store; s != nil {
		s.mu.Lock()
		for _, w := range s.large {
			w.after = time.Time{}
		}
		s.mu.Unlock()
	}
}

// read is what the file says; nil when it has not changed.
func (l *limits) read(fsys disk.FS) (now *rules.Limits, ident index.Ident, err error) {
	info, err := fsys.Lstat(limitsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return &rules.Limits{}, ident, nil
	}
	if err != nil {
		return nil, ident, err
	}
	if l.isOf(info.Ident) {
		return nil, ident, nil
	}
	if info.Type != 0 {
		return nil, ident, errors.New("it is no file")
	}
	f, err := fsys.Open(limitsFile)
	if err != nil {
		return nil, ident, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, 0, rules.MaxFile+1))
	if err != nil {
		return nil, ident, err
	}
	parsed, err := rules.ParseLimits(text)
	return &parsed, info.Ident, err
}

// isOf reports whether a file is the one that was read.
func (l *limits) isOf(ident index.Ident) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known && l.wrong == "" && ident == l.ident
}

// set makes limits count. otherRoom: that for storage has changed.
func (l *limits) set(now rules.Limits, ident index.Ident) (otherRoom bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	otherRoom = l.known && l.Storage != now.Storage || l.wrong != ""
	l.known, l.Limits, l.ident, l.wrong = true, now, ident, ""
	l.up.set(true, now.Up)
	l.down.set(true, now.Down)
	return otherRoom
}

// refuse notes what is wrong with the file; false: it is known.
func (l *limits) refuse(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := l.wrong != err.Error()
	l.wrong = err.Error()
	return fresh
}

// problem is what is wrong with the file, and what that means; nil when nothing is.
func (l *limits) problem() *api.Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.wrong == "":
		return nil
	case l.known:
		return &api.Problem{Path: limitsFile, Why: l.wrong + " (the limits of before count until it is mended)"}
	}
	return &api.Problem{Path: limitsFile, Why: l.wrong + " (nothing is sent or taken until it is mended)"}
}

// stands reports whether nothing is sent or taken, because the limits are not known.
func (l *limits) stands() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.known && l.wrong != ""
}

// errNoLimits says that nothing is taken.
var errNoLimits = fmt.Errorf("%w: the limits of the share are not known", disk.ErrNoRoom)

// quota is how many bytes of the share may be here; 0 = any number. The error is errNoLimits: none may come, then.
func (e *engine) quota(c *api.ShareConfig) (int64, error) {
	l := e.bounds()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.known:
		return max(0, c.Quota), errNoLimits
	case l.Storage > 0 && (c.Quota <= 0 || l.Storage < c.Quota):
		return l.Storage, nil
	}
	return max(0, c.Quota), nil
}
