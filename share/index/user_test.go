package index

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"shoal/share/blob"
)

// A user does things to what is on disk.
type user struct {
	*world
	r     *replica
	shown map[string]Shown // by path on disk
	paths []string
}

func (w *world) user(r *replica) (*user, error) {
	u := &user{world: w, r: r, shown: map[string]Shown{}}
	for all, err := range NewView(w.f, r.base.Files, false).All() {
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			if old, ok := u.shown[s.Path]; ok {
				return nil, fmt.Errorf("%s shows %v and %v at one path", r.name, old, s)
			}
			u.shown[s.Path] = s
			u.paths = append(u.paths, s.Path)
		}
	}
	slices.Sort(u.paths)
	return u, nil
}

// path is any path of a small world, so that users meet.
func (u *user) path() string {
	names := make([]string, 1+u.below(3, "depth"))
	for i := range names {
		names[i] = u.names[u.below(3, "name")]
	}
	return strings.Join(names, "/")
}

// some is what is shown somewhere; false when nothing is.
func (u *user) some() (Shown, bool) {
	if len(u.paths) == 0 {
		return Shown{}, false
	}
	return u.shown[u.paths[u.below(len(u.paths), "shown")]], true
}

// remove is the events of the loss of a path and all below it.
func (u *user) remove(p string) (events []Event) {
	for _, q := range u.paths {
		if q != p && !strings.HasPrefix(q, p+"/") {
			continue
		}
		if s := u.shown[q]; len(s.Dots) > 0 {
			events = append(events, Event{RemoveAt: s.Natural, Remove: s.Dots})
		}
	}
	return events
}

// clear makes room for something at p: files that it would be in go, and what is there if it is not the same kind.
func (u *user) clear(p string, dir bool) (events []Event, replaced *Shown) {
	for d := parent(p); d != ""; d = parent(d) {
		if s, ok := u.shown[d]; ok && s.Type != Dir {
			events = append(events, u.remove(d)...)
		}
	}
	s, ok := u.shown[p]
	if !ok {
		return events, nil
	}
	if (s.Type == Dir) != dir {
		return append(events, u.remove(p)...), nil
	}
	return events, &s
}

// put is the events of an entry that comes to p, in place of what is there.
func (u *user) put(p string, e *Entry) []Event {
	events, s := u.clear(p, e.Type == Dir)
	ev := Event{AddAt: p, Add: e}
	if s != nil {
		ev.RemoveAt, ev.Remove = s.Natural, s.Dots
	}
	return append(events, ev)
}

// entry is something new.
func (u *user) entry() *Entry {
	n := len(u.acts) + 1
	switch u.below(8, "type") {
	case 0:
		return &Entry{Type: Dir, Mode: uint32(0o700 + u.below(3, "mode")), HasMode: true}
	case 1:
		return &Entry{Type: Symlink, MTime: int64(n), Value: fmt.Append(nil, "to ", u.below(3, "target"))}
	case 2: // an empty file
		return &Entry{Type: File, MTime: int64(n)}
	case 3: // what somebody else may write as well
		return u.file(u.below(3, "content"), u.below(n, "mtime"))
	}
	return u.file(1000+n, n)
}

// file is a file of this content.
func (u *user) file(content, mtime int) *Entry {
	return &Entry{Type: File, MTime: int64(mtime), Size: 10, Hash: hashOf("content", content), Caps: []blob.Cap{capOf(blob.Data, content)}}
}

// act is something that a user does.
func (u *user) act() error {
	s, ok := u.some()
	op := u.below(8, "act")
	var events []Event
	switch {
	case !ok || op <= 2:
		p, e := u.path(), u.entry()
		u.note("%s makes %c %s", u.r.name, e.Type, p)
		events = u.put(p, e)
	case op == 3:
		e := u.entry()
		u.note("%s makes %c of %s", u.r.name, e.Type, s.Path)
		events = u.put(s.Path, e)
	case op == 4 || op == 5:
		u.note("%s removes %s", u.r.name, s.Path)
		events = u.remove(s.Path)
	case op == 6:
		to := u.path()
		u.note("%s renames %s to %s", u.r.name, s.Path, to)
		events = u.rename(s, to)
	case s.Type == Symlink || len(s.Dots) == 0:
		return nil
	default:
		u.note("%s changes the mode of %s", u.r.name, s.Path)
		events = []Event{{RemoveAt: s.Natural, Remove: s.Dots, AddAt: s.Path, Add: moved(s, u.below(3, "mode"))}}
	}
	if u.below(10, "meta") == 0 {
		p := path.Join("member", []string{"x", "y"}[u.below(2, "member")])
		set, err := u.f.Find(u.r.base.Meta, p)
		if err != nil {
			return err
		}
		ev := Event{Meta: true, RemoveAt: p, AddAt: p, Add: &Entry{Type: Meta, Value: fmt.Append(nil, len(u.acts))}}
		for _, e := range set.Entries {
			ev.Remove = append(ev.Remove, e.Dot)
		}
		events = append(events, ev)
	}
	return u.do(u.r, events)
}

// moved is what is shown as a new entry.
func moved(s Shown, mode int) *Entry {
	e := &Entry{Type: s.Type, MTime: s.MTime, Mode: s.Mode, HasMode: s.HasMode, Size: s.Size, Hash: s.Hash, Caps: s.Caps, Value: s.Value}
	if mode >= 0 {
		e.Mode, e.HasMode = uint32(0o750+mode), true
	}
	return e
}

// rename moves what is shown, and all in it, to another path.
func (u *user) rename(s Shown, to string) []Event {
	if to == s.Path || strings.HasPrefix(to, s.Path+"/") || strings.HasPrefix(s.Path, to+"/") || len(to) > 200 {
		return nil
	}
	events, old := u.clear(to, false)
	if old != nil {
		events = append(events, Event{RemoveAt: old.Natural, Remove: old.Dots})
	}
	for _, q := range u.paths {
		rest, ok := strings.CutPrefix(q, s.Path)
		if !ok || rest != "" && rest[0] != '/' || depthOf(to+rest) > 8 {
			continue
		}
		if x := u.shown[q]; len(x.Dots) > 0 {
			events = append(events, Event{RemoveAt: x.Natural, Remove: x.Dots, AddAt: to + rest, Add: moved(x, -1)})
		}
	}
	return events
}
