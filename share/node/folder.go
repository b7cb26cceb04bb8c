package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/disk"
)

// folder is a share's folder while it is there and ours.
type folder struct {
	fs      disk.FS
	lock    *disk.Lock
	scanner *disk.Scanner
	applier *disk.Applier
	watcher *disk.Watcher // nil: only walks
	stop    context.CancelFunc
	wg      sync.WaitGroup

	dirty    disk.Paths // to be scanned
	virgin   bool       // B has no rows
	walked   time.Time  // the last whole walk of this process; zero = none yet
	recheck  time.Time  // when to hash those again that were too young; zero = none
	settling disk.Paths
	upkeep   upkeep
}

// hourly is how often the whole folder is walked, whatever the watcher says.
const hourly = time.Hour

func (f *folder) close() {
	if f.stop != nil {
		f.stop()
		f.wg.Wait()
	}
	f.fs.Close()
	f.lock.Close()
}

// openFolder opens the share's folder, if it has one and it is not open.
func (e *engine) openFolder() (err error) {
	if e.folder != nil || e.row.Dir == "" || e.forest == nil {
		return nil
	}
	fs, err := e.node.openFS(e.row.Dir)
	if err != nil {
		return fmt.Errorf("%w: %w", disk.ErrAbsent, err)
	}
	f := &folder{fs: fs, dirty: disk.Paths{}, settling: disk.Paths{}}
	defer func() {
		if err != nil {
			fs.Close()
		}
	}()
	if err := disk.CheckMark(fs, e.idText()); err != nil {
		return err
	}
	if f.lock, err = disk.LockFolder(e.row.Dir); err != nil {
		return err
	}
	if e.node.watch {
		f.watcher = disk.NewWatcher(e.row.Dir, disk.WatchOptions{Now: e.node.now})
	}
	f.scanner = disk.NewScanner(fs, known{e.ctx, e.node.db, e.n, func() bool { return f.virgin }}, disk.ScanOptions{
		Share: e.idText(), Now: e.node.now, DirWait: e.node.dirWait, Skip: func(p string) bool { return f.applier.Unfinished(p) || e.isMount(p) }, Enter: func(dir string) {
			if f.watcher != nil {
				f.watcher.Enter(dir)
			}
		},
	})
	f.applier = &disk.Applier{FS: fs, Log: intents{e}, Shelf: intents{e}, Now: e.node.now, Hash: func(ctx context.Context, r io.ReaderAt, size int64) ([32]byte, error) {
		return blob.Sum(ctx, io.NewSectionReader(r, 0, size), size, 0)
	}}
	if _, err := f.applier.Recover(e.ctx); err != nil {
		f.lock.Close()
		return err
	}
	if err := e.cleanTemps(f, true); err != nil {
		e.log.Warn("temporary files are left", "why", err)
	}
	e.folder = f
	e.show(api.StateScanning, nil)
	if f.watcher != nil {
		ctx, cancel := context.WithCancel(e.ctx)
		f.stop = cancel
		f.wg.Go(func() { _ = f.watcher.Run(ctx, e.watched) })
	}
	return nil
}

// idText is how the share is named in its folder's marker.
func (e *engine) idText() string { return fmt.Sprintf("%x", e.token.Share[:]) }

var errNoFolder = errors.New("the share has no folder here, or it is not there now")
