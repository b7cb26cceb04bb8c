package bt

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// A spanSet has the bytes that were added, in ranges that neither overlap nor touch.
func TestSpanSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s spanSet
		var want [60]bool
		for range rapid.IntRange(0, 20).Draw(t, "ranges") {
			from := rapid.IntRange(0, len(want)).Draw(t, "from")
			to := rapid.IntRange(from, len(want)).Draw(t, "to")
			s.add(span{int64(from), int64(to)})
			for i := from; i < to; i++ {
				want[i] = true
			}
			var got [60]bool
			bytes, last := int64(0), int64(-1)
			for _, r := range s.all {
				if r.from <= last || r.from >= r.to {
					t.Fatalf("%v", s.all)
				}
				last = r.to
				bytes += r.to - r.from
				for i := r.from; i < r.to; i++ {
					got[i] = true
				}
			}
			if got != want || bytes != s.bytes {
				t.Fatalf("%v, %d bytes", s.all, s.bytes)
			}
		}
	})
}

// A peer and a fetcher of one address are one copy, whichever is seen first; two peers of one address are two.
func TestCopiesOfFetchers(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	peer := func(id byte, at netip.Addr) copyID { return copyKeys([20]byte{id}, netip.AddrPortFrom(at, uint16(id))) }
	c := newCopyWatch(&Metainfo{}, nil)
	for i, step := range []struct {
		do   func()
		want int
	}{
		{func() { c.noteFetcher(a) }, 1},
		{func() { c.noteFetcher(a) }, 1},
		{func() { c.note(peer(1, a)) }, 1},
		{func() { c.note(peer(1, a)) }, 1},
		{func() { c.note(peer(2, a)) }, 2},
		{func() { c.noteFetcher(a) }, 2},
		{func() { c.note(peer(3, b)) }, 3},
		{func() { c.noteFetcher(b) }, 3},
	} {
		if step.do(); c.count() != step.want {
			t.Errorf("step %d: %d copies, want %d", i, c.count(), step.want)
		}
	}
}

func TestWebCopies(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	var whole []netip.Addr
	c := newWebCopies(&Metainfo{Length: 100}, func(at netip.Addr) { whole = append(whole, at) })
	c.sent(a, []span{{0, 60}})
	c.sent(b, []span{{60, 100}})
	c.sent(a, []span{{0, 60}})
	if len(whole) > 0 {
		t.Errorf("half is whole to %v", whole)
	}
	c.sent(a, []span{{50, 100}})
	c.sent(a, []span{{50, 100}})
	if len(whole) != 1 || whole[0] != a {
		t.Errorf("whole: %v", whole)
	}
}
