//go:build linux

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// act does something at random.
func (u *user) act() {
	u.n.Add(1)
	ops := []struct {
		weight int
		do     func()
	}{
		{14, u.create}, {8, u.append}, {5, u.appendKeepingTime}, {4, u.truncate}, {8, u.overwrite}, {8, u.save},
		{8, u.rename}, {4, u.renameOver}, {3, u.swap}, {6, u.remove}, {2, u.removeTree}, {4, u.chmod}, {3, u.retype},
		{4, u.symlink}, {6, u.mkdir}, {2, u.copy}, {2, u.touch}, {2, u.changeCase},
	}
	sum := 0
	for _, o := range ops {
		sum += o.weight
	}
	k := u.rng.IntN(sum)
	for _, o := range ops {
		if k -= o.weight; k < 0 {
			o.do()
			return
		}
	}
}

func (u *user) create() {
	rel, b := u.freshName(), u.fresh()
	f, err := os.OpenFile(u.path(rel), os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	u.write(f, 0, nil, b)
	u.closed(b)
	u.note("create %s, %d bytes", rel, len(b))
}

func (u *user) tail(f *os.File, was []byte) []byte {
	tail := []byte(fmt.Sprintf("+%s %d %08x", u.name, u.n.Load(), u.rng.Uint32()))
	u.write(f, int64(len(was)), was, tail)
	return append(was[:len(was):len(was)], tail...)
}

func (u *user) append() {
	if rel, ok := u.pick(anyFile); ok && u.edit(rel, false, u.tail) {
		u.note("append to %s", rel)
	}
}

func (u *user) appendKeepingTime() {
	if rel, ok := u.pick(anyFile); ok && u.edit(rel, true, u.tail) {
		u.note("append to %s with its time kept", rel)
	}
}

func (u *user) truncate() {
	rel, ok := u.pick(anyFile)
	if ok && u.edit(rel, false, func(f *os.File, was []byte) []byte {
		if len(was) < 80 {
			return was
		}
		is := was[:40+u.rng.IntN(len(was)-40)]
		u.passed(is)
		_ = f.Truncate(int64(len(is)))
		return is
	}) {
		u.note("truncate %s", rel)
	}
}

func (u *user) overwrite() {
	rel, ok := u.pick(anyFile)
	if ok && u.edit(rel, false, func(f *os.File, was []byte) []byte {
		is := u.fresh()
		_ = f.Truncate(0)
		u.write(f, 0, nil, is)
		return is
	}) {
		u.note("overwrite %s", rel)
	}
}

// save is what editors do: a new file takes the place of the old one.
func (u *user) save() {
	rel, ok := u.pick(anyFile)
	if !ok {
		return
	}
	b, temp := u.fresh(), u.trashName()
	if err := os.WriteFile(temp, b, 0o644); err != nil {
		u.t.Errorf("writing: %v", err)
		return
	}
	u.closed(b)
	if unix.Renameat2(unix.AT_FDCWD, temp, unix.AT_FDCWD, u.path(rel), unix.RENAME_EXCHANGE) == nil {
		u.note("save %s", rel)
	}
	u.discard(temp)
}

// rename also moves directories.
func (u *user) rename() {
	from, ok := u.pick(anything)
	to := u.freshName()
	if ok && unix.Renameat2(unix.AT_FDCWD, u.path(from), unix.AT_FDCWD, u.path(to), unix.RENAME_NOREPLACE) == nil {
		u.note("rename %s to %s", from, to)
	}
}

func (u *user) renameOver() {
	from, ok := u.pick(anyFile)
	to, ok2 := u.pick(anyFile)
	if !ok || !ok2 || from == to {
		return
	}
	if unix.Renameat2(unix.AT_FDCWD, u.path(from), unix.AT_FDCWD, u.path(to), unix.RENAME_EXCHANGE) == nil {
		u.take(from)
		u.note("rename %s over %s", from, to)
	}
}

func (u *user) swap() {
	a, ok := u.pick(anything)
	b, ok2 := u.pick(anything)
	if ok && ok2 && unix.Renameat2(unix.AT_FDCWD, u.path(a), unix.AT_FDCWD, u.path(b), unix.RENAME_EXCHANGE) == nil {
		u.note("swap %s and %s", a, b)
	}
}

func (u *user) remove() {
	if rel, ok := u.pick(func(i thing) bool { return !i.dir }); ok && u.take(rel) {
		u.note("remove %s", rel)
	}
}

func (u *user) removeTree() {
	if rel, ok := u.pick(anyDir); ok && u.take(rel) {
		u.note("remove %s and what is below", rel)
	}
}

func (u *user) chmod() {
	rel, ok := u.pick(func(i thing) bool { return i.dir || i.file })
	mode := []os.FileMode{0o755, 0o700, 0o750}[u.rng.IntN(3)]
	if !ok {
		return
	}
	f, err := os.OpenFile(u.path(rel), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if f.Chmod(mode) == nil {
		u.note("chmod %s %o", rel, mode)
	}
}

// retype puts something of another type in a place.
func (u *user) retype() {
	rel, ok := u.pick(anything)
	if !ok || !u.take(rel) {
		return
	}
	p := u.path(rel)
	switch u.rng.IntN(3) {
	case 0:
		_ = os.Mkdir(p, 0o755)
	case 1:
		_ = os.Symlink("target", p)
	default:
		b := u.fresh()
		f, err := os.OpenFile(p, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return
		}
		defer f.Close()
		u.write(f, 0, nil, b)
		u.closed(b)
	}
	u.note("another type at %s", rel)
}

func (u *user) symlink() {
	rel := u.freshName()
	if os.Symlink([]string{"a0", "b1", "no/such", "c.txt2"}[u.rng.IntN(4)], u.path(rel)) == nil {
		u.note("link %s", rel)
	}
}

func (u *user) mkdir() {
	if rel := u.freshName(); os.Mkdir(u.path(rel), 0o755) == nil {
		u.note("mkdir %s", rel)
	}
}

func (u *user) copy() {
	from, ok := u.pick(anyFile)
	to := u.freshName()
	b, err := os.ReadFile(u.path(from))
	if !ok || err != nil {
		return
	}
	f, err := os.OpenFile(u.path(to), os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	u.write(f, 0, nil, b)
	u.closed(b)
	u.note("copy %s to %s", from, to)
}

func (u *user) touch() {
	if rel, ok := u.pick(anyFile); ok {
		at := time.Now().Add(-time.Duration(u.rng.IntN(1_000_000)) * time.Second)
		if os.Chtimes(u.path(rel), at, at) == nil {
			u.note("touch %s", rel)
		}
	}
}

func (u *user) changeCase() {
	rel, ok := u.pick(func(i thing) bool { return filepath.Base(i.rel)[0] == 'e' })
	if !ok {
		return
	}
	to := filepath.Join(filepath.Dir(rel), "E"+filepath.Base(rel)[1:])
	if unix.Renameat2(unix.AT_FDCWD, u.path(rel), unix.AT_FDCWD, u.path(to), unix.RENAME_NOREPLACE) == nil {
		u.note("rename %s to %s", rel, to)
	}
}
