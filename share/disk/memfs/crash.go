package memfs

import (
	"io/fs"
	"math/rand/v2"
	"slices"
)

// A link is one name of a directory, and what it comes to mean; nil = nothing.
type link struct {
	dir  *inode
	name string
	to   *inode
}

// A change of names happens whole or not at all.
type change struct {
	links []link
	gone  []*inode // what the names meant before
}

// apply changes names now, and remembers that this is not durable.
func (t *tree) apply(links ...link) {
	c := &change{links: links}
	for _, l := range links {
		if old := l.dir.names[l.name]; old != nil {
			c.gone = append(c.gone, old)
			old.links--
		}
	}
	for _, l := range links {
		if l.to == nil {
			delete(l.dir.names, l.name)
		} else {
			l.dir.names[l.name] = l.to
			l.to.links++
		}
		t.touched(l.dir, true)
	}
	for _, n := range c.gone {
		if n.links == 0 {
			t.used -= int64(len(n.now.data))
		}
	}
	t.pending = append(t.pending, c)
	if len(t.pending) > maxPending { // what is old enough gets written by itself
		for _, c := range t.pending[:maxPending/2] {
			c.write()
		}
		t.pending = slices.Clone(t.pending[maxPending/2:])
	}
}

const maxPending = 4096

// needs reports whether c cannot be on the platter without the earlier change b.
func (c *change) needs(b *change) bool {
	for _, l := range c.links {
		for _, m := range b.links {
			if l.dir == m.dir && l.name == m.name || m.to == l.dir { // the same name; the directory that it is in
				return true
			}
		}
	}
	for _, n := range c.gone { // a directory is emptied before it goes
		if n.kind == fs.ModeDir && slices.ContainsFunc(b.links, func(m link) bool { return m.dir == n }) {
			return true
		}
	}
	return false
}

// settle puts those pending changes on the platter that want says, and what they need.
func (t *tree) settle(want func(*change) bool) {
	chosen := map[*change]bool{}
	for i := len(t.pending) - 1; i >= 0; i-- {
		c := t.pending[i]
		if !chosen[c] && !want(c) {
			continue
		}
		chosen[c] = true
		for _, b := range t.pending[:i] {
			if !chosen[b] && c.needs(b) {
				chosen[b] = true
			}
		}
	}
	rest := t.pending[:0:0]
	for _, c := range t.pending {
		if chosen[c] {
			c.write()
		} else {
			rest = append(rest, c)
		}
	}
	t.pending = rest
}

func (c *change) write() {
	for _, l := range c.links {
		if l.to == nil {
			delete(l.dir.after, l.name)
		} else {
			l.dir.after[l.name] = l.to
		}
	}
}

// keep puts the content of an inode on the platter.
func (t *tree) keep(n *inode) {
	n.kept, n.shared = n.now, true
	delete(t.dirty, n)
}

// SyncDir makes the names of a directory durable.
func (f *FS) SyncDir(name string) error {
	if err := f.begin("syncdir", name); err != nil {
		return err
	}
	dir, err := f.dir(name)
	if err == nil {
		f.keep(dir)
		f.settle(func(c *change) bool {
			return slices.ContainsFunc(c.links, func(l link) bool { return l.dir == dir })
		})
	}
	return f.end("syncdir", name, err)
}

// SyncAll makes everything on a device durable.
func (f *FS) SyncAll(name string) error {
	if err := f.begin("syncall", name); err != nil {
		return err
	}
	dir, err := f.dir(name)
	if err == nil {
		f.sync(dir.dev)
	}
	return f.end("syncall", name, err)
}

func (t *tree) sync(dev uint64) {
	for n := range t.dirty {
		if n.dev == dev {
			t.keep(n)
		}
	}
	rest := t.pending[:0:0]
	for _, c := range t.pending { // in order, so that nothing is asked of what is needed
		if c.links[0].dir.dev == dev {
			c.write()
		} else {
			rest = append(rest, c)
		}
	}
	t.pending = rest
}

// Sync makes everything durable, as time does.
func (f *FS) Sync() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for dev := range f.devices {
		f.sync(dev + 1)
	}
}

// Crash cuts the power: open files are dead, and of what was not synced some is lost.
func (f *FS) Crash(rnd *rand.Rand) {
	f.mu.Lock()
	defer f.mu.Unlock()
	luck := rnd.IntN(5) // 0: all is lost, 4: nothing
	lost := map[*change]bool{}
	for i, c := range f.pending {
		lost[c] = luck == 0 || luck < 4 && rnd.IntN(4) >= luck
		for _, b := range f.pending[:i] {
			lost[c] = lost[c] || lost[b] && c.needs(b)
		}
		if !lost[c] {
			c.write()
		}
	}
	f.pending = nil
	f.tear(rnd, luck)
	f.boot++
	f.used = 0
	f.restore(f.root, map[*inode]bool{})
	for _, over := range f.mounts {
		f.restore(over, map[*inode]bool{})
	}
	f.dirty = map[*inode]bool{}
}

// tear decides what became of content that was not synced.
func (t *tree) tear(rnd *rand.Rand, luck int) {
	dirty := make([]*inode, 0, len(t.dirty))
	for n := range t.dirty {
		dirty = append(dirty, n)
	}
	slices.SortFunc(dirty, func(a, b *inode) int { return int(a.number) - int(b.number) })
	for _, n := range dirty {
		now, kept := n.now, n.kept
		fate := rnd.IntN(5)
		if luck == 0 || luck == 4 {
			fate = luck
		}
		switch {
		case n.shared: // the data is on the platter, only mode or times are not
		case fate <= 1:
			now.data = kept.data
		case fate == 2:
			now.data = now.data[:rnd.IntN(len(now.data)+1)]
		case fate == 3:
			now.data = make([]byte, len(now.data))
		}
		if fate != 4 && rnd.IntN(2) == 0 {
			now.mode, now.mtime, now.ctime = kept.mode, kept.mtime, kept.ctime
		}
		n.kept = now
	}
}

// restore makes what is on the platter what is.
func (t *tree) restore(dir *inode, seen map[*inode]bool) {
	dir.now = dir.kept
	dir.names = make(map[string]*inode, len(dir.after))
	for name, n := range dir.after {
		dir.names[name] = n
		if seen[n] {
			n.links++
			continue
		}
		seen[n] = true
		n.links = 1
		n.now, n.shared = n.kept, true
		t.used += int64(len(n.now.data))
		if n.kind == fs.ModeDir {
			t.restore(n, seen)
		}
	}
}
