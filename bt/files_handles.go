package bt

import (
	lru "container/list"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
)

// maxHandles bounds the descriptors that one pool keeps open when none is in use.
const maxHandles = 64

// A handlePool opens files when they are needed, and keeps those used last open.
type handlePool struct {
	openFile func(name string, flag int, perm fs.FileMode) (*os.File, error)
	limit    int

	mu    sync.Mutex
	open  map[string]*handle
	usage *lru.List // of *handle, the one used last in front
}

// A handle is an open file that someone may be using.
type handle struct {
	*os.File
	name  string
	users int
	stale bool                  // close it when the last user is gone
	seen  atomic.Pointer[stamp] // that the file had when it was opened; nil = nobody asked
	elem  *lru.Element
}

func newHandlePool(openFile func(string, int, fs.FileMode) (*os.File, error), limit int) *handlePool {
	return &handlePool{openFile: openFile, limit: limit, open: make(map[string]*handle), usage: lru.New()}
}

// get opens the name unless it is open. Callers agree on one flag and perm for each name, see drop. Whoever gets a
// handle puts it back.
func (p *handlePool) get(name string, flag int, perm fs.FileMode) (*handle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.open[name]
	if h == nil {
		f, err := p.openFile(name, flag, perm)
		if err != nil {
			return nil, err
		}
		h = &handle{File: f, name: name}
		h.elem = p.usage.PushFront(h)
		p.open[name] = h
	}
	p.usage.MoveToFront(h.elem)
	h.users++
	p.trim()
	return h, nil
}

func (p *handlePool) put(h *handle) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.users--; h.users == 0 && h.stale {
		_ = h.Close()
	}
}

// trim closes what was not used for longest, down to the limit. The caller holds mu.
func (p *handlePool) trim() {
	for e := p.usage.Back(); e != nil && p.usage.Len() > p.limit; {
		h := e.Value.(*handle)
		e = e.Prev()
		if h.users == 0 {
			p.forget(h)
		}
	}
}

// drop forgets the names: they are to be renamed, removed, or opened in another way.
func (p *handlePool) drop(names ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		if h := p.open[name]; h != nil {
			p.forget(h)
		}
	}
}

// forget takes h out of the pool and closes it now, or when its last user is gone. The caller holds mu.
func (p *handlePool) forget(h *handle) {
	delete(p.open, h.name)
	p.usage.Remove(h.elem)
	if h.users > 0 {
		h.stale = true
		return
	}
	_ = h.Close() // what was written is synced where it matters
}

func (p *handlePool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.open {
		p.forget(h)
	}
}

// cut shortens the file to n bytes if it has more.
func (h *handle) cut(n int64) error {
	info, err := h.Stat()
	if err != nil || info.Size() <= n {
		return err
	}
	return h.Truncate(n)
}
