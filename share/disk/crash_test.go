package disk_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
	"shoal/share/index"
)

// TestApplyKilled kills the applier at every operation of many batches, cuts the power then or does not, and recovers,
// perhaps dying again.
func TestApplyKilled(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprintf("power cut %v", cut), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				opts := memfs.Options{NoExchange: rapid.Bool().Draw(t, "no exchange")}
				build := drawWorld(t, opts)
				seed := rapid.Uint64().Draw(t, "seed")
				at, every := steps(t)
				for ; killAt(t, build(), at, rand.New(rand.NewPCG(seed, uint64(at))), cut); at += every {
				}
			})
		})
	}
}

// steps says at which operations something is to happen: all of them by make crash, else some, others each time.
func steps(t *rapid.T) (first, every int) {
	if os.Getenv("SHOAL_TEST_EVERY_STEP") != "" {
		return 1, 1
	}
	every = rapid.SampledFrom([]int{7, 11, 13, 17, 19}).Draw(t, "every")
	return rapid.IntRange(1, every).Draw(t, "first"), every
}

// killAt kills at one operation; false when there is no such.
func killAt(t *rapid.T, w *world, at int, rnd *rand.Rand, cut bool) bool {
	var where string
	w.everyStep(func(n int, op, name string) error {
		if n == at {
			where = op + " " + name
			panic(died{})
		}
		return nil
	})
	killed := run(func() { w.applier().Apply(context.Background(), w.ops) })
	defer func() {
		if r := recover(); r != nil {
			t.Logf("killed at %d: %s", at, where)
			panic(r)
		}
	}()
	w.revive(t, rnd, cut)
	w.audit(t)
	w.auditExact(t)
	return killed
}

// auditExact checks, where no user was, that B and the archive say what is there: what was recorded was durable.
func (w *world) auditExact(t fataler) {
	t.Helper()
	files := map[string]string{}
	w.fs.Walk(func(name string, info disk.Info, data []byte) {
		if info.Type == 0 {
			files[name] = string(data)
		}
	})
	for name, row := range w.log.rows {
		if data, ok := files[name]; row.Type == index.File && (!ok || sha256.Sum256([]byte(data)) != row.Hash) {
			t.Fatalf("B has another %s than the disk: %q", name, data)
		}
	}
	for _, a := range w.log.shelf {
		if data, ok := files[a.Name]; !ok || sha256.Sum256([]byte(data)) != a.Hash {
			t.Fatalf("the archive has %q as %s", data, a.Name)
		}
		delete(files, a.Name)
	}
	for name := range files {
		if _, ok := w.log.rows[name]; !ok && !strings.Contains(name, disk.Temp+"/") {
			t.Fatalf("nobody knows of %s", name)
		}
	}
}

// revive cuts the power if wanted, and recovers until that is not killed.
func (w *world) revive(t *rapid.T, rnd *rand.Rand, cut bool) {
	for again := 0; ; again++ {
		w.calm()
		if cut {
			w.fs.Crash(rnd)
		}
		dieAt := 1 + rnd.IntN(30)
		if again == 3 {
			dieAt = 0
		}
		w.everyStep(func(n int, _, _ string) error {
			if n == dieAt {
				panic(died{})
			}
			return nil
		})
		if !run(func() {
			_, err := w.applier().Recover(context.Background())
			check(t, err)
		}) {
			w.calm()
			return
		}
	}
}

// TestApplyFaults lets any operation fail, with any error, and recovers on a sound disk.
func TestApplyFaults(t *testing.T) {
	t.Parallel()
	errs := []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EMFILE, syscall.EACCES, syscall.ENOENT}
	rapid.Check(t, func(t *rapid.T) {
		build := drawWorld(t, memfs.Options{NoExchange: rapid.Bool().Draw(t, "no exchange")})
		seed := rapid.Uint64().Draw(t, "seed")
		for round := range uint64(10) {
			rnd := rand.New(rand.NewPCG(seed, round))
			w := build()
			often := 3 + rnd.IntN(40)
			err := errs[rnd.IntN(len(errs)-1)]
			w.everyStep(func(_ int, op, name string) error {
				if rnd.IntN(often) == 0 {
					if op == "log" {
						w.log.fail = err
						return nil
					}
					return err
				}
				w.log.fail = nil
				return nil
			})
			a := w.applier()
			a.Apply(context.Background(), w.ops)
			if rnd.IntN(2) == 0 {
				_, _ = a.Recover(context.Background())
			}
			w.calm()
			_, recoverErr := a.Recover(context.Background())
			check(t, recoverErr)
			w.audit(t)
		}
	})
}

// A user does one thing to a path.
type user struct {
	name string
	do   func(t *rapid.T, w *world, name string)
}

