package node

import "testing"

// Something is given back once after each time of work, when it is over.
func TestRester(t *testing.T) {
	t.Parallel()
	var r rester
	allocated := uint64(5 << 20)
	for i, step := range []struct {
		more uint64
		want bool
	}{
		{0, false}, {0, false}, // a start is not worth it
		{100 << 20, false}, {2 << 20, false}, {100, true}, {0, false},
		{900_000, false}, {900_000, false}, // idle life
		{20 << 20, false}, {0, false}, // too little
		{20 << 20, false}, {0, true},
	} {
		allocated += step.more
		if got := r.look(allocated); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}
