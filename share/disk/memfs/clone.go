package memfs

import "slices"

// Clone is a copy of the folder as it is now, down to inode numbers and times, as of a machine's image. Everything in it is
// durable. Its clock, limits and faults are those of opts; devices mounted inside stay behind.
func (f *FS) Clone(opts Options) *FS {
	c := New(opts)
	f.mu.Lock()
	defer f.mu.Unlock()
	c.next, c.devices, c.used = f.next, f.devices, f.used
	c.root = f.root.clone(map[*inode]*inode{})
	clear(c.dirty)
	return c
}

// clone copies an inode and what is below it; hard links stay links.
func (n *inode) clone(made map[*inode]*inode) *inode {
	if c := made[n]; c != nil {
		return c
	}
	c := &inode{number: n.number, dev: n.dev, kind: n.kind, now: n.now, links: n.links, shared: true}
	c.now.data = slices.Clone(n.now.data)
	c.kept = c.now
	made[n] = c
	if n.names == nil {
		return c
	}
	c.names, c.after = make(map[string]*inode, len(n.names)), make(map[string]*inode, len(n.names))
	for name, child := range n.names {
		x := child.clone(made)
		c.names[name], c.after[name] = x, x
	}
	return c
}
