package node

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

// askTime is how long peers are asked for content before it counts as lost.
const askTime = 15 * time.Second

// Restore brings back what a path was: a version that History names, or what was there at a time (RFC 3339, a date with or
// without a time in local time, or a duration: so long ago). A folder is restored with what is below it; what has come to it
// since stays. It is an edit of this node: others get it too. The content must be here, in the archive, or with somebody who
// is connected.
func (n *Node) Restore(ctx context.Context, name, p, at string) ([]api.FileInfo, error) {
	e, t, err := n.reading(name)
	if err != nil {
		return nil, err
	}
	if e.token.Role < secret.Write {
		return nil, fail(codeDenied, "only a writer can restore in %s", e.row.Name)
	}
	p = cleanPath(p)
	if natural, _, err := t.natural(p); err == nil {
		p = natural
	}
	old, err := e.versionsAt(ctx, p, at)
	if err != nil {
		return nil, err
	}
	if old, err = t.changed(old); err != nil {
		return nil, ioError("reading the share", err)
	}
	n.Start()
	if err := e.available(ctx, old); err != nil {
		return nil, err
	}
	var list []api.FileInfo
	err = e.do(ctx, func() (err error) {
		list, err = e.restore(old)
		return err
	})
	return list, err
}

// versionsAt are the versions that at names, of a path and what is below it.
func (e *engine) versionsAt(ctx context.Context, p, at string) ([]past, error) {
	all, err := e.pasts(ctx, p)
	if err != nil {
		return nil, err
	}
	var named []past
	for i := range all {
		if id := all[i].id(); id == at || len(at) >= 8 && strings.HasPrefix(id, at) {
			named = append(named, all[i])
		}
	}
	if len(named) == 1 {
		return named, nil
	}
	if len(named) > 1 {
		return nil, fail(bt.NotFound, "several versions begin with %s", at)
	}
	when, ok := parseWhen(at, e.node.now())
	if !ok {
		return nil, fail(bt.NotFound, "%q is no version that is known here, and no time", at)
	}
	found, err := e.pastsAt(ctx, p, when)
	if err == nil && len(found) == 0 {
		err = fail(bt.NotFound, "it is not known what was at %q at %s", p, when.Format(time.DateTime))
	}
	return found, err
}

// parseWhen reads a time.
func parseWhen(s string, now time.Time) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, true
	}
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, true
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), true
	}
	return time.Time{}, false
}

