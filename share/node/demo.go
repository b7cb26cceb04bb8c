package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

// DemoOptions say where the demonstration of a share works.
type DemoOptions struct {
	Dir  string       // for share/anna and share/ben, two folders that become the same; they may be there from the last time
	Step func(string) // told what happens, a sentence a step; nil: nobody
}

// A DemoResult says what the demonstration showed.
type DemoResult struct {
	ID      string  `json:"id"` // of the share
	Files   int64   `json:"files"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`      // from joining to being the same
	Back    float64 `json:"back_seconds"` // from a new file at one end to the other
}

const demoName = "demo"

// Demo shows a share without a network beyond the loopback: one node makes it of a folder, another joins with the token of
// writers and gets all of it, and what is written there comes back. Their state is removed in the end, the folders stay.
func Demo(ctx context.Context, opts DemoOptions) (_ *DemoResult, err error) {
	step := opts.Step
	if step == nil {
		step = func(string) {}
	}
	state, err := os.MkdirTemp("", "shoal-demo-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(state)) }()
	anna, ben := demoNode{name: "anna", dir: filepath.Join(opts.Dir, "share", "anna")}, demoNode{name: "ben", dir: filepath.Join(opts.Dir, "share", "ben")}
	for _, d := range []*demoNode{&anna, &ben} {
		if err := d.open(ctx, state); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, d.close()) }()
	}
	if err := demoFolder(anna.dir); err != nil {
		return nil, err
	}
	info, err := anna.n.Create(ctx, api.CreateOptions{Name: demoName, Dir: anna.dir})
	if err != nil {
		return nil, err
	}
	anna.n.Start()
	token, err := anna.n.Token(ctx, demoName, "write")
	if err != nil {
		return nil, err
	}
	step("anna makes a share of a folder, and gives its token to ben")
	began := time.Now()
	if err := poll(ctx, func() bool { return anna.n.net.Port() > 0 }); err != nil {
		return nil, err
	}
	host := fmt.Sprintf("127.0.0.1:%d", anna.n.net.Port())
	if _, err := ben.n.Add(ctx, api.AddOptions{Token: token, Name: demoName, Dir: ben.dir, Options: api.ShareConfig{Hosts: []string{host}}}); err != nil {
		return nil, err
	}
	synced, err := ben.n.Sync(ctx, api.SyncOptions{Names: []string{demoName}, For: time.Minute})
	if err != nil {
		return nil, err
	}
	s := synced[0].Status
	if synced[0].Code != string(bt.OK) || s == nil {
		return nil, fail(bt.Code(synced[0].Code), "syncing: %s", synced[0].Message)
	}
	res := &DemoResult{ID: info.ID, Files: s.Files, Bytes: s.Bytes, Seconds: time.Since(began).Seconds()}
	if err := sameFolders(anna.dir, ben.dir); err != nil {
		return nil, err
	}
	step(fmt.Sprintf("ben joins: %d files, %d bytes came, encrypted on the way, and every byte is the same", res.Files, res.Bytes))
	if res.Back, err = demoAnswer(ctx, ben.dir, anna.dir); err != nil {
		return nil, err
	}
	step(fmt.Sprintf("ben writes an answer: anna has it %.1f seconds later", res.Back))
	return res, nil
}

// A demoNode is one of the two.
type demoNode struct {
	name, dir string
	n         *Node
}

func (d *demoNode) open(ctx context.Context, state string) error {
	net, err := OpenNet(ctx, bt.Config{Listen: "127.0.0.1", NoDHT: true, NoTrackers: true})
	if err != nil {
		return err
	}
	d.n, err = Open(ctx, Options{Home: filepath.Join(state, d.name), Label: d.name, Net: net, Watch: true})
	if err != nil {
		return errors.Join(err, net.Close())
	}
	return nil
}

// close forgets the share, so that the folder can be used again.
func (d *demoNode) close() error {
	_ = d.n.Remove(context.Background(), demoName) // it is not there when something failed before
	return d.n.Close()
}

// demoFolder writes what is shared: the same bytes each time.
func demoFolder(dir string) error {
	photos := filepath.Join(dir, "photos")
	if err := os.MkdirAll(photos, 0o755); err != nil {
		return err
	}
	rnd := rand.NewChaCha8([32]byte{'s', 'h', 'a', 'r', 'e'})
	for i, size := range []int{3 << 20, 300_000, 40_000, 4_000} {
		b := make([]byte, size)
		rnd.Read(b)
		if err := os.WriteFile(filepath.Join(photos, fmt.Sprintf("%d.jpg", i+1)), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// answer is the file that comes back.
const answer = "answer.txt"

// demoAnswer writes a file into one folder, waits until it is in the other, and says how many seconds that took.
func demoAnswer(ctx context.Context, from, to string) (float64, error) {
	text := fmt.Appendf(nil, "They are lovely! %019d\n", time.Now().UnixNano()) // other bytes than the last time
	if err := os.WriteFile(filepath.Join(from, answer), text, 0o644); err != nil {
		return 0, err
	}
	began := time.Now()
	err := poll(ctx, func() bool {
		b, err := os.ReadFile(filepath.Join(to, answer))
		return err == nil && bytes.Equal(b, text)
	})
	return time.Since(began).Seconds(), err
}

// poll waits until something is so, at most a minute.
func poll(ctx context.Context, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !is() {
		if !sleep(ctx, 10*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// sameFolders is an error when a file of the first is not, or is another one, in the second.
func sameFolders(a, b string) error {
	return filepath.WalkDir(a, func(path string, d os.DirEntry, err error) error {
		rel, relErr := filepath.Rel(a, path)
		switch {
		case err != nil || relErr != nil:
			return errors.Join(err, relErr)
		case d.IsDir() && d.Name() == ".shoal":
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		x, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		y, err := os.ReadFile(filepath.Join(b, rel))
		if err == nil && !bytes.Equal(x, y) {
			err = fail(bt.Damaged, "comparing %s and %s: %s differs", a, b, rel)
		}
		return err
	})
}
