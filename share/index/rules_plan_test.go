package index

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestPlanRules is what Plan says of one path, case by case.
func TestPlanRules(t *testing.T) {
	t.Parallel()
	file := func(content int, dots ...Dot) Shown {
		return Shown{Path: "p", Natural: "p", Type: File, Dots: dots, MTime: 1, Size: 1, Hash: hashOf(content)}
	}
	row := func(s Shown, change ...func(*Base)) *Base {
		b := BaseOf(s)
		b.Present = true
		for _, c := range change {
			c(&b)
		}
		return &b
	}
	local := func(b *Base) { b.Local = true }
	absent := func(b *Base) { b.Present = false }
	at := func(mtime int64) func(*Base) { return func(b *Base) { b.MTime = mtime } }
	d1, d2 := dotOf(1, 1), dotOf(2, 1)
	dir := Shown{Path: "p", Natural: "p", Type: Dir, Dots: []Dot{d1}}
	link := Shown{Path: "p", Natural: "p", Type: Link, Dots: []Dot{d2}, Value: []byte("token")}
	readOnly := Rules{ReadOnly: true}
	revert := Rules{ReadOnly: true, Revert: func(string) bool { return true }}
	unwanted := Rules{Wanted: func(string) bool { return false }}
	for _, c := range []struct {
		name  string
		shown []Shown
		row   *Base
		rules Rules
		want  []OpKind
	}{
		{"new", []Shown{file(1, d1)}, nil, Rules{}, []OpKind{Put}},
		{"as it is", []Shown{file(1, d1)}, row(file(1, d1)), Rules{}, nil},
		{"the dots in another order", []Shown{file(1, d1, d2)}, row(file(1, d2, d1)), Rules{}, nil},
		{"a twin", []Shown{file(1, d1, d2)}, row(file(1, d1)), Rules{}, []OpKind{Adopt}},
		{"another time", []Shown{file(1, d2)}, row(file(1, d1), at(7)), Rules{}, []OpKind{SetMeta}},
		{"another content", []Shown{file(2, d2)}, row(file(1, d1)), Rules{}, []OpKind{Put}},
		{"gone", nil, row(file(1, d1)), Rules{}, []OpKind{Delete}},
		{"gone, was not here", nil, row(file(1, d1), absent), Rules{}, []OpKind{Forget}},
		{"not fetched", []Shown{file(1, d1)}, row(file(1, d1), absent), Rules{}, []OpKind{Put}},
		{"a directory now", []Shown{dir}, row(file(1, d1)), Rules{}, []OpKind{Delete, Mkdir}},
		{"no directory now", []Shown{file(1, d2)}, row(dir), Rules{}, []OpKind{Rmdir, Put}},
		{"a link is no file", []Shown{link}, nil, Rules{}, nil},
		{"a link takes the name", []Shown{link}, row(file(1, d1)), Rules{}, []OpKind{Delete}},

		{"found, the same", []Shown{file(1, d1)}, row(file(1)), Rules{}, []OpKind{Adopt}},
		{"found, the same at another time", []Shown{file(1, d1)}, row(file(1), at(7)), Rules{}, []OpKind{SetMeta}},
		{"found, another", []Shown{file(1, d1)}, row(file(2)), Rules{}, nil},
		{"found, nothing shown", nil, row(file(2)), Rules{}, nil},
		{"found where a directory is", []Shown{dir}, row(file(2)), Rules{}, nil},
		{"found by a read-only node", []Shown{file(1, d1)}, row(file(2)), readOnly, []OpKind{Put}},
		{"found by a read-only node, nothing shown", nil, row(file(2)), readOnly, nil},
		{"found, reverted", nil, row(file(2)), revert, []OpKind{Delete}},

		{"made there and taken away again", nil, row(file(2), local, absent), readOnly, []OpKind{Forget}},
		{"that, reverted", nil, row(file(2), local, absent), revert, []OpKind{Forget}},
		{"made there, is there", nil, row(file(2), local), readOnly, nil},

		{"edited on a read-only node", []Shown{file(1, d1)}, row(file(1, d1), local), readOnly, nil},
		{"removed on a read-only node", []Shown{file(1, d1)}, row(file(1, d1), local, absent), readOnly, nil},
		{"edited there, and by others", []Shown{file(2, d2)}, row(file(1, d1), local), readOnly, []OpKind{Put}},
		{"edited there, same content elsewhere", []Shown{file(1, d2)}, row(file(1, d1), local), readOnly, []OpKind{Put}},
		{"removed there, edited by others", []Shown{file(2, d2)}, row(file(1, d1), local, absent), readOnly, []OpKind{Put}},
		{"edited there, removed by others", nil, row(file(1, d1), local), readOnly, []OpKind{Delete}},
		{"edit reverted", []Shown{file(1, d1)}, row(file(1, d1), local), revert, []OpKind{Put}},
		{"removal reverted", []Shown{file(1, d1)}, row(file(1, d1), local, absent), revert, []OpKind{Put}},

		{"unwanted, new", []Shown{file(1, d1)}, nil, unwanted, []OpKind{Adopt}},
		{"unwanted, known", []Shown{file(1, d1)}, row(file(1, d1), absent), unwanted, nil},
		{"unwanted, changed", []Shown{file(2, d2)}, row(file(1, d1), absent), unwanted, []OpKind{Adopt}},
		{"unwanted, here", []Shown{file(1, d1)}, row(file(1, d1)), unwanted, nil},
		{"unwanted, here, changed", []Shown{file(2, d2)}, row(file(1, d1)), unwanted, []OpKind{Delete, Adopt}},
		{"unwanted, found", []Shown{file(1, d1)}, row(file(2)), unwanted, nil},
	} {
		var rows []Base
		if c.row != nil {
			rows = []Base{*c.row}
		}
		var got []OpKind
		for _, op := range Plan(c.shown, rows, c.rules) {
			got = append(got, op.Kind)
			switch {
			case op.Kind == Adopt && op.Absent != (c.row == nil || !c.row.Present || len(got) > 1):
				t.Errorf("%s: %v", c.name, op)
			case op.Path != "p":
				t.Errorf("%s: at %q", c.name, op.Path)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// arranged is what becomes of moving contents between paths of the disk: each path with the content it gets, 0 for none.
func arranged(t *testing.T, disk map[string]int, to map[string]int) (ops, blocked []Op, d *memDisk) {
	t.Helper()
	sc := &scene{disk: newDisk(), shown: map[string]Shown{}}
	add := func(p string, content int, into func(Shown)) {
		for d := parent(p); d != ""; d = parent(d) {
			into(Shown{Path: d, Natural: d, Type: Dir})
		}
		into(Shown{Path: p, Natural: p, Type: File, Size: int64(content), Hash: hashOf(content), Dots: []Dot{dotOf(1, uint64(content))}})
	}
	for p, c := range disk {
		add(p, c, sc.disk.add)
	}
	for p, c := range to {
		add(p, c, func(s Shown) { sc.shown[s.Path] = s })
	}
	ops, blocked = Arrange(sc.plan(), sc.disk)
	if len(blocked) == 0 {
		must(t, sc.disk.run(ops, func(Op) bool { return true }))
		must(t, sc.check())
	}
	return ops, blocked, sc.disk
}

func TestArrange(t *testing.T) {
	t.Parallel()
	type paths = map[string]int
	for _, c := range []struct {
		name     string
		from, to paths
		want     []string
	}{
		{"a rename", paths{"a": 1}, paths{"b": 1}, []string{`rename to "b" from "a"`}},
		{"a copy", paths{"a": 1}, paths{"a": 1, "b": 1}, []string{`copy to "b" from "a"`}},
		{"a rename and a copy", paths{"a": 1}, paths{"b": 1, "c": 1}, []string{`rename to "b" from "a"`, `copy to "c" from "b"`}},
		{"a chain", paths{"a": 1, "b": 2}, paths{"b": 1, "c": 2}, []string{`rename to "c" from "b"`, `rename to "b" from "a"`}},
		{"a swap", paths{"a": 1, "b": 2}, paths{"a": 2, "b": 1},
			[]string{`park "a" slot 1`, `rename to "a" from "b"`, `rename to "b" slot 1`}},
		{"into itself", paths{"a": 1}, paths{"a/a": 1}, []string{`park "a" slot 1`, `make directory "a"`, `rename to "a/a" slot 1`}},
		{"out of itself", paths{"a/a": 1}, paths{"a": 1}, []string{`park "a/a" slot 1`, `remove directory "a"`, `rename to "a" slot 1`}},
		{"a directory is renamed", paths{"a/x": 1, "a/y": 2}, paths{"b/x": 1, "b/y": 2}, []string{`make directory "b"`,
			`rename to "b/x" from "a/x"`, `rename to "b/y" from "a/y"`, `remove directory "a"`}},
		{"replaced by a rename", paths{"a": 1, "b": 2}, paths{"b": 1}, []string{`rename to "b" from "a" in place of what is there`}},
		{"the old one stays until the new one is here", paths{"a": 1}, paths{"a": 2, "b": 1},
			[]string{`copy to "b" from "a"`, `put "a" in place of what is there`}},
		{"gone", paths{"a/b/c": 1}, paths{}, []string{`delete "a/b/c"`, `remove directory "a/b"`, `remove directory "a"`}},
	} {
		ops, _, _ := arranged(t, c.from, c.to)
		var got []string
		for _, op := range ops {
			if op.Kind != Adopt {
				got = append(got, op.String())
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// TestBlocked: what stands in the way and does not go is not touched, and what depends on its going waits.
func TestBlocked(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.add(Shown{Path: "a", Natural: "other", Type: File, Size: 1, Hash: hashOf(1), Dots: []Dot{dotOf(1, 1)}})
	file := Shown{Path: "a", Natural: "a", Type: File, Size: 2, Hash: hashOf(2)}
	below := Shown{Path: "a/x/y", Natural: "a/x/y", Type: File, Size: 2, Hash: hashOf(2)}
	free := Shown{Path: "b/c", Natural: "b/c", Type: File, Size: 2, Hash: hashOf(2)}
	ops, blocked := Arrange([]Op{{Kind: Put, Path: "a", Shown: &file}, {Kind: Put, Path: "a/x/y", Shown: &below}, {Kind: Put, Path: "b/c", Shown: &free}}, d)
	if len(ops) != 2 || ops[0].Path != "b" || ops[1].Path != "b/c" {
		t.Fatalf("done: %v", ops)
	}
	for _, p := range []string{"a", "a/x/y"} {
		if !slices.ContainsFunc(blocked, func(op Op) bool { return op.Path == p }) {
			t.Fatalf("%q is not blocked: %v", p, blocked)
		}
	}
}

// TestHeldDirectoriesStay: a directory whose files are held is not removed, nor replaced.
func TestHeldDirectoriesStay(t *testing.T) {
	t.Parallel()
	w := newWatched(200)
	w.shown = map[string]Shown{"d3": {Path: "d3", Natural: "d3", Type: File, Size: 1, Hash: hashOf(1), Dots: []Dot{dotOf(1, 1)}}}
	b := w.sync(t)
	if len(b.Held) != 200 || len(b.Ops) > 0 {
		t.Fatalf("%d held, done: %v", len(b.Held), b.Ops)
	}
	if n := len(b.Blocked); n != 21 {
		t.Fatalf("%d blocked", n)
	}
}

// TestArrangeTakesAnything: whatever is asked for, and whatever the rows say, there is an answer, and no operation twice.
func TestArrangeTakesAnything(t *testing.T) {
	t.Parallel()
	batches(t, func(rt *rapid.T) {
		c := rapidChooser{rt}
		path := func() string {
			return []string{"a", "b", "a/a", "a/b", "b/a", "a/a/a", "b/a/b"}[c.below(7, "path")]
		}
		d := newDisk()
		some := func(p string) Shown {
			n := c.below(3, "content")
			return Shown{Path: p, Natural: p, Type: []Type{File, Dir, Symlink}[c.below(3, "type")], Size: int64(n), Hash: hashOf(n)}
		}
		for range c.below(8, "rows") {
			d.add(some(path()))
		}
		var ops []Op
		for range c.below(12, "operations") {
			p := path()
			s, b := some(p), BaseOf(some(p))
			b.Present = c.below(2, "present") == 0
			op := Op{Kind: []OpKind{Adopt, Forget, SetMeta, Mkdir, MakeSymlink, Put, Delete, Rmdir}[c.below(8, "kind")], Path: p, Base: &b}
			if op.Kind != Delete && op.Kind != Rmdir && op.Kind != Forget {
				op.Shown = &s
				if c.below(2, "base") == 0 {
					op.Base = nil
				}
			}
			ops = append(ops, op)
		}
		done, _ := Arrange(ops, d)
		for i, op := range done {
			if op.Kind == Park && !slices.ContainsFunc(done[i:], func(o Op) bool { return o.Kind == Rename && o.Slot == op.Slot }) {
				rt.Fatalf("left in a temporary place: %v", done)
			}
		}
	})
}
