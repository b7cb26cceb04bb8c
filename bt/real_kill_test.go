package bt_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt"
	"shoal/bt/bttest"
)

// A download is killed at random moments and run again: then it is complete and exact, has fetched no piece of a
// finished file twice, and leaves nothing but the files.
func TestRealKilled(t *testing.T) {
	t.Parallel()
	seed, times := uint64(time.Now().UnixNano()), 20
	if testing.Short() {
		times = 4
	}
	rnd := rand.New(rand.NewPCG(seed, 0))
	t.Logf("random seed %d", seed)
	const piece, files = 32 << 10, 12
	root := mkdir(t, t.TempDir(), "songs")
	for i := range files {
		bttest.RandomFile(t, root, fmt.Sprint("song", i), 150_000+i*7919)
	}
	m, torrent := created(t, bt.CreateOptions{Path: root, PieceLength: piece})
	c := session(t, bt.Config{NoPEX: true})
	seeded(t, c, m, root, bt.SeedOptions{})
	for i := range times {
		at := rnd.Int64N(m.Length + 100_000)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			link := bttest.NewLink(t, c.Addr().String())
			link.SetRate(20 << 20)
			job := child{Config: bt.Config{Listen: "127.0.0.1", NoDHT: true, NoPEX: true}, Torrent: torrent,
				Dir: t.TempDir(), Resume: t.TempDir(), Peers: []string{link.Addr}}
			killedWhen(t, job, func() bool { return link.Bytes() >= at })
			finished := finishedPieces(m, filepath.Join(job.Dir, "songs"))
			again := bttest.NewLink(t, c.Addr().String())
			job.Peers = []string{again.Addr}
			if out, err := job.command(t).CombinedOutput(); err != nil {
				t.Fatalf("the second run: %v\n%s", err, out)
			}
			bttest.CompareTrees(t, filepath.Join(job.Dir, "songs"), root)
			if left, err := os.ReadDir(job.Dir); err != nil || len(left) != 1 {
				t.Errorf("left behind: %v %v", left, err)
			}
			// Requests and the like take some bytes, too.
			if most := m.Length - int64(finished)*piece + 30_000; again.Bytes() > most {
				t.Errorf("killed at %d with %d of %d pieces finished; then %d bytes went over, more than %d",
					at, finished, m.NumPieces, again.Bytes(), most)
			}
		})
	}
}

func (c child) command(t *testing.T) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), c.env(t))
	return cmd
}

// killedWhen runs the child until it is over or until now is true, and then kills it.
func killedWhen(t *testing.T, job child, now func() bool) {
	t.Helper()
	cmd := job.command(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-over:
			if err != nil {
				t.Fatalf("the first run: %v", err)
			}
			return
		case <-tick.C:
			if now() {
				_ = cmd.Process.Kill()
				<-over
				return
			}
		}
	}
}

// finishedPieces counts the pieces that lie wholly in files that have their final names.
func finishedPieces(m *bt.Metainfo, root string) (n int) {
	for i := range m.NumPieces {
		begin := int64(i) * m.PieceLength
		first, end := m.FilesIn(begin, m.PieceSize(i))
		whole := true
		for _, f := range m.Files[first:end] {
			_, err := os.Lstat(filepath.Join(root, f.Path))
			whole = whole && err == nil
		}
		if whole {
			n++
		}
	}
	return n
}
