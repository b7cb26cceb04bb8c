package node

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A renamed file and a changed one get the same content at once, by one step of their author: others have both as soon as
// they hear of it, and nobody has to look twice.
func TestSimTwins(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(a *simMachine, x []byte){
		"renamed, and copied over another": func(a *simMachine, x []byte) { a.rename("x", "z"); a.write("y", x, false) },
		"copied over another, and renamed": func(a *simMachine, x []byte) { a.write("y", x, false); a.rename("x", "z") },
		"renamed in order":                 func(a *simMachine, x []byte) { a.rename("x", "a"); a.write("y", x, false) },
		"copied in place":                  func(a *simMachine, x []byte) { a.rename("x", "z"); a.write("y", x, true) },
		"renamed, copied to a new name":    func(a *simMachine, x []byte) { a.rename("x", "z"); a.write("b", x, false) },
		"renamed over the other, and back": func(a *simMachine, x []byte) { a.rename("x", "y"); a.write("x", x, false) },
		"renamed, and another in its place": func(a *simMachine, x []byte) {
			a.rename("x", "z")
			a.rename("y", "x")
			a.write("w", x, false)
		},
	} {
		for _, size := range []int{5000, 600_000} {
			t.Run(fmt.Sprint(name, " ", size), func(t *testing.T) {
				t.Parallel()
				simulate(t, 170, func(t *testing.T, w *simWorld) {
					a := w.machine("admin")
					x := simBytes(170, 1, size)
					for _, name := range []string{"w", "y"} {
						a.write(name, simBytes(170, int(name[0]), size), false)
					}
					a.write("x", x, false)
					w.share("admin", "read", "write")
					time.Sleep(time.Minute)
					do(a, x)
					a.look()
					began := time.Now()
					w.settle(time.Hour)
					w.check(strict{gone: true})
					for _, m := range w.all[1:] {
						if got, want := fmt.Sprint(m.tree()), fmt.Sprint(a.tree()); got != want {
							t.Errorf("%s has %s, want %s", m.name, got, want)
						}
					}
					if strings.Contains(w.trace.String(), "not what was expected") {
						t.Errorf("somebody found what was not expected; it took %v", time.Since(began))
					}
					t.Log(time.Since(began))
				})
			})
		}
	}
}
