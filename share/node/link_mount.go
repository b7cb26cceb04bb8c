package node

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
	"shoal/share/secret"
)

// mounts are the links of a share and the shares that are mounted for them. The control goroutine owns them.
type mounts struct {
	read     bool            // links were read from a tree
	tree     blob.Cap        // that one
	naturals map[string]bool // natural paths with links
	want     map[string]secret.Token
	skip     map[string]bool // paths on disk that are somebody else's
	retry    time.Time       // when to try again what could not be mounted; zero = all is
}

// seeLinks mounts what links show, and takes away what they no longer do. The control goroutine calls it.
func (e *engine) seeLinks() error {
	if e.forest == nil || e.folder == nil {
		return nil
	}
	m := &e.mounts
	if !e.relink.Swap(false) && m.read && m.tree == e.row.State.Root.Files && (m.retry.IsZero() || e.node.now().Before(m.retry)) {
		return nil
	}
	if err := e.readLinks(); err != nil {
		return err
	}
	m.skip = map[string]bool{}
	for p := range m.want {
		m.skip[p] = true
	}
	mounted := map[string]bool{}
	for _, x := range e.node.mountedIn(e) {
		m.skip[x.link.Path] = true
		if t, ok := m.want[x.link.Path]; ok && t.Share == x.token.Share {
			mounted[x.link.Path] = true
			e.node.goWith(x, t)
			continue
		}
		if err := e.unmount(x); err != nil {
			return fmt.Errorf("taking the link at %s away: %w", x.link.Path, err)
		}
	}
	m.retry = time.Time{}
	if err := e.mountAll(mounted); err != nil {
		return err
	}
	return e.renewLinks()
}

