// Package memfs is a disk.FS in memory, for whole engines under one seed. It has inodes, ctime and mtime of an injected
// clock, files that stay open while their names go, devices mounted inside, names without case if wanted, faults where a
// hook says so, and power cuts.
//
// A power cut is meaner than any file system with a journal: each change of names is atomic and comes after those that it
// needs (of the same names, of the directory it is in), and beyond that any subset of what was not synced is lost. Content
// that was not synced is there, gone, cut short or zero.
package memfs

import (
	"errors"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"shoal/share/disk"
	"shoal/share/index"
)

// Options of a new FS; the zero value is a case-sensitive, endless one whose clock is the real one.
type Options struct {
	Now        func() time.Time
	FoldsCase  bool
	NoExchange bool // Exchange is disk.ErrNoExchange
	// Fault is asked before each operation, by the name of the method in lower case ("renamenew", "writeat", ...) and the
	// path; for renames the new one. What it returns is what the operation returns, without doing anything. It may use the
	// FS through User, which asks nobody.
	Fault func(op, path string) error
	Size  int64 // bytes that files may take in all; 0 = no limit
}

// FS is one folder. Its methods may be called concurrently.
type FS struct {
	*tree
	fault func(op, path string) error
}

// tree is what an FS and its users share.
type tree struct {
	opts Options

	mu      sync.Mutex // guards what follows, and all inodes
	root    *inode
	next    uint64            // inode number
	mounts  map[*inode]*inode // a covered directory -> the root of a device
	devices uint64
	pending []*change // names that are not durable, oldest first
	dirty   map[*inode]bool
	used    int64
	boot    int // a crash makes a new one; files opened before are dead
}

// An inode is a file, a directory or a symbolic link.
type inode struct {
	number, dev  uint64
	kind         fs.FileMode
	now, kept    content           // as it is, and as it is on the platter
	names, after map[string]*inode // of a directory: as they are, and on the platter
	links        uint64
	shared       bool // now.data is also somewhere else: copy it before writing
}

// content is what a power cut can take from an inode.
type content struct {
	data   []byte // of a file; never written in place once kept
	target string // of a symbolic link
	mode   uint32
	mtime  int64
	ctime  int64
}

// New is an empty folder.
func New(opts Options) *FS {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	t := &tree{opts: opts, mounts: map[*inode]*inode{}, dirty: map[*inode]bool{}}
	t.root = t.device()
	return &FS{t, opts.Fault}
}

// User is the same folder for somebody whom no fault meets.
func (f *FS) User() *FS { return &FS{f.tree, nil} }

// SetFault replaces the hook, for this FS alone. Not to be called concurrently with operations.
func (f *FS) SetFault(fault func(op, path string) error) { f.fault = fault }

// device is the root directory of a new one.
func (t *tree) device() *inode {
	t.devices++
	n := t.inode(fs.ModeDir, 0o755, t.devices)
	n.kept, n.links = n.now, 2
	delete(t.dirty, n)
	return n
}

func (t *tree) inode(kind fs.FileMode, mode uint32, dev uint64) *inode {
	t.next++
	now := t.opts.Now().UnixNano()
	n := &inode{number: t.next, dev: dev, kind: kind, now: content{mode: mode, mtime: now, ctime: now}}
	n.kept = content{mode: mode}
	if kind == fs.ModeDir {
		n.names, n.after = map[string]*inode{}, map[string]*inode{}
	}
	t.dirty[n] = true
	return n
}