// pastsAt is what was at a path, and below it, at a time: by the newest head that is not younger; where none is so old, by
// what the archive here took since.
func (e *engine) pastsAt(ctx context.Context, p string, when time.Time) (found []past, err error) {
	heads, err := e.oldHeads()
	if err != nil {
		return nil, ioError("reading old heads", err)
	}
	i := slices.IndexFunc(heads, func(h oldHead) bool { return !h.made.After(when) })
	if i < 0 {
		return e.shelvedAt(ctx, p, when)
	}
	t := e.treeOf(heads[i].root)
	for place, err := range t.forest.Walk(t.root, p) {
		if err != nil {
			return nil, ioError("reading an old head", err)
		}
		shown, err := t.shows.At(place.Path)
		if err != nil {
			return nil, ioError("reading an old head", err)
		}
		if len(shown) > 0 && (shown[0].Type == index.File || shown[0].Type == index.Symlink || shown[0].Type == index.Dir && len(shown[0].Dots) > 0) {
			found = append(found, past{natural: place.Path, shown: shown[0]})
		}
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// shelvedAt is what left its path first after a time, if it is older.
func (e *engine) shelvedAt(ctx context.Context, p string, when time.Time) (found []past, err error) {
	var old []db.Archived
	err = e.node.db.View(ctx, func(t *db.Tx) (err error) { old, err = t.ArchivedAt(e.n, p); return err })
	if err != nil {
		return nil, ioError("reading the archive", err)
	}
	have := map[string]bool{}
	for i := range old { // the oldest first
		r := &old[i].Row
		if have[r.Path] || !old[i].Added.After(when) || r.Ident.MTime > when.UnixNano() || r.Size > 0 && len(r.Caps) == 0 {
			continue
		}
		have[r.Path] = true
		found = append(found, past{natural: r.Path, archive: true, shown: index.Shown{Path: r.Path, Natural: r.Path, Type: index.File, MTime: r.Ident.MTime,
			Mode: r.Ident.Mode & uint32(fs.ModePerm), HasMode: r.Ident.Mode != 0, Size: r.Size, Hash: r.Hash, Caps: r.Caps, Dots: r.Dots}})
	}
	return found, nil
}

// changed are the versions that are others than what has the name now.
func (t *treeNow) changed(old []past) (changed []past, err error) {
	for i := range old {
		shown, err := t.shows.At(old[i].natural)
		if err != nil {
			return nil, err
		}
		if len(shown) > 0 && sameAs(&shown[0], &old[i].shown) {
			continue
		}
		changed = append(changed, old[i])
	}
	return changed, nil
}

func sameAs(a, b *index.Shown) bool {
	return a.Type == b.Type && (a.Type == index.Dir || a.Hash == b.Hash && a.Size == b.Size && string(a.Value) == string(b.Value) && a.MTime == b.MTime)
}

// available looks whether the content of versions can be had: NotFound, and nothing is restored, when somebody would have to
// wait for it for ever.
func (e *engine) available(ctx context.Context, old []past) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	infos, err := e.larges(ctx)
	if err != nil {
		return ioError("reading the node's state", err)
	}
	var units []unit
	var of []int
	for i := range old {
		s := &old[i].shown
		if s.Type != index.File || s.Size == 0 {
			continue
		}
		if here, err := e.hereNow(ctx, s); err != nil || here {
			if err != nil {
				return ioError("reading the node's state", err)
			}
			continue
		}
		row := index.Base{Type: index.File, Size: s.Size, Caps: s.Caps}
		list, ok := rowUnits(&row, infos)
		if !ok {
			list = []unit{unit(s.Caps[0].ID)} // who has its recipe can tell the rest
		}
		for _, u := range list {
			units, of = append(units, u), append(of, i)
		}
	}
	if len(units) == 0 {
		return nil
	}
	if e.net == nil {
		return fail(bt.NoPeers, "the content of %s is not here, and this node meets nobody", old[of[0]].natural)
	}
	claims := e.promise.askAll(ctx, e.net.all(), units, 0)
	for _, i := range lacking(promises(len(units), claims, func([32]byte) bool { return true }), 1) {
		// It may be in somebody's archive, which promises nothing, and serves.
		id := blob.ID(units[i])
		if id != old[of[i]].shown.Caps[0].ID || id.Kind() != blob.Data || e.net.fetcher.Fetch(ctx, []blob.ID{id}, func(blob.ID, []byte) error { return nil }) != nil {
			return fail(bt.NotFound, "nobody who is connected has the content of %s", old[of[i]].natural)
		}
	}
	return nil
}

// hereNow reports whether the content of a file is on disk or in the archive.
func (e *engine) hereNow(ctx context.Context, s *index.Shown) (bool, error) {
	fsys := e.fsNow()
	if fsys == nil || len(s.Caps) == 0 {
		return false, nil
	}
	names, err := e.filesOf(ctx, s.Caps[0].ID)
	for _, name := range names {
		if info, err := fsys.Lstat(name); err == nil && info.Ident.Size == s.Size {
			return true, nil
		}
	}
	return false, err
}

// restore makes versions the newest of their paths. The control goroutine calls it.
func (e *engine) restore(old []past) (list []api.FileInfo, err error) {
	list = []api.FileInfo{}
	t := e.treeOf(e.row.State.Root)
	var events []index.Event
	for i := range old {
		s := &old[i].shown
		shown, err := t.shows.At(old[i].natural)
		if err != nil {
			return nil, ioError("reading the share", err)
		}
		if len(shown) > 0 && sameAs(&shown[0], s) {
			continue
		}
		ev := index.Event{AddAt: old[i].natural, Add: &index.Entry{Name: path.Base(old[i].natural), Type: s.Type, MTime: s.MTime, Mode: s.Mode,
			HasMode: s.HasMode && s.Type != index.Symlink, Size: s.Size, Hash: s.Hash, Caps: s.Caps, Value: s.Value}}
		if s.Type == index.Dir {
			ev.Add.MTime = 0
		}
		// It takes the place of what has the name; conflict copies beside it stay.
		if len(shown) > 0 && shown[0].Type != index.Dir {
			ev.RemoveAt, ev.Remove = old[i].natural, shown[0].Dots
		}
		e.plan.accepted[old[i].natural] = true
		events = append(events, ev)
		info := fileInfo(s, false, false)
		info.Path, info.Natural = old[i].natural, ""
		list = append(list, info)
	}
	if len(events) == 0 {
		return list, nil
	}
	if err := e.commitEvents(events); err != nil {
		return nil, fmt.Errorf("restoring: %w", err)
	}
	return list, nil
}
