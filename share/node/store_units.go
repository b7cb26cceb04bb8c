package node

import (
	"context"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// units are the units that the newest heads name and this store has. What is older is history, which others need not have;
// so is what a split frontier names and no writer needs. false: something of them is not here.
func (s *store) units(ctx context.Context) (units []unit, ok bool, err error) {
	l := s.e.kept()
	var roots []blob.ID
	frontier := l.frontier()
	for i := range l.all {
		for _, id := range frontier {
			if l.all[i].ID == id {
				roots = append(roots, l.all[i].Root)
			}
		}
	}
	ok = len(roots) > 0
	seen := map[unit]bool{}
	add := func(all ...unit) {
		for _, u := range all {
			if !seen[u] {
				seen[u] = true
				units = append(units, u)
			}
		}
	}
	var page []blob.ID
	flush := func() error {
		defer func() { page = page[:0] }()
		return s.e.node.db.View(ctx, func(t *db.Tx) error {
			for _, id := range page {
				of, here, err := s.unitsOf(t, id)
				if err != nil {
					return err
				}
				if !here {
					ok = ok && s.isNeedless(id)
					continue
				}
				add(of...)
			}
			return nil
		})
	}
	for id, err := range index.Reach(index.RefsIn(s.e.newBlobs()), roots, nil) {
		if err != nil {
			return nil, false, err
		}
		if k := id.Kind(); k != blob.Data && k != blob.Recipe && k != blob.Info {
			continue
		}
		if page = append(page, id); len(page) >= hasPage {
			if err := flush(); err != nil {
				return nil, false, err
			}
		}
	}
	return units, ok, flush()
}

// unitsOf are the units that a blob is or stands for; false when it is not here.
func (s *store) unitsOf(t *db.Tx, id blob.ID) (units []unit, here bool, err error) {
	if here, err = t.HasBlob(s.e.n, id); err != nil || !here || id.Kind() != blob.Info {
		return []unit{unit(id)}, here, err
	}
	d, err := t.Data(s.e.n, id)
	if err != nil || d == nil || d.State != db.DataWhole {
		return nil, false, err
	}
	b, err := t.Peek(s.e.n, id)
	if err != nil {
		return nil, false, err
	}
	torrent, err := blob.CheckInfo(id, b)
	if err != nil {
		return nil, true, nil // nobody can have what it says
	}
	units = []unit{unit(id)}
	for i := range stripes(torrent.Length) {
		units = append(units, stripeUnit(id, i))
	}
	return units, true, nil
}

// isNeedless reports whether no writer needs what is not here (learnNeedless).
func (s *store) isNeedless(id blob.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.needless[id]
}
