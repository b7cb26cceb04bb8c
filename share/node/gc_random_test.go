package node

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"shoal/share/api"
	"shoal/share/db"
)

// Random histories of a writer, a store that gets some of it late, days that pass, clock jumps, collections that are cut
// short, and restarts: what the newest head names, and came, stays; a row is never without what it speaks of.
func TestRandomCollections(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			x := rand.New(rand.NewPCG(seed, 7))
			r := newRig(t)
			home, dir := t.TempDir(), t.TempDir()
			s := r.join(r.open(home, nil), dir, "store", api.ShareConfig{})
			r.step(s)
			large := noise(seed, 1<<20)
			files := map[string]bool{}
			for range 25 {
				switch name := fmt.Sprint("f", x.IntN(4)); x.IntN(9) {
				case 0, 1:
					r.write(name, noise(x.Uint64(), 100+x.IntN(5000)))
					files[name] = true
				case 2:
					large[x.IntN(len(large))]++
					r.write(name, large)
					files[name] = true
				case 3:
					if files[name] {
						r.write(name, nil)
						delete(files, name)
					}
				case 4, 5:
					r.carry(s, nil)
					here := blobsOf(t, s)
					for id := range r.reached() {
						if !here[id] {
							t.Fatalf("%s is not here", id)
						}
					}
				case 6:
					for range x.IntN(20) {
						r.pass(day)
						r.step(s)
					}
				case 7:
					r.pass(day * 500)
					_, _ = s.node.collect(newFuse(t, x.IntN(12)))
				case 8:
					s.node.Close()
					s = r.open(home, nil).engines["s"]
					s.net = newSwarm(s)
					r.step(s)
				}
				was := blobsOf(t, s)
				tidy(t, s.node)
				got := blobsOf(t, s)
				for id := range r.reached() {
					if was[id] && !got[id] {
						t.Fatalf("%s was swept", id)
					}
				}
				soundRows(t, s, dir)
			}
			r.carry(s, nil)
			tidy(t, s.node)
			sound(t, s, dir)
			for range 40 {
				r.pass(day)
				r.step(s)
				tidy(t, s.node)
			}
			donors := 0 // their infos stay with them
			for _, d := range allData(t, s) {
				if d.State == db.DataDonor {
					donors++
				}
			}
			if got, want := len(blobsOf(t, s)), len(r.reached())+donors; got != want {
				t.Errorf("%d blobs, %d are in use", got, want)
			}
			for _, d := range allData(t, s) {
				if x, err := s.store.torrent(d.Info); err == nil && d.State == db.DataWhole {
					if ok, err := s.store.whole(t.Context(), x); !ok || err != nil {
						t.Errorf("%s is not whole: %v", d.Info, err)
					}
				}
			}
			sound(t, s, dir)
		})
	}
}
