package bencode

import "fmt"

// Limits bound what is accepted of a stranger. A zero field means its default.
type Limits struct {
	Depth int // levels of lists and dictionaries; default 256
	Size  int // bytes of one value; default 256 MiB
	Count int // integers, strings, lists and dictionaries (keys included) in one value; default 4 Mi
}

func (l Limits) orDefault() Limits {
	if l.Depth <= 0 {
		l.Depth = 256
	}
	if l.Size <= 0 {
		l.Size = 256 << 20
	}
	if l.Count <= 0 {
		l.Count = 4 << 20
	}
	return l
}

// A grammar accepts the tokens of one value after the other, in order.
type grammar struct {
	lim   Limits
	open  []byte // what is open, outermost first: l, d (a key comes next) or v (a value of a dictionary comes next)
	count int    // values begun in this one
}

// step accepts a token that begins at off, and reports whether it completes a value at the outermost level.
func (g *grammar) step(k Kind, off int64) (done bool, e *SyntaxError) {
	top := byte(0)
	if n := len(g.open); n > 0 {
		top = g.open[n-1]
	}
	switch {
	case k == End && top != 'l' && top != 'd':
		return false, &SyntaxError{off, "a value", `"e"`}
	case k == End:
		g.open = g.open[:len(g.open)-1]
		g.valueDone()
		return len(g.open) == 0, nil
	case top == 'd' && k != String:
		return false, &SyntaxError{off, "a string as key, or e", "a value of kind " + k.String()}
	}
	if g.count++; g.count > g.lim.Count {
		return false, &SyntaxError{Offset: off, Want: fmt.Sprintf("at most %d values", g.lim.Count)}
	}
	switch {
	case top == 'd':
		g.open[len(g.open)-1] = 'v'
		return false, nil
	case k == List || k == Dict:
		if len(g.open) == g.lim.Depth {
			return false, &SyntaxError{Offset: off, Want: fmt.Sprintf("at most %d levels", g.lim.Depth)}
		}
		g.open = append(g.open, byte(k))
		return false, nil
	}
	g.valueDone()
	return len(g.open) == 0, nil
}

// wantsKey reports whether a key comes next, or the end of its dictionary.
func (g *grammar) wantsKey() bool { return len(g.open) > 0 && g.open[len(g.open)-1] == 'd' }

// valueDone turns from the value of a dictionary to its next key.
func (g *grammar) valueDone() {
	if n := len(g.open); n > 0 && g.open[n-1] == 'v' {
		g.open[n-1] = 'd'
	}
}

// Check reports whether b is one value and nothing after it: nil, or a *SyntaxError. It allocates next to nothing and
// takes time linear in the number of values.
func Check(b []byte, lim Limits) error {
	n, err := checkPrefix(b, lim)
	if err == nil && n < len(b) {
		err = wanted(b, n, endOfInput)
	}
	if err != nil {
		return err
	}
	return nil
}

// checkPrefix returns the length of the value that b begins with.
func checkPrefix(b []byte, lim Limits) (int, *SyntaxError) {
	g := grammar{lim: lim.orDefault()}
	for i := 0; ; {
		t, _, err := lex(b, i)
		if err != nil {
			return 0, err
		}
		if t.next > g.lim.Size {
			return 0, tooLarge(i, g.lim)
		}
		done, err := g.step(t.kind, int64(i))
		if err != nil {
			return 0, err
		}
		if i = t.next; done {
			return i, nil
		}
	}
}

func tooLarge(off int, lim Limits) *SyntaxError {
	return &SyntaxError{Offset: int64(off), Want: fmt.Sprintf("a value of at most %d bytes", lim.Size)}
}
