package node

import (
	"fmt"
	"testing"
	"time"
)

// A file that is written often is one file to the guard, and not a mass of them; so are a hundred.
func TestSimWrittenOften(t *testing.T) {
	t.Parallel()
	for _, files := range []int{1, 100} {
		t.Run(fmt.Sprint(files), func(t *testing.T) {
			t.Parallel()
			simulate(t, 90, func(t *testing.T, w *simWorld) {
				a := w.machine("admin")
				a.many("f", 110, 700, 0)
				w.share("admin", "write")
				for i := range 102/files + 1 {
					for k := range files {
						a.write(fmt.Sprintf("f%03d", k), simBytes(90, 1000+i*files+k, 710), true)
					}
					a.look()
					time.Sleep(10 * time.Second)
				}
				w.settle(time.Hour)
				w.check(strict{})
			})
		})
	}
}
