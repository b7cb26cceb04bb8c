package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
	"shoal/share/secret"
	"shoal/share/vault"
)

var _ api.Shares = (*Node)(nil)

func fail(code bt.Code, format string, args ...any) error {
	return &bt.Error{Code: code, Err: fmt.Errorf(format, args...)}
}

func (n *Node) isRunning() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.running
}

// find is the share of a name, or of the beginning of an id. Its folder is open, if it can be, also where no engine runs: in
// a command without a node.
func (n *Node) find(name string) (*engine, error) {
	e, err := n.named(name)
	if err == nil && n.lock != nil && !n.isRunning() {
		if err := e.openFolder(); err != nil {
			e.log.Info("the folder is not open", "why", err) // who needs it says so
		}
	}
	return e, err
}

func (n *Node) named(name string) (*engine, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e := n.engines[name]; e != nil {
		return e, nil
	}
	var found *engine
	for _, e := range n.engines {
		if len(name) >= 6 && strings.HasPrefix(e.idText(), strings.ToLower(name)) {
			if found != nil {
				return nil, fail(bt.NotFound, "several shares have ids that begin with %s", name)
			}
			found = e
		}
	}
	if found == nil {
		if slices.ContainsFunc(n.dormant, func(row db.Share) bool { return row.Name == name }) {
			return nil, closed(name)
		}
		return nil, fail(bt.NotFound, "there is no share %q here", name)
	}
	return found, nil
}

// all are all shares, by name.
func (n *Node) all() []*engine {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []*engine
	for _, e := range n.engines {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *engine) int { return cmp.Compare(a.row.Name, b.row.Name) })
	return all
}

// Create makes a share of a folder's files.
func (n *Node) Create(ctx context.Context, opts api.CreateOptions) (*api.ShareInfo, error) {
	admin, err := secret.NewAdmin(n.random)
	if err != nil {
		return nil, err
	}
	keys, err := admin.Keys()
	if err != nil {
		return nil, err
	}
	cert, err := keys.Certify()
	if err != nil {
		return nil, err
	}
	row := db.Share{ID: admin.Share, Name: opts.Name, Dir: opts.Dir, Options: encodeConfig(opts.Options),
		Added: n.now(), Created: true, Cert: cert}
	return n.add(ctx, &row, admin)
}

// Add joins a share.
func (n *Node) Add(ctx context.Context, opts api.AddOptions) (*api.ShareInfo, error) {
	text := strings.TrimSpace(opts.Token)
	if isInvite(text) {
		if n.secrets.closed() {
			return nil, vault.ErrLocked // who joins needs the node's key, and keeps a token
		}
		return n.redeem(ctx, text, opts)
	}
	url := secret.URL{}
	var err error
	if strings.HasPrefix(strings.ToLower(text), "shoal:") {
		url, err = secret.ParseURL(text)
	} else {
		url.Token, err = secret.ParseToken(text)
	}
	if err != nil {
		return nil, &bt.Error{Code: bt.BadInput, Err: err}
	}
	if i, done, err := n.renewed(ctx, url.Token, opts.Dir); done {
		return i, err
	}
	opts.Options.Hosts = append(opts.Options.Hosts, url.Peers...)
	opts.Options.Trackers = append(opts.Options.Trackers, url.Trackers...)
	name := cmp.Or(opts.Name, url.Label, filepath.Base(opts.Dir))
	row := db.Share{ID: url.Token.Share, Name: name, Dir: opts.Dir, Options: encodeConfig(opts.Options), Added: n.now()}
	if url.Token.Role == secret.Admin {
		keys, err := url.Token.Keys()
		if err != nil {
			return nil, err
		}
		if row.Cert, err = keys.Certify(); err != nil {
			return nil, err
		}
	}
	return n.add(ctx, &row, url.Token)
}

