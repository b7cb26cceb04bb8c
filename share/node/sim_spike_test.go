package node

import (
	"fmt"
	"testing"
	"time"
)

func TestSimSpike(t *testing.T) {
	began := time.Now()
	simulate(t, 1, func(w *simWorld) {
		a := w.machine("admin")
		for i := range 20 {
			a.write(fmt.Sprintf("d%d/f%d", i%3, i), simBytes(1, i, 1000*i+10), false)
		}
		a.write("big", simBytes(1, 99, 700_000), false)
		a.create()
		b := w.machine("write")
		b.join()
		c := w.machine("read")
		c.join()
		s := w.machine("store")
		s.join()
		w.settle(10 * time.Minute)
		w.check(strict{true})
		t.Log("virtual", time.Since(simEpoch))
	})
	t.Log(time.Since(began))
}