// begin asks the hook, and locks; the caller unlocks when the error is nil.
func (f *FS) begin(op, name string) error {
	if f.fault != nil {
		if err := f.fault(op, name); err != nil {
			return &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
	if !disk.ValidPath(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	f.mu.Lock()
	return nil
}

// find is the inode at a path, or an error.
func (t *tree) find(name string) (*inode, error) {
	if name == "." {
		return t.root, nil
	}
	dir, base, err := t.parent(name)
	if err != nil {
		return nil, err
	}
	n := t.child(dir, base)
	if n == nil {
		return nil, syscall.ENOENT
	}
	return n, nil
}

// parent is the directory of a path, and the last name as it is there.
func (t *tree) parent(name string) (*inode, string, error) {
	if len(name) > 4095 {
		return nil, "", syscall.ENAMETOOLONG
	}
	at := t.root
	dir, base := path.Split(name)
	for dir != "" {
		var part string
		part, dir, _ = strings.Cut(dir, "/")
		if at = t.child(at, part); at == nil {
			return nil, "", syscall.ENOENT
		}
		switch at.kind {
		case fs.ModeDir:
		case fs.ModeSymlink:
			return nil, "", syscall.ELOOP
		default:
			return nil, "", syscall.ENOTDIR
		}
	}
	if len(base) > 255 {
		return nil, "", syscall.ENAMETOOLONG
	}
	return at, t.spelled(at, base), nil
}

// spelled is how a name is written in a directory: another way only where case is folded.
func (t *tree) spelled(dir *inode, name string) string {
	if _, ok := dir.names[name]; ok || !t.opts.FoldsCase {
		return name
	}
	for other := range dir.names {
		if strings.EqualFold(other, name) {
			return other
		}
	}
	return name
}

func (t *tree) child(dir *inode, name string) *inode {
	n := dir.names[t.spelled(dir, name)]
	if over := t.mounts[n]; over != nil {
		return over
	}
	return n
}

// touched stamps an inode: ctime always, mtime when its content changed.
func (t *tree) touched(n *inode, content bool) {
	n.now.ctime = t.opts.Now().UnixNano()
	if content {
		n.now.mtime = n.now.ctime
	}
	t.dirty[n] = true
}

func (t *tree) info(n *inode) disk.Info {
	size := int64(len(n.now.data) + len(n.now.target))
	return disk.Info{Type: n.kind, Links: n.links, Ident: index.Ident{
		Size: size, MTime: n.now.mtime, CTime: n.now.ctime, Inode: n.number, Dev: n.dev, Mode: n.now.mode,
	}}
}

// Mount puts a new, empty device over the directory at path; Unmount takes it away, with all that is on it.
func (f *FS) Mount(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(name)
	if err != nil {
		return err
	}
	if n.kind != fs.ModeDir {
		return syscall.ENOTDIR
	}
	f.mounts[n] = f.device()
	return nil
}

// Unmount takes the device at path away and returns what Remount needs to bring it back.
func (f *FS) Unmount(name string) (device any, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	root, err := f.find(name)
	if err != nil {
		return nil, err
	}
	for covered, over := range f.mounts {
		if over == root {
			delete(f.mounts, covered)
			return over, nil
		}
	}
	return nil, errors.New("not a mount point")
}

// Remount puts a device that was taken away over the directory at path.
func (f *FS) Remount(name string, device any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(name)
	if err != nil {
		return err
	}
	f.mounts[n] = device.(*inode)
	return nil
}

// Walk calls visit with each path below, in order, and what is there; directories before what is in them.
func (f *FS) Walk(visit func(name string, info disk.Info, data []byte)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.walk("", f.root, visit)
}

func (t *tree) walk(prefix string, dir *inode, visit func(string, disk.Info, []byte)) {
	names := make([]string, 0, len(dir.names))
	for name := range dir.names {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		n := t.child(dir, name)
		visit(prefix+name, t.info(n), slices.Clone(n.now.data))
		if n.kind == fs.ModeDir {
			t.walk(prefix+name+"/", n, visit)
		}
	}
}

// SetSize changes how many bytes files may take in all; 0 = no limit.
func (f *FS) SetSize(size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opts.Size = size
}

// room reports whether n more bytes may be taken.
func (t *tree) room(n int64) bool { return t.opts.Size == 0 || t.used+n <= t.opts.Size }

// Free is what may still be written, in bytes; all devices share it.
func (f *FS) Free(name string) (int64, error) {
	if err := f.begin("free", name); err != nil {
		return 0, err
	}
	defer f.mu.Unlock()
	if f.opts.Size == 0 {
		return math.MaxInt64, nil
	}
	return max(0, f.opts.Size-f.used), nil
}

// FoldsCase says what the options said.
func (f *FS) FoldsCase() bool { return f.opts.FoldsCase }

// Close does nothing.
func (f *FS) Close() error { return nil }
