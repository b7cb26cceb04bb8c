package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"shoal/bt/bttest"
)

// everyStep says at each how manyeth step the tests of crashes kill; make crash says 1.
const everyStep = "SHOAL_TEST_EVERY_STEP"

// A side is a machine with one share: its state folder, the folder of the share, and what both were before.
type side struct {
	t         *testing.T
	name, top string
	port      int
	disk      *disk // whose power can be cut; nil = what was written is there after a kill
}

func newSide(t *testing.T, top, name string, power bool) *side {
	s := &side{t: t, name: name, top: filepath.Join(top, name), port: bttest.FreePort(t)}
	if power {
		s.disk = newDisk(t, filepath.Join(s.top, "disk"), filepath.Join(s.top, "now"))
	}
	for _, dir := range []string{s.home(), s.dir(), s.run()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *side) home() string { return filepath.Join(s.top, "now", "home") }
func (s *side) dir() string  { return filepath.Join(s.top, "now", "dir") }
func (s *side) run() string  { return filepath.Join(s.top, "run") } // where the proof of continuity is
func (s *side) host() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

func (s *side) env() []string {
	return append(os.Environ(), "SHOAL_HOME="+s.home(), "HOME="+s.top, "XDG_RUNTIME_DIR="+s.run(), "SHOAL_NO_DHT=1",
		"SHOAL_LISTEN=127.0.0.1", "SHOAL_LPD=0", fmt.Sprintf("SHOAL_PORT=%d", s.port))
}

func (s *side) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), "shoal", args...)
	cmd.Env = s.env()
	return cmd
}

// shoal runs the program, which must end with status 0, and returns its standard output.
func (s *side) shoal(args ...string) string {
	s.t.Helper()
	cmd := s.command(args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s: shoal %s: %v\n%s%s", s.name, strings.Join(args, " "), err, errs.String(), out)
	}
	return string(out)
}