func (n *Node) add(ctx context.Context, row *db.Share, token secret.Token) (_ *api.ShareInfo, err error) {
	if !goodName(row.Name) {
		return nil, fail(bt.Usage, "a share cannot be called %q", row.Name)
	}
	if err := n.free(row); err != nil {
		return nil, err
	}
	if row.Dir != "" {
		undo, err := n.prepareDir(row, token)
		if err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				undo()
			}
		}()
	}
	if err := n.keepToken(ctx, row, token); err != nil {
		return nil, err
	}
	err = n.db.Update(ctx, func(t *db.Tx) error {
		if err := t.AddShare(row); err != nil {
			return err
		}
		return t.SetCert(row.N, row.Cert)
	})
	if errors.Is(err, db.ErrExists) {
		return nil, &bt.Error{Code: bt.Exists, Err: err}
	}
	if err != nil {
		return nil, ioError("adding the share", err)
	}
	e, err := newEngine(n, *row, token)
	if err != nil {
		return nil, err
	}
	if row.Created {
		if err := e.enlist(); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.engines[row.Name] = e
	if n.running {
		e.start()
	}
	i := e.infoIf(n.running)
	return &i, nil
}

// goodName reports whether people can type the name of a share, and scripts split NAME:PATH.
func goodName(name string) bool {
	return name != "" && len(name) <= 255 && !strings.ContainsAny(name, "/:\x00\n") && name != "." && name != ".."
}

// free refuses a folder that is, or is in, or has in it, that of another share.
func (n *Node) free(row *db.Share) error {
	rows := n.sleeping()
	for _, e := range n.all() {
		rows = append(rows, db.Share{ID: e.row.ID, Name: e.row.Name, Dir: e.row.Dir}) // which stay as they are
	}
	for _, other := range rows {
		if other.ID == row.ID {
			return fail(bt.Exists, "this share is here already, as %s", other.Name)
		}
		if other.Name == row.Name {
			return fail(bt.Exists, "there is a share called %s", row.Name)
		}
		if row.Dir != "" && other.Dir != "" && (within(row.Dir, []string{other.Dir}) || within(other.Dir, []string{row.Dir})) {
			return fail(bt.Exists, "%s overlaps with the folder of share %s", row.Dir, other.Name)
		}
	}
	return nil
}

// prepareDir makes and marks the folder of a share. undo takes back what it made.
func (n *Node) prepareDir(row *db.Share, token secret.Token) (undo func(), err error) {
	_, err = os.Stat(row.Dir)
	made := errors.Is(err, os.ErrNotExist)
	if err := os.MkdirAll(row.Dir, 0o755); err != nil {
		return nil, ioError("making the folder", err)
	}
	fs, err := n.openFS(row.Dir)
	if err != nil {
		return nil, ioError("opening the folder", err)
	}
	defer fs.Close()
	id := hex.EncodeToString(row.ID[:])
	if mark, err := disk.ReadMark(fs); err == nil && mark.Share != id {
		return nil, fail(bt.Exists, "%s is the folder of another share", row.Dir)
	}
	if err := disk.WriteMark(fs, id); err != nil {
		return nil, ioError("marking the folder", err)
	}
	return func() {
		_ = os.Remove(filepath.Join(row.Dir, filepath.FromSlash(disk.Marker)))
		_ = os.Remove(filepath.Join(row.Dir, disk.Dir))
		if made {
			_ = os.Remove(row.Dir)
		}
	}, nil
}

// enlist makes this node, which creates a share, its first member.
func (e *engine) enlist() error {
	ev, err := e.memberEvent(e.self, "", secret.Admin)
	if err != nil {
		return err
	}
	w := e.freshWriter()
	state, journal, err := index.Commit(e.forest, e.row.State, w, []index.Event{ev})
	if err != nil {
		return err
	}
	err = e.node.db.Update(e.ctx, func(t *db.Tx) error {
		if err := e.blobs.flush(t); err != nil {
			return err
		}
		if err := e.record(t, &journal[0]); err != nil {
			return err
		}
		return t.SetState(e.n, state, w, 1)
	})
	e.blobs.written()
	if err == nil {
		e.row.State, e.row.Writer, e.row.Counter = state, w, 1
		e.node.continuity.Record(e.token.Share, w, 1)
	}
	return err
}

