package index

// content is what two files have in common when they are the same to a user.
type content struct {
	hash [32]byte
	size int64
}

// match makes renames and copies of what would be fetched although it is here.
func (a *arranger) match() {
	wants, order := a.wants()
	here := make(map[content][]Base, len(order))
	for _, c := range order {
		for _, b := range a.disk.Having(c.hash, c.size) {
			if b.Present && b.Type == File && !b.Local {
				here[c] = append(here[c], b)
			}
		}
	}
	leaving := a.leaving(wants, here)
	for _, c := range order {
		targets, sources := wants[c], leaving[c]
		n := min(len(targets), len(sources))
		for i := range n {
			targets[i].rename(sources[i])
		}
		if n == len(targets) {
			continue
		}
		from := a.staying(here[c])
		if n > 0 {
			from = targets[0].come.Source
		}
		if from == nil {
			continue
		}
		for _, t := range targets[n:] {
			t.come.Kind, t.come.Source, t.come.From = Copy, from, from.Path
			if n > 0 {
				t.come.From = targets[0].path
			}
		}
	}
}

// wants are the steps that would fetch a content. Empty files are made, not fetched.
func (a *arranger) wants() (wants map[content][]*step, order []content) {
	wants = map[content][]*step{}
	for _, s := range a.order {
		if s.come == nil || s.come.Kind != Put || s.come.Shown.Size == 0 {
			continue
		}
		c := content{s.come.Shown.Hash, s.come.Shown.Size}
		if wants[c] == nil {
			order = append(order, c)
		}
		wants[c] = append(wants[c], s)
	}
	return wants, order
}

// leaving are the steps that take a content away from its path, if somebody wants it. A file whose successor has to be
// fetched first is none: if nobody serves that, the old one stays.
func (a *arranger) leaving(wants map[content][]*step, here map[content][]Base) map[content][]*step {
	leaving := map[content][]*step{}
	for _, s := range a.order {
		b := s.takes()
		if b == nil || b.Type != File || b.Local || !b.Present {
			continue
		}
		c := content{b.Hash, b.Size}
		if wants[c] == nil {
			continue
		}
		if s.come != nil && s.come.Kind == Put && s.gone == nil && s.come.Shown.Size > 0 {
			if len(here[content{s.come.Shown.Hash, s.come.Shown.Size}]) == 0 {
				continue
			}
		}
		leaving[c] = append(leaving[c], s)
	}
	return leaving
}

// takes is the row that s takes away from its path.
func (s *step) takes() *Base {
	switch {
	case s.gone != nil && s.gone.Kind == Delete:
		return s.gone.Base
	case s.come != nil && s.come.replaces():
		return s.come.Base
	}
	return nil
}

// rename makes s take what leaves from.
func (s *step) rename(from *step) {
	s.come.Kind, s.come.From, s.come.Source = Rename, from.path, from.takes()
	from.moved = s
	if from.gone != nil {
		from.gone = nil
	} else {
		from.come.Base = nil
	}
}

// staying is a row to copy from: one that is not touched, or is not before the copy is made.
func (a *arranger) staying(rows []Base) (found *Base) {
	for i := range rows {
		s := a.steps[rows[i].Path]
		switch {
		case s == nil:
			return &rows[i]
		case s.gone == nil && s.moved == nil && s.come.Kind != Rename && found == nil:
			found = &rows[i]
		}
	}
	return found
}
