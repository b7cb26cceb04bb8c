package disk

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A clockwork drives a Settler by its own next times.
type clockwork struct {
	Settler
	now   time.Time
	sizes map[string]int64
}

func newClockwork() *clockwork {
	c := &clockwork{now: time.Unix(1000, 0), sizes: map[string]int64{}}
	c.Size = func(p string) int64 {
		if s, ok := c.sizes[p]; ok {
			return s
		}
		return -1
	}
	return c
}

func (c *clockwork) write(p string, n int64) {
	c.sizes[p] += n
	c.Event(p, LookSelf, c.now)
}

// until lets time go by, and says what comes when, in ms from the start.
func (c *clockwork) until(ms int) (out []string) {
	end := time.Unix(1000, int64(ms)*1e6)
	for {
		what, next := c.Ready(c.now)
		if what != nil {
			out = append(out, fmt.Sprint(c.now.Sub(time.Unix(1000, 0)).Milliseconds(), " ", slices.Sorted(maps.Keys(what))))
		}
		if next.IsZero() || next.After(end) {
			c.now = end
			return out
		}
		if !next.After(c.now) {
			panic("next is not later")
		}
		c.now = next
	}
}

func TestSettleQuiet(t *testing.T) {
	t.Parallel()
	c := newClockwork()
	c.write("a", 1)
	got := c.until(200)
	c.write("b", 1)
	got = append(got, c.until(5000)...)
	c.write("c", 1)
	got = append(got, c.until(9000)...)
	if want := []string{"500 [a b]", "5300 [c]"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
}

// Under constant change there is one scan each 10 s.
func TestSettleConstantChange(t *testing.T) {
	t.Parallel()
	c := newClockwork()
	var got []string
	for i := range 120 {
		c.write(fmt.Sprint(i), 1)
		for _, b := range c.until((i + 1) * 200) {
			var ms int
			fmt.Sscan(b, &ms)
			got = append(got, fmt.Sprint(ms))
		}
	}
	if want := []string{"10000", "20000"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
}

// A file that grows waits longer, and nobody waits for it.
func TestSettleGrowing(t *testing.T) {
	t.Parallel()
	c := newClockwork()
	var got []string
	for i := range 40 { // a log, every half second, for 20 s
		c.write("log", 10)
		if i == 20 {
			c.write("small", 1)
		}
		got = append(got, c.until((i+1)*500)...)
	}
	got = append(got, c.until(60_000)...)
	want := []string{"300 [log]", "10300 [small]", "10500 [log]", "20500 [log]"}
	if !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
}

// What is edited again without growing settles fast.
func TestSettleEdits(t *testing.T) {
	t.Parallel()
	c := newClockwork()
	c.write("a", 10)
	c.until(1000)
	c.write("a", -1)
	if got := c.until(5000); !slices.Equal(got, []string{"1300 [a]"}) {
		t.Fatalf("%q", got)
	}
}

func TestSettleMany(t *testing.T) {
	t.Parallel()
	c := newClockwork()
	for i := range maxUnsettled + 10 {
		c.Event(fmt.Sprint(i), LookSelf, c.now)
	}
	if got := c.until(5000); !slices.Equal(got, []string{"300 []"}) { // one path, ""
		t.Fatalf("%q", got)
	}
	c.Event("a", LookSelf, c.now)
	c.Event("", LookDeep, c.now)
	c.Event("b", LookSelf, c.now)
	what, _ := c.Ready(c.now.Add(time.Second))
	if len(what) != 1 || what[""] != LookDeep {
		t.Fatalf("%v", what)
	}
}

// Every event is handed out: not sooner than SettleTime after the last event of its path unless CommitTime passed, not
// later than CommitTime; nothing is handed out that had no event; and once it is quiet, everything goes within GrowTime.
func TestSettleProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		c := newClockwork()
		first, last := map[string]time.Time{}, map[string]time.Time{}
		looks := Paths{}
		take := func(what Paths) {
			for p, l := range what {
				if first[p].IsZero() || l != looks[p] {
					r.Fatalf("%q %d handed out, events had %d", p, l, looks[p])
				}
				if age := c.now.Sub(first[p]); age > CommitTime || c.now.Sub(last[p]) < SettleTime && !full(c.now, first) {
					r.Fatalf("%q handed out %v after its first event, %v after its last", p, age, c.now.Sub(last[p]))
				}
				delete(first, p)
				delete(looks, p)
			}
		}
		pass := func(d time.Duration) {
			end := c.now.Add(d)
			for {
				what, next := c.Ready(c.now)
				take(what)
				if next.IsZero() && len(first) > 0 {
					r.Fatalf("%v waits for nothing", slices.Sorted(maps.Keys(first)))
				}
				if next.IsZero() || next.After(end) {
					c.now = end
					return
				}
				c.now = next
			}
		}
		for range rapid.IntRange(1, 60).Draw(r, "events") {
			p := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "path")
			l := rapid.SampledFrom([]Look{LookSelf, LookDeep, LookHash}).Draw(r, "look")
			c.sizes[p] += rapid.Int64Range(0, 1).Draw(r, "grows")
			c.Event(p, l, c.now)
			if first[p].IsZero() {
				first[p] = c.now
			}
			last[p] = c.now
			looks.Add(p, l)
			pass(time.Duration(rapid.IntRange(0, 3000).Draw(r, "ms")) * time.Millisecond)
		}
		pass(GrowTime)
		if len(first) > 0 {
			r.Fatalf("%v is not handed out", slices.Sorted(maps.Keys(first)))
		}
	})
}

// full reports whether the oldest event waited for CommitTime.
func full(now time.Time, first map[string]time.Time) bool {
	for _, t := range first {
		if now.Sub(t) >= CommitTime {
			return true
		}
	}
	return false
}