// Remove forgets a share; its files stay.
func (n *Node) Remove(ctx context.Context, name string) error {
	e, err := n.find(name)
	if err != nil {
		return err
	}
	n.mu.Lock()
	delete(n.engines, e.row.Name)
	n.mu.Unlock()
	e.stop()
	for _, x := range n.all() {
		if x.link != nil && (x.link.In == e.n || x.isBeside() && x.link.Of == e.n) {
			if err := n.Remove(ctx, x.row.Name); err != nil {
				return err
			}
		}
	}
	if err := n.db.Update(ctx, func(t *db.Tx) error { return t.RemoveShare(e.n) }); err != nil {
		return ioError("removing the share", err)
	}
	n.dropToken(ctx, e)
	if e.row.Dir != "" {
		_ = os.Remove(filepath.Join(e.row.Dir, filepath.FromSlash(disk.Marker))) // the archive stays: it has files
	}
	return nil
}

// List is all shares.
func (n *Node) List(context.Context) ([]api.ShareInfo, error) {
	list := []api.ShareInfo{}
	for _, e := range n.all() {
		if !e.isBeside() {
			list = append(list, e.info())
		}
	}
	for _, row := range n.sleeping() {
		list = append(list, closedInfo(&row))
	}
	slices.SortFunc(list, func(a, b api.ShareInfo) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// Token is the text of the secret of a role.
func (n *Node) Token(_ context.Context, name, role string) (string, error) {
	e, err := n.find(name)
	if err != nil {
		return "", err
	}
	r, err := secret.ParseRole(role)
	if err != nil {
		return "", &bt.Error{Code: bt.Usage, Err: err}
	}
	t, err := e.token.Weaken(r)
	if err != nil {
		return "", fail(bt.NotFound, "this node has the %s secret of %s, and not that of %s", e.token.Role, e.row.Name, role)
	}
	return t.Text(), nil
}

// Status is what is going on in a share.
func (n *Node) Status(ctx context.Context, name string) (*api.Status, error) {
	e, err := n.find(name)
	if err != nil {
		return nil, err
	}
	return e.status(ctx)
}

// Peers are the nodes that are connected, and those that were met.
func (n *Node) Peers(ctx context.Context, name string) ([]api.PeerInfo, error) {
	e, err := n.find(name)
	if err != nil {
		return nil, err
	}
	list := []api.PeerInfo{}
	connected := map[string]bool{}
	if e.net != nil {
		v, _ := e.look()
		for _, p := range e.net.all() {
			e.net.mu.Lock()
			i := api.PeerInfo{Node: hex.EncodeToString(p.pk[:]), Addr: p.conn.RemoteAddr().String(), Connected: true, Name: p.conn.Hello().Name,
				InSync: p.hasState && p.state.Frontier == v.Frontier && p.state.Missing == 0, Missing: p.state.Missing, Mode: "full", Last: n.now().UTC()}
			if p.state.Mode == 0 {
				i.Mode = "part"
			}
			e.net.mu.Unlock()
			connected[i.Node] = true
			list = append(list, i)
		}
	}
	var met []db.Peer
	if err := n.db.View(ctx, func(t *db.Tx) (err error) { met, err = t.Peers(e.n, 100); return err }); err != nil {
		return nil, err
	}
	for _, p := range met {
		if id := hex.EncodeToString(p.PK); !connected[id] {
			list = append(list, api.PeerInfo{Node: id, Addr: p.Addr, Last: p.Last})
		}
	}
	return list, nil
}

// Pause stops the work on a share, or lets it go on.
func (n *Node) Pause(ctx context.Context, name string, paused bool) error {
	e, err := n.find(name)
	if err != nil {
		return err
	}
	return e.do(ctx, func() error {
		if err := n.db.Update(ctx, func(t *db.Tx) error { return t.SetPaused(e.n, paused) }); err != nil {
			return err
		}
		e.row.Paused = paused
		e.poke()
		return nil
	})
}