// serve runs the node until stop is called.
func (s *side) serve() (stop func()) {
	s.t.Helper()
	cmd := s.command("serve")
	log, err := os.Create(filepath.Join(s.top, "serve.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	s.t.Cleanup(stop)
	return stop
}

func (s *side) log() string {
	b, _ := os.ReadFile(filepath.Join(s.top, "serve.log"))
	return string(b)
}

// save remembers what is there; restore brings it back.
func (s *side) save() {
	if s.disk != nil {
		s.disk.save()
		return
	}
	s.copyAll("now", "saved")
}

func (s *side) restore() {
	if s.disk != nil {
		s.disk.restore()
		return
	}
	s.copyAll("saved", "now")
}

func (s *side) copyAll(from, to string) {
	s.t.Helper()
	err := os.RemoveAll(filepath.Join(s.top, to))
	if err == nil {
		err = exec.Command("cp", "-a", filepath.Join(s.top, from), filepath.Join(s.top, to)).Run()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// killed runs the program until a step of it, where it is killed, and the power cut; false when it has no such step.
func (s *side) killed(at int, args ...string) (steps []bttest.Step, killed bool) {
	s.t.Helper()
	program, err := exec.LookPath("shoal")
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(s.top, "killed.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	p := bttest.Stepped{Args: append([]string{program}, args...), Env: s.env(), Output: out, In: []string{filepath.Join(s.top, "now"), s.run()}, DieAt: at}
	steps, status, err := p.Run()
	if err != nil {
		s.t.Fatal(err)
	}
	if killed = status == -1; !killed && status != 0 {
		b, _ := os.ReadFile(out.Name())
		s.t.Fatalf("%s: shoal %s: status %d\n%s", s.name, strings.Join(args, " "), status, b)
	}
	if killed && s.disk != nil {
		s.disk.cut()
		err := os.RemoveAll(s.run()) // it was in memory
		if err == nil {
			err = os.Mkdir(s.run(), 0o700)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return steps, killed
}

// tree is what a user sees in a folder: by path "file MODE HASH", "dir" and "link TARGET".
func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		switch {
		case rel == ".shoal":
			return fs.SkipDir
		case d.IsDir():
			all[rel] = "dir"
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			all[rel] = "link " + target
			return err
		default:
			info, err := d.Info()
			if err != nil {
				return err
			}
			b, err := os.ReadFile(p)
			all[rel] = fmt.Sprintf("file %v %x", info.Mode()&0o111 != 0, sha256.Sum256(b))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// contentsOf are the contents of all files of a folder, with those of its archive if wanted.
func contentsOf(t *testing.T, dir string, archive bool) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, p)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (rel == filepath.Join(".shoal", "tmp") || rel == ".shoal" && !archive):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(p)
		all[string(b)] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func difference(got, want map[string]string) string {
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if got[p] != want[p] {
			fmt.Fprintf(&b, "%s: %q, want %q\n", p, got[p], want[p])
		}
	}
	for _, p := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[p]; !ok {
			fmt.Fprintf(&b, "%s: %q, should not be\n", p, got[p])
		}
	}
	return b.String()
}

// mustHave checks that nothing of what a folder had is lost: it is there, or in the archive.
func (s *side) mustHave(contents map[string]bool) error {
	here := contentsOf(s.t, s.dir(), true)
	for c := range contents {
		if !here[c] {
			return fmt.Errorf("%s: %.40q is lost", s.name, c)
		}
	}
	return nil
}

// sound checks that the state of a machine is whole, and nothing half done lies around.
func (s *side) sound() error {
	for _, pattern := range []string{"home/*.corrupt*", "home/*.suspect", "dir/.shoal/tmp/*"} {
		found, err := filepath.Glob(filepath.Join(s.top, "now", pattern))
		if err != nil || len(found) > 0 {
			return fmt.Errorf("%s: %v is left: %w", s.name, found, err)
		}
	}
	if out, err := s.command("share", "check", "s", "--json").Output(); err != nil {
		return fmt.Errorf("%s: check: %w\n%s", s.name, err, out)
	}
	return nil
}

// A crash is a kind of test: a pair of machines, one of which dies at a step of what it does.
type crash struct {
	name    string
	workers int // pairs at a time
	every   int // in CI each so manyeth step is a point
	set     func(t *testing.T, top string, power bool) crashed
	power   bool // it is a power cut
}

// crashed is a pair of machines of one worker.
type crashed interface {
	// point kills at a step and checks what comes of it; false when there is no such step.
	point(at int) (steps []bttest.Step, killed bool, err error)
}

// A tally is which steps of a kind of crash are points, and what came of them.
type tally struct {
	mu                  sync.Mutex // guards what follows
	next, every         int
	points, tried, last int            // last is how many steps a run has that is not killed; they vary a little
	calls               map[string]int // of points
}

func newTally(every int) *tally {
	if testing.Short() {
		every *= 4
	}
	if n, err := strconv.Atoi(os.Getenv(everyStep)); err == nil {
		every = n
	}
	return &tally{next: 1 + rand.IntN(every), every: every, calls: map[string]int{}}
}

// take is the next step to kill at; false when there are no more.
func (y *tally) take() (at int, ok bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.last > 0 {
		return 0, false
	}
	at = y.next
	y.next += y.every
	y.tried++
	return at, true
}

// came notes that a point, or a run that had no such step, came to a good end.
func (y *tally) came(steps []bttest.Step, killed bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if !killed {
		y.last = max(y.last, len(steps))
		y.tried--
		return
	}
	y.points++
	y.calls[steps[len(steps)-1].Call]++
}

func (c *crash) run(t *testing.T) {
	top, y := memoryDir(t), newTally(c.every)
	first := y.next
	t.Run("points", func(t *testing.T) {
		for w := range c.workers {
			t.Run(strconv.Itoa(w), func(t *testing.T) {
				t.Parallel()
				c.work(t, filepath.Join(top, strconv.Itoa(w)), y)
			})
		}
	})
	t.Logf("%s: points: %d/%d, each of every %d of %d steps, from %d: %v", c.name, y.points, y.tried, y.every, y.last, first, y.calls)
	if y.points == 0 {
		t.Error("no point")
	}
}

// work kills one pair of machines, again and again.
func (c *crash) work(t *testing.T, top string, y *tally) {
	var m crashed
	for !t.Failed() {
		at, ok := y.take()
		if !ok {
			return
		}
		if m == nil {
			m = c.set(t, top, c.power)
		}
		steps, killed, err := m.point(at)
		if err != nil {
			t.Fatalf("killed at step %d, %s: %v", at, steps[len(steps)-1], err)
		}
		y.came(steps, killed)
	}
}
