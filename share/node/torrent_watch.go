package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"shoal/bt"
	"shoal/share/db"
)

// A torrentWatch picks up .torrent and .magnet files. Each state of a file is picked up once, also over restarts: what
// "serve rm" gave up stays so until the file is written again. The files are left alone, and taking one away does
// nothing.
type torrentWatch struct {
	ts     *torrents
	picked map[string]string // path → stamp, of what was picked up, or refused for good
	young  map[string]bool   // paths of files that could not be read, and may still be being written
}

const (
	watchPoll       = 10 * time.Second // where the system has no events, and for those that it loses
	watchAgain      = 500 * time.Millisecond
	watchYoung      = 5 * time.Second // a file that was not modified for so long is not being written
	maxWatchTorrent = 40 << 20
	maxWatchMagnet  = 1 << 20
	watchedKey      = "watched" // in the database: JSON of picked
)

func newTorrentWatch(ts *torrents) *torrentWatch {
	w := &torrentWatch{ts: ts, picked: map[string]string{}, young: map[string]bool{}}
	err := ts.db.View(ts.ctx, func(t *db.Tx) error {
		b, err := t.Value(watchedKey)
		if err == nil && b != nil {
			err = json.Unmarshal(b, &w.picked)
		}
		return err
	})
	if err != nil {
		ts.log.Warn("what was picked up before is not known", "err", err)
	}
	return w
}

// run looks at the folders until ctx is done.
func (w *torrentWatch) run(ctx context.Context) {
	events := make(<-chan fsnotify.Event)
	notify, err := fsnotify.NewWatcher()
	if err == nil {
		defer notify.Close()
		events = notify.Events
		for _, dir := range w.ts.opts.Watch {
			if err := notify.Add(dir); err != nil {
				w.ts.log.Warn("a folder is only looked at once in a while", "folder", dir, "err", err)
			}
		}
	}
	for {
		for _, dir := range w.ts.opts.Watch {
			w.look(ctx, dir)
		}
		pause := watchPoll
		if len(w.young) > 0 {
			pause = watchAgain
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-events:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// look picks up what is new in a folder.
func (w *torrentWatch) look(ctx context.Context, dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.ts.log.Warn("a folder of torrents cannot be read", "folder", dir, "err", err)
		return
	}
	news, there := false, map[string]bool{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if ext := filepath.Ext(path); strings.HasPrefix(e.Name(), ".") || ext != ".torrent" && ext != ".magnet" {
			continue
		}
		there[path] = true
		news = w.pick(ctx, path) || news
	}
	for path := range w.picked {
		if filepath.Dir(path) == dir && !there[path] {
			delete(w.picked, path)
			news = true
		}
	}
	if !news {
		return
	}
	b, err := json.Marshal(w.picked)
	if err == nil {
		err = w.ts.db.Update(ctx, func(t *db.Tx) error { return t.SetValue(watchedKey, b) })
	}
	if err != nil && ctx.Err() == nil {
		w.ts.log.Warn("what was picked up is not kept", "err", err)
	}
}

// pick adds what a file names. It reports whether that is over with, for this state of the file.
func (w *torrentWatch) pick(ctx context.Context, path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	stamp := fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano())
	if w.picked[path] == stamp {
		return false
	}
	err = w.addFile(ctx, path)
	if ctx.Err() != nil {
		return false
	}
	delete(w.young, path)
	if err != nil && bt.CodeOf(err) != bt.Exists {
		if time.Since(info.ModTime()) < watchYoung { // perhaps it is being written
			w.young[path] = true
			return false
		}
		w.ts.log.Warn("a file of a watched folder names no torrent that can be added", "file", path, "err", err)
	}
	w.picked[path] = stamp
	return true
}

// addFile adds what a file names: a .torrent, or a magnet on each line.
func (w *torrentWatch) addFile(ctx context.Context, path string) error {
	r := torrentRow{Dir: w.ts.opts.Dir, Added: w.ts.now().UTC().Truncate(time.Second)}
	if r.Dir == "" {
		r.Dir = filepath.Dir(path)
	}
	if filepath.Ext(path) == ".torrent" {
		b, err := readUpTo(path, maxWatchTorrent)
		if err == nil {
			r.Metainfo = b
			_, err = w.ts.add(ctx, r)
		}
		return err
	}
	b, err := readUpTo(path, maxWatchMagnet)
	if err != nil {
		return err
	}
	found := false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		found = true
		src, err := bt.ParseSource(line)
		if err != nil {
			return err
		}
		if src.Magnet == nil {
			return fail(bt.BadInput, "%q is neither a magnet nor an infohash", line)
		}
		r.Magnet = src.Magnet.String()
		if _, err := w.ts.add(ctx, r); err != nil && bt.CodeOf(err) != bt.Exists {
			return err
		}
	}
	if !found {
		return fail(bt.BadInput, "there is no magnet in it")
	}
	return nil
}

func readUpTo(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fail(bt.BadInput, "it is longer than %d bytes", limit)
	}
	return b, err
}

// checkWatched refuses folders that are not there.
func checkWatched(dirs []string) error {
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is no folder", dir)
		}
		if err != nil {
			return &bt.Error{Code: bt.BadInput, Err: fmt.Errorf("watching for torrents: %w", err)}
		}
	}
	return nil
}
