package node

import (
	"testing"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// What own heads have counted is known from the oldest that is kept on; a count between two of them was never published.
func TestPublishedCounts(t *testing.T) {
	t.Parallel()
	me, other := index.Writer{1}, index.Writer{2}
	var l headList
	for i, h := range []struct {
		w    index.Writer
		n    uint64
		mine bool
	}{{me, 5, true}, {me, 9, true}, {me, 7, false}, {other, 8, true}} {
		l.all = append(l.all, db.Head{ID: blob.ID{byte(i)}, Writer: h.w, Mine: h.mine, Ctx: index.Context{h.w: h.n}})
	}
	published := l.published(me)
	for n, want := range map[uint64]bool{1: true, 4: true, 5: true, 6: false, 7: false, 8: false, 9: true, 10: false} {
		if published(n) != want {
			t.Errorf("count %d: %v", n, !want)
		}
	}
	if !l.published(index.Writer{3})(1) {
		t.Error("nothing is known of an id without heads, and a count of it raises an alarm")
	}
}