var users = []user{
	{"writes in place", func(t *rapid.T, w *world, name string) {
		if info, err := w.fs.Lstat(name); err == nil && info.Type == 0 && info.Ident.Mode&0o200 != 0 {
			w.write(t, name, w.content())
		}
	}},
	{"replaces", func(t *rapid.T, w *world, name string) {
		info, err := w.fs.Lstat(name)
		if err != nil || info.Type != 0 {
			return
		}
		w.write(t, "draft", w.content())
		w.lose(name)
		check(t, w.fs.Rename("draft", name))
	}},
	{"removes", func(t *rapid.T, w *world, name string) {
		if info, err := w.fs.Lstat(name); err == nil && info.Type == 0 {
			w.lose(name)
			check(t, w.fs.Remove(name))
		}
	}},
	{"moves away", func(t *rapid.T, w *world, name string) {
		if err := w.fs.RenameNew(name, "moved"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}},
	{"makes", func(t *rapid.T, w *world, name string) {
		if _, err := w.fs.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			w.write(t, name, w.content())
		}
	}},
	{"makes a directory", func(t *rapid.T, w *world, name string) {
		if w.fs.Mkdir(name, 0o755) == nil {
			w.write(t, name+"/inside", w.content())
		}
	}},
	{"moves the directory", func(t *rapid.T, w *world, _ string) {
		_ = w.fs.RenameNew("d", "d2")
	}},
}

// TestApplyMeetsUser has a user act on a path of the batch before each operation in turn; then perhaps the applier dies.
func TestApplyMeetsUser(t *testing.T) {
	t.Parallel()
	for _, u := range users {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				build := drawWorld(t, memfs.Options{NoExchange: rapid.IntRange(0, 3).Draw(t, "no exchange") == 0})
				seed := rapid.Uint64().Draw(t, "seed")
				name := rapid.SampledFrom(somePaths).Draw(t, "path")
				at, every := steps(t)
				for ; meetAt(t, build(), u, name, at, rand.New(rand.NewPCG(seed, uint64(at)))); at += every {
				}
			})
		})
	}
}

func meetAt(t *rapid.T, w *world, u user, name string, at int, rnd *rand.Rand) (met bool) {
	dieAt := 0
	if rnd.IntN(3) == 0 {
		dieAt = at + rnd.IntN(10)
	}
	w.everyStep(func(n int, _, _ string) error {
		if n == at {
			met = true
			u.do(t, w, name)
		}
		if n == dieAt {
			panic(died{})
		}
		return nil
	})
	a := w.applier()
	if run(func() { a.Apply(context.Background(), w.ops) }) {
		w.revive(t, rnd, false)
		a = w.applier()
	}
	defer func() {
		if r := recover(); r != nil {
			t.Logf("met at %d, killed at %d", at, dieAt)
			panic(r)
		}
	}()
	w.calm()
	w.audit(t)
	w.clock.t = w.clock.t.Add(time.Minute)
	_, err := a.Late(context.Background())
	check(t, err)
	w.audit(t)
	return met
}

// TestApplyLateWriter: a program has a file open from before, and writes at some operation, or long after (T10).
func TestApplyLateWriter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		build := drawWorld(t, memfs.Options{NoExchange: rapid.IntRange(0, 3).Draw(t, "no exchange") == 0})
		name := rapid.SampledFrom(somePaths).Draw(t, "path")
		at, every := steps(t)
		for met := true; met; at += every {
			w := build()
			f, err := w.fs.Write(name)
			if err != nil {
				return
			}
			w.lose(name)
			met = false
			last := ""
			write := func() {
				delete(w.precious, last)
				last = w.content()
				check(t, f.Truncate(0))
				_, err := f.WriteAt([]byte(last), 0)
				check(t, err)
				w.precious[last] = true
			}
			w.everyStep(func(n int, _, _ string) error {
				if n == at {
					met = true
					write()
				}
				return nil
			})
			a := w.applier()
			a.Apply(context.Background(), w.ops)
			w.calm()
			write()
			w.audit(t)
			w.clock.t = w.clock.t.Add(time.Minute)
			_, err = a.Late(context.Background())
			check(t, err)
			w.isInTree(t, last)
			w.clock.t = w.clock.t.Add(time.Hour)
			write()
			_, err = a.CheckArchive(context.Background())
			check(t, err)
			w.isInTree(t, last)
			w.audit(t)
		}
	})
}

// isInTree checks that a content is not only in the archive.
func (w *world) isInTree(t fataler, data string) {
	t.Helper()
	found := false
	w.fs.Walk(func(name string, _ disk.Info, b []byte) { found = found || inTree(name) && string(b) == data })
	if !found {
		t.Fatalf("%q is not in the tree", data)
	}
}
