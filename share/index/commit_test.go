package index

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
)

func TestCommit(t *testing.T) {
	t.Parallel()
	f := NewForest(testConv, newMemory())
	me := Writer{1}
	file := Entry{Type: File, MTime: 1}
	s, journal, err := Commit(f, State{}, me, []Event{
		{AddAt: "d/a", Add: &file},
		{RemoveAt: "d/a", Remove: []Dot{{me, 1}}, AddAt: "b", Add: &file}, // what this batch made
		{RemoveAt: "b", Remove: []Dot{{me, 1}}},                           // is not there, counts
		{RemoveAt: "c", Remove: []Dot{{me, 9}}, AddAt: "c/x", Add: &file}, // nor is that
		{AddAt: "member/x", Add: &Entry{Type: Meta, Value: []byte("m")}, Meta: true},
		{},
	})
	must(t, err)
	if s.Ctx[me] != 6 || len(journal) != 6 || file.Name != "" || !file.Dot.IsZero() {
		t.Fatalf("%v, %d events, %v", s.Ctx, len(journal), file)
	}
	for i, j := range journal {
		if j.Dot != (Dot{me, uint64(i + 1)}) || j.Event.Add != nil && j.Event.Add.Dot != j.Dot {
			t.Errorf("event %d is %v", i, j)
		}
	}
	w := &world{f: f}
	got, err := w.entries(s)
	must(t, err)
	want := []string{spell(false, "b", journal[1].Event.Add), spell(false, "c/x", journal[3].Event.Add), spell(true, "member/x", journal[4].Event.Add)}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for name, c := range map[string]struct {
		s  State
		w  Writer
		ev Event
	}{
		"no writer":       {s, Writer{}, Event{}},
		"no path":         {s, me, Event{Add: &file}},
		"a wrong name":    {s, me, Event{AddAt: "d/.shoal", Add: &file}},
		"the wrong tree":  {s, me, Event{AddAt: "d/x", Add: &file, Meta: true}},
		"meta in files":   {s, me, Event{AddAt: "d/x", Add: &Entry{Type: Meta, Value: []byte("m")}}},
		"no more numbers": {State{Ctx: Context{me: math.MaxInt64}}, me, Event{}},
	} {
		if _, _, err := Commit(f, c.s, c.w, []Event{c.ev}); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	if z, journal, err := Commit(f, s, Writer{}, nil); err != nil || len(journal) > 0 || z.Root != s.Root {
		t.Errorf("no events: %v", err)
	}
	if s.Ctx[me] != 6 {
		t.Error("the state that was changed is another")
	}
}

func TestFrontier(t *testing.T) {
	t.Parallel()
	root := func(s string) Root { return Root{Files: capOf(1, s)} }
	head := func(id byte, epoch uint16, r string, c Context) Kept {
		k := Kept{Epoch: epoch, State: State{c, root(r)}}
		k.ID[1] = id
		return k
	}
	a, b := Writer{1}, Writer{2}
	for name, c := range map[string]struct {
		heads []Kept
		want  []byte
	}{
		"none":             {nil, nil},
		"a line":           {[]Kept{head(1, 0, "x", Context{a: 1}), head(2, 0, "y", Context{a: 2})}, []byte{2}},
		"two":              {[]Kept{head(1, 0, "x", Context{a: 1}), head(2, 0, "y", Context{b: 1})}, []byte{1, 2}},
		"the same twice":   {[]Kept{head(2, 0, "x", Context{a: 1}), head(1, 0, "x", Context{a: 1})}, []byte{1}},
		"a fork":           {[]Kept{head(1, 0, "x", Context{a: 1}), head(2, 0, "y", Context{a: 1})}, []byte{1, 2}},
		"a later epoch":    {[]Kept{head(1, 0, "x", Context{a: 9}), head(2, 1, "y", Context{b: 1})}, []byte{2}},
		"one twice in all": {[]Kept{head(3, 0, "x", Context{a: 1, b: 1}), head(1, 0, "y", Context{a: 1}), head(2, 0, "z", Context{b: 1})}, []byte{3}},
	} {
		var got []byte
		for _, k := range Frontier(c.heads) {
			got = append(got, k.ID[1])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMergeStopsWithItsContext(t *testing.T) {
	t.Parallel()
	f := NewForest(testConv, newMemory())
	x, _, err := Commit(f, State{}, Writer{1}, []Event{{AddAt: "a", Add: &Entry{Type: File}}})
	must(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(context.DeadlineExceeded)
	if _, err := Merge(ctx, f, State{}, x); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("merging: %v", err)
	}
	if _, err := Join(ctx, f, Self{Writer: Writer{2}, Made: func(Dot) (JournalEvent, bool) { return JournalEvent{}, false }},
		[]Kept{{State: x, Writer: Writer{1}}}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("joining: %v", err)
	}
}

// Who saw an entry before a compaction means what it is now: it goes, and others, also of that name, stay.
func TestCommitByEarlierDot(t *testing.T) {
	t.Parallel()
	f := NewForest(testConv, newMemory())
	file := func(mtime int64) *Entry { return &Entry{Type: File, MTime: mtime} }
	s, _, err := Commit(f, State{}, Writer{1}, []Event{{AddAt: "a", Add: file(1)}, {AddAt: "a", Add: file(2)}, {AddAt: "b", Add: file(3)}})
	must(t, err)
	s, err = Compact(t.Context(), f, s, Writer{9})
	must(t, err)
	s, journal, err := Commit(f, s, Writer{9}, []Event{{RemoveAt: "a", Remove: []Dot{{Writer{1}, 1}}, AddAt: "a", Add: file(4)}})
	must(t, err)
	set, err := f.Find(s.Root.Files, "a")
	must(t, err)
	var times []int64
	for _, e := range set.Entries {
		times = append(times, e.MTime)
	}
	if slices.Sort(times); !slices.Equal(times, []int64{2, 4}) {
		t.Errorf("left are those of %v", times)
	}
	if r := journal[0].Event.Remove; len(r) != 2 || r[0] != (Dot{Writer{1}, 1}) || r[1].Writer != (Writer{9}) {
		t.Errorf("the journal says that it removed %v", r)
	}
	if set, err = f.Find(s.Root.Files, "b"); err != nil || len(set.Entries) != 1 {
		t.Errorf("%v, %v", set, err)
	}
}
