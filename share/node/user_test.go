//go:build linux

package node

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A user changes a folder at random, and keeps a ledger: which contents he closed, and which he destroyed himself. Whatever
// he destroys he takes out of the folder first, or has open: so the ledger is exact, whatever a node does at the same time.
type user struct {
	t     testing.TB
	name  string
	dir   string
	trash string // on the same file system
	rng   *rand.Rand
	all   *deeds
	n     atomic.Int64 // operations
}

type content = [32]byte

// deeds are what all users did.
type deeds struct {
	mu        sync.Mutex // guards what follows
	written   map[content]string
	closed    map[string]map[content]bool // by user
	destroyed map[string]map[content]bool
	log       []string
	began     time.Time
}

func newDeeds() *deeds {
	return &deeds{written: map[content]string{sha256.Sum256(nil): "empty"}, closed: map[string]map[content]bool{}, destroyed: map[string]map[content]bool{}, began: time.Now()}
}

func (l *deeds) user(t testing.TB, name, dir, trash string, seed uint64) *user {
	t.Helper()
	for _, d := range []string{dir, trash} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l.closed[name], l.destroyed[name] = map[content]bool{}, map[content]bool{}
	return &user{t: t, name: name, dir: dir, trash: trash, rng: rand.New(rand.NewPCG(seed, 0)), all: l}
}

func (u *user) note(format string, args ...any) {
	u.all.mu.Lock()
	defer u.all.mu.Unlock()
	u.all.log = append(u.all.log, fmt.Sprintf("%8.3f %s #%d ", time.Since(u.all.began).Seconds(), u.name, u.n.Load())+fmt.Sprintf(format, args...))
}

func (u *user) passed(b []byte) { u.mark(b, false) }
func (u *user) closed(b []byte) { u.mark(b, true) }

// mark notes what a file of this user was, for a moment or for good.
func (u *user) mark(b []byte, closed bool) {
	h := sha256.Sum256(b)
	u.all.mu.Lock()
	defer u.all.mu.Unlock()
	if u.all.written[h] == "" {
		u.all.written[h] = fmt.Sprintf("%s #%d, %d bytes: %.40q", u.name, u.n.Load(), len(b), b)
	}
	if closed && len(b) > 0 {
		u.all.closed[u.name][h] = true
		delete(u.all.destroyed[u.name], h)
	}
}

func (u *user) destroyed(b []byte) {
	h := sha256.Sum256(b)
	u.all.mu.Lock()
	defer u.all.mu.Unlock()
	u.all.destroyed[u.name][h] = true
}

func (u *user) path(rel string) string { return filepath.Join(u.dir, rel) }

// fresh is a content that nobody has written before.
func (u *user) fresh() []byte {
	head := fmt.Sprintf("%s %d %016x ", u.name, u.n.Load(), u.rng.Uint64())
	size := 40 + u.rng.IntN(3000)
	if u.rng.IntN(25) == 0 {
		size = 600_000 + u.rng.IntN(700_000)
	}
	b := bytes.Repeat([]byte(head), size/len(head)+1)
	return b[:max(size, len(head))]
}

// freshName is a new path in one of the directories that are there.
func (u *user) freshName() string {
	dirs := []string{""}
	for _, p := range u.list() {
		if p.dir && strings.Count(p.rel, "/") < 3 {
			dirs = append(dirs, p.rel)
		}
	}
	names := []string{"a", "b", "c.txt", "d.tar.gz", "E", "e", "ü", "-x", "long name"}
	return filepath.Join(dirs[u.rng.IntN(len(dirs))], names[u.rng.IntN(len(names))]+fmt.Sprint(u.rng.IntN(3)))
}

type thing struct {
	rel  string
	dir  bool
	file bool
}

// list is what is in the folder, as far as it can be seen while it changes.
func (u *user) list() (all []thing) {
	_ = filepath.WalkDir(u.dir, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(u.dir, p)
		switch {
		case err != nil || rel == ".":
			return nil
		case rel == ".shoal" || strings.HasPrefix(rel, "static"):
			return filepath.SkipDir
		}
		all = append(all, thing{rel, d.IsDir(), d.Type().IsRegular()})
		return nil
	})
	return all
}

// pick is something that is there, if there is.
func (u *user) pick(ok func(thing) bool) (string, bool) {
	var some []string
	for _, i := range u.list() {
		if ok(i) {
			some = append(some, i.rel)
		}
	}
	if len(some) == 0 {
		return "", false
	}
	return some[u.rng.IntN(len(some))], true
}

func anyFile(i thing) bool { return i.file }
func anyDir(i thing) bool  { return i.dir }
func anything(thing) bool  { return true }

func (u *user) trashName() string {
	return filepath.Join(u.trash, fmt.Sprint(u.n.Load(), "-", u.rng.Uint32()))
}

// take takes something out of the folder, for good.
func (u *user) take(rel string) bool {
	to := u.trashName()
	if os.Rename(u.path(rel), to) != nil {
		return false
	}
	u.discard(to)
	return true
}

// discard destroys what was taken out.
func (u *user) discard(at string) {
	err := filepath.WalkDir(at, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var b []byte
			if b, err = os.ReadFile(p); err == nil {
				u.destroyed(b)
			}
		}
		return err
	})
	if err == nil {
		err = os.RemoveAll(at)
	}
	if err != nil {
		u.t.Errorf("discarding: %v", err)
	}
}

// edit changes a file in place: what it was is destroyed. change says what it becomes.
func (u *user) edit(rel string, keepTime bool, change func(f *os.File, was []byte) []byte) bool {
	f, err := os.OpenFile(u.path(rel), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	was, err := io.ReadAll(f)
	if err != nil {
		u.t.Errorf("reading: %v", err)
		return false
	}
	is := change(f, was)
	if bytes.Equal(is, was) {
		return false
	}
	u.destroyed(was)
	u.closed(is)
	if keepTime {
		tv := unix.NsecToTimeval(info.ModTime().UnixNano())
		_ = unix.Futimes(int(f.Fd()), []unix.Timeval{tv, tv})
	}
	return true
}

// write writes in several steps, each of which a scan may see.
func (u *user) write(f *os.File, at int64, before, b []byte) {
	for len(b) > 0 {
		n := min(len(b), 1+u.rng.IntN(len(b)))
		before = append(before[:len(before):len(before)], b[:n]...)
		u.passed(before)
		if _, err := f.WriteAt(b[:n], at); err != nil {
			u.t.Errorf("writing: %v", err)
		}
		at, b = at+int64(n), b[n:]
	}
}
