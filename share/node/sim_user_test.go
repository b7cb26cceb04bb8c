package node

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"shoal/share/disk"
)

// simSum names a content.
type simSum = [32]byte

// simContent is a content that a user has written.
type simContent struct {
	name    string
	by      *simMachine
	closed  bool // it counts: what a program was in the middle of does not
	removed bool // a user who could write took it away
	moved   bool // it had more than one dot: renamed, or its mode changed
}

var emptySum = sha256.Sum256(nil)

// wrote notes a content that a user of m has written.
func (w *simWorld) wrote(m *simMachine, data []byte, closed bool) {
	sum := sha256.Sum256(data)
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.written[sum]
	if c == nil {
		c = &simContent{name: fmt.Sprintf("c%d(%d, %x)", len(w.written), len(data), sum[:4]), by: m}
		w.written[sum] = c
	}
	c.closed = c.closed || closed
	if closed {
		c.moved = c.moved || c.removed // a write that failed left it as it was, or somebody wrote it again
		m.before[sum] = true
		delete(m.users, sum)
	}
}

func (w *simWorld) nameOf(sum simSum, data []byte) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.written[sum]; c != nil {
		return c.name
	}
	return fmt.Sprintf("unknown(%d) %x %.60q", len(data), sum[:4], data)
}

// each calls f with the files at and below a path of m's folder.
func (m *simMachine) each(p string, f func(name string, sum simSum)) {
	m.fs.Walk(func(name string, info disk.Info, data []byte) {
		if info.Type == 0 && isWithin(name, p) && !isWithin(name, disk.Dir) {
			f(name, sha256.Sum256(data))
		}
	})
}

// loses notes that a user takes away what is at and below a path.
func (m *simMachine) loses(p string) {
	m.each(p, func(_ string, sum simSum) {
		m.w.mu.Lock()
		defer m.w.mu.Unlock()
		m.users[sum] = true
		if c := m.w.written[sum]; c != nil && m.writes() {
			c.removed = true
		}
	})
}

func (m *simMachine) writes() bool { return m.role == "admin" || m.role == "write" }

// moves notes that what is at and below a path gets another dot.
func (m *simMachine) moves(p string) {
	m.each(p, func(_ string, sum simSum) {
		m.w.mu.Lock()
		defer m.w.mu.Unlock()
		if c := m.w.written[sum]; c != nil {
			c.moved = true
		}
	})
}

// parents makes the directories above a path; false when something else is in the way.
func (m *simMachine) parents(p string) bool {
	u := m.fs.User()
	for i, r := range p {
		if r != '/' {
			continue
		}
		err := u.Mkdir(p[:i], 0o755)
		if errors.Is(err, fs.ErrExist) {
			if info, err := u.Lstat(p[:i]); err != nil || info.Type != fs.ModeDir {
				return false
			}
			continue
		}
		if err != nil {
			return false
		}
		_ = u.SyncDir(path.Dir(p[:i]))
	}
	return true
}

// write writes a file as an editor does: in place, or beside it and renamed over.
func (m *simMachine) write(p string, data []byte, inPlace bool) {
	u := m.fs.User()
	if !m.parents(p) {
		return
	}
	info, err := u.Lstat(p)
	if err == nil && info.Type != 0 {
		return
	}
	if err != nil || !inPlace {
		temp := path.Join(path.Dir(p), "~"+path.Base(p))
		if m.put(temp, data) != nil {
			_ = u.Remove(temp)
			return
		}
		m.loses(p)
		if u.Rename(temp, p) != nil {
			_ = u.Remove(temp)
			return
		}
		m.w.wrote(m, data, true)
		_ = u.SyncDir(path.Dir(p))
		m.changed(p)
		return
	}
	f, err := u.Write(p)
	if err != nil {
		return
	}
	defer f.Close()
	m.loses(p)
	m.w.wrote(m, nil, false)
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(data, 0)
	}
	_ = f.Sync()
	m.close(p)
}

// close notes what a file is once it is closed, be it what it was meant to be or not.
func (m *simMachine) close(p string) {
	m.fs.Walk(func(name string, info disk.Info, data []byte) {
		if name == p && info.Type == 0 {
			m.w.wrote(m, data, true)
		}
	})
	m.changed(p)
}