// mountAll mounts what is not yet, and says of what it cannot mount why.
func (e *engine) mountAll(mounted map[string]bool) error {
	m := &e.mounts
	config := parseConfig(e.row.Options)
	problems := map[string]error{}
	for _, p := range slices.Sorted(maps.Keys(m.want)) {
		if mounted[p] || !wants(&config, p) {
			continue
		}
		if err := e.mount(p, m.want[p]); err != nil {
			if e.ctx.Err() != nil {
				return err
			}
			problems[p] = err
			m.retry = e.node.now().Add(retryAfter)
			e.log.Warn("a link is not shown", "path", p, "why", err)
		}
	}
	return e.node.db.Update(e.ctx, func(t *db.Tx) error {
		if err := t.ClearProblems(e.n, "link"); err != nil {
			return err
		}
		for p, why := range problems {
			if err := t.SetProblem(e.n, p, "link", why.Error(), e.node.now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// readLinks finds the links of the state, looking only at what has changed since it did so last.
func (e *engine) readLinks() error {
	m, files := &e.mounts, e.row.State.Root.Files
	if m.naturals == nil {
		m.naturals = map[string]bool{}
	}
	changed := !m.read
	for c, err := range e.forest.Diff(e.ctx, m.tree, files) {
		if err != nil {
			return err
		}
		is := slices.ContainsFunc(c.After, func(x index.Entry) bool { return x.Type == index.Link })
		was := slices.ContainsFunc(c.Before, func(x index.Entry) bool { return x.Type == index.Link })
		if changed = changed || is || was; is {
			m.naturals[c.Path] = true
		} else {
			delete(m.naturals, c.Path)
		}
	}
	m.read, m.tree = true, files
	if len(m.naturals) == 0 && !changed {
		return nil
	}
	m.want = map[string]secret.Token{}
	shows := index.NewView(e.forest, files, e.folder.fs.FoldsCase())
	for p := range m.naturals {
		all, err := shows.At(p)
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].Type != index.Link {
				continue
			}
			if token, err := secret.ParseToken(string(all[i].Value)); err == nil {
				m.want[all[i].Path] = token
			}
		}
	}
	return nil
}

// isMount tells the scanner what is not the share's own: where links are, and folders that are marked as another share's,
// which somebody may have moved.
func (e *engine) isMount(p string) bool {
	m := &e.mounts
	if len(m.skip) == 0 {
		return false
	}
	if m.skip[p] {
		return true
	}
	_, err := e.folder.fs.Lstat(p + "/" + disk.Marker)
	return err == nil
}

// mount joins the share that a link leads to, in the folder at p.
func (e *engine) mount(p string, token secret.Token) error {
	n := e.node
	if token.Role < secret.Read || token.Role > secret.Write {
		return fmt.Errorf("the link has the %s secret of a share", token.Role)
	}
	depth := 1
	for at := e; at != nil; depth++ {
		if at.token.Share == token.Share {
			return errCircle
		}
		if at.link == nil || at.link.In == 0 {
			break
		}
		at = n.byNumber(at.link.In)
	}
	if depth > maxNested {
		return fmt.Errorf("it is the %dth link inside others, and at most %d are shown", depth, maxNested)
	}
	n.linking.Lock()
	defer n.linking.Unlock()
	if there := n.byShare(token.Share); there != nil {
		if !there.isBeside() {
			return fmt.Errorf("what it leads to is here already, as share %s", there.row.Name)
		}
		if err := n.forget(e.ctx, there); err != nil {
			return err
		}
	}
	own := parseConfig(e.row.Options)
	config := api.ShareConfig{LANOnly: own.LANOnly, Hosts: own.Hosts, Trackers: own.Trackers, Reserve: own.Reserve}
	row := db.Share{ID: token.Share, Name: n.linkName(e.row.Name, p, token.Share), Dir: filepath.Join(e.row.Dir, filepath.FromSlash(p)),
		Options: encodeOptions(config, &linkRow{In: e.n, Path: p}), Added: n.now()}
	undo, err := n.prepareDir(&row, token)
	if err != nil {
		return err
	}
	if _, err := n.enter(e.ctx, &row, token); err != nil {
		undo()
		return err
	}
	return nil
}

// unmount ends a share that was mounted here: its folder goes to the archive of this one as it is, with what its user did
// there. After a crash it is called again.
func (e *engine) unmount(x *engine) error {
	all := e.node.mountTree(x)
	for _, y := range slices.Backward(all) {
		y.stop()
	}
	to, err := e.shelveDir(x)
	if err != nil {
		return err
	}
	err = e.node.db.Update(e.ctx, func(t *db.Tx) error {
		for _, y := range all {
			below := strings.TrimPrefix(strings.TrimPrefix(y.row.Dir, x.row.Dir), string(filepath.Separator))
			if to != "" {
				if err := e.shelveRows(t, y, path.Join(to, filepath.ToSlash(below)), path.Join(x.link.Path, filepath.ToSlash(below))); err != nil {
					return err
				}
			}
			if err := t.RemoveShare(y.n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, y := range all {
		e.node.dropToken(e.ctx, y)
	}
	e.node.mu.Lock()
	defer e.node.mu.Unlock()
	for _, y := range all {
		if e.node.engines[y.row.Name] == y {
			delete(e.node.engines, y.row.Name)
		}
	}
	return nil
}

// mountTree is a share and all that are mounted in it, each before those in it.
func (n *Node) mountTree(x *engine) []*engine {
	all := []*engine{x}
	for i := 0; i < len(all); i++ {
		all = append(all, n.mountedIn(all[i])...)
	}
	return all
}

// shelveDir moves the folder of a share that was mounted here to the archive, and says where it is then; "" when there is
// none.
func (e *engine) shelveDir(x *engine) (string, error) {
	fsys := e.folder.fs
	base := disk.Archive + "/" + path.Base(x.link.Path) + "~" + fmt.Sprintf("%x", x.token.Share[:4])
	name, last := base, ""
	for i := 2; ; i++ {
		if _, err := fsys.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", err
		}
		last, name = name, base+"-"+strconv.Itoa(i)
	}
	if _, err := fsys.Lstat(x.link.Path); errors.Is(err, fs.ErrNotExist) {
		return last, nil // a crash came after the move
	} else if err != nil {
		return "", err
	}
	for _, dir := range []string{disk.Dir, disk.Archive} {
		if err := fsys.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	if err := fsys.RenameNew(x.link.Path, name); err != nil {
		return "", err
	}
	_ = fsys.Remove(name + "/" + disk.Marker) // it is no share's folder any more
	dir := path.Dir(x.link.Path)
	return name, errors.Join(fsys.SyncDir(disk.Archive), fsys.SyncDir(dir))
}

// shelveRows notes the files of a share that was mounted here, now below to, as archived ones that were below at.
func (e *engine) shelveRows(t *db.Tx, x *engine, to, at string) error {
	now := e.node.now()
	var rows []db.Archived
	err := t.Under(x.n, "", func(b *index.Base) error {
		if b.Present && b.Type == index.File {
			row := *b
			row.Path = path.Join(at, b.Path)
			if row.Local {
				row.Hash, row.Caps = [32]byte{}, nil
			}
			rows = append(rows, db.Archived{Name: path.Join(to, b.Path), Added: now, Aged: e.node.ages.now(), Row: row})
		}
		return nil
	})
	if err != nil {
		return err
	}
	old, err := t.Archived(x.n)
	for i := range old {
		row := old[i]
		row.Name, row.Row.Path = path.Join(to, row.Name), path.Join(at, row.Row.Path)
		rows = append(rows, row)
	}
	for i := range rows {
		if err == nil {
			err = t.AddArchived(e.n, &rows[i])
		}
	}
	e.shelved.Store(true)
	return err
}

// followHead makes the newest head the state, when it has seen all others and the state: an export has no events of this
// node, so that there is nothing to merge, and its nodes stay those of its source.
func (e *engine) followHead(kept []index.Kept) (done bool, err error) {
	best := slices.IndexFunc(kept, func(h index.Kept) bool {
		return e.row.State.Ctx.Leq(h.State.Ctx) && !slices.ContainsFunc(kept, func(o index.Kept) bool { return !o.State.Ctx.Leq(h.State.Ctx) })
	})
	if best < 0 {
		return false, nil
	}
	j := index.Joined{State: kept[best].State, Writer: e.row.Writer}
	for i := range kept {
		if o := &kept[i]; o.ID != kept[best].ID && o.State.Root != j.State.Root && j.State.Ctx.Leq(o.State.Ctx) {
			return false, nil // the same was seen, and something else is said: that is an alarm
		}
		j.Merged = append(j.Merged, kept[i].ID)
	}
	if err := e.joined(j); err != nil {
		return true, err
	}
	return true, e.supersede()
}