// put makes a new file.
func (m *simMachine) put(p string, data []byte) error {
	f, err := m.fs.User().Create(p)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := m.fs.User().Chmod(p, 0o644); err != nil {
		return err
	}
	if _, err := f.WriteAt(data, 0); err != nil {
		return err
	}
	return f.Sync()
}

// edit appends to a file, or changes a byte of it, and may leave its time as it was.
func (m *simMachine) edit(p string, more []byte, keepTime bool) {
	u := m.fs.User()
	f, err := u.Write(p)
	if err != nil || len(more) == 0 {
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return
	}
	m.loses(p)
	_, _ = f.WriteAt(more, info.Ident.Size)
	if keepTime {
		_ = u.Chtimes(p, info.Ident.MTime)
	}
	_ = f.Sync()
	m.close(p)
}

// slowWrite writes half of a file now and the rest later.
func (m *simMachine) slowWrite(p string, data []byte) {
	u := m.fs.User()
	if !m.parents(p) {
		return
	}
	f, err := u.Create(p)
	if err != nil {
		return
	}
	defer f.Close()
	half := data[:len(data)/2]
	_ = u.Chmod(p, 0o644)
	_, _ = f.WriteAt(half, 0)
	_ = f.Sync()
	_ = u.SyncDir(path.Dir(p))
	m.w.wrote(m, half, false)
	m.changed(p)
	time.Sleep(3 * time.Second)
	m.w.quiet()
	info, err := u.Lstat(p)
	now, ferr := f.Stat()
	if err != nil || ferr != nil || info.Ident.Inode != now.Ident.Inode {
		return // somebody took it from under our feet: a later look at archived files tells
	}
	m.loses(p)
	_, _ = f.WriteAt(data[len(half):], int64(len(half)))
	_ = f.Sync()
	m.close(p)
}

func (m *simMachine) rename(p, q string) {
	u := m.fs.User()
	from, err := u.Lstat(p)
	if err != nil || isWithin(q, p) || !m.parents(q) {
		return
	}
	to, err := u.Lstat(q)
	switch {
	case err == nil && (to.Type == fs.ModeDir || from.Type == fs.ModeDir):
		return
	case err == nil:
		m.loses(q)
	}
	m.moves(p)
	if u.Rename(p, q) == nil {
		_ = u.SyncDir(path.Dir(p))
		_ = u.SyncDir(path.Dir(q))
	}
	m.changed(p)
	m.changed(q)
}

// remove is rm -r.
func (m *simMachine) remove(p string) {
	u := m.fs.User()
	m.loses(p)
	var rm func(p string)
	rm = func(p string) {
		if names, err := u.ReadDir(p); err == nil {
			for _, name := range names {
				rm(path.Join(p, name))
			}
		}
		_ = u.Remove(p)
	}
	rm(p)
	_ = u.SyncDir(path.Dir(p))
	m.changed(p)
}

func (m *simMachine) chmod(p string, mode fs.FileMode) {
	u := m.fs.User()
	info, err := u.Lstat(p)
	if err != nil || info.Type == fs.ModeSymlink {
		return
	}
	if info.Type == 0 {
		m.moves(p)
	}
	_ = u.Chmod(p, mode)
	if f, err := u.Open(p); err == nil {
		_ = f.Sync()
		f.Close()
	}
	m.changed(p)
}

func (m *simMachine) symlink(p, target string) {
	u := m.fs.User()
	if !m.parents(p) {
		return
	}
	if u.Symlink(target, p) == nil {
		_ = u.SyncDir(path.Dir(p))
	}
	m.changed(p)
}

func (m *simMachine) mkdir(p string) {
	if m.parents(p + "/") {
		m.changed(p)
	}
}

// retype makes a directory of a file, and a file of a directory.
func (m *simMachine) retype(p string, data []byte) {
	info, err := m.fs.User().Lstat(p)
	if err != nil {
		return
	}
	m.remove(p)
	if info.Type == fs.ModeDir {
		m.write(p, data, false)
	} else {
		m.write(p+"/in", data, false)
	}
}

// changed is what a watcher sees: a little later, the path; now and then nothing.
func (m *simMachine) changed(p string) {
	if m.w.missed() {
		return
	}
	p = strings.TrimSuffix(p, "/")
	time.AfterFunc(300*time.Millisecond, func() {
		if e := m.engine(); e != nil {
			_ = e.watched(disk.Paths{p: disk.LookSelf})
		}
	})
}
