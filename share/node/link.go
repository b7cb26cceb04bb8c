package node

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/index"
	"shoal/share/secret"
)

// Links (docs/shares.md §8). A live link is an entry of the target with a token of an export of the source. The export is a
// share of its own, and so it is one of the node's shares, in one of two ways:
//   - mounted: a node that reads the target joins it, in a folder of the target's folder that the target's scanner passes by
//     (link_mount.go);
//   - beside: a node of the source, whatever its role, is in its swarm and serves what it has of the source, as far as heads
//     of the export lead there (link_beside.go). One that writes the source signs those heads (link_export.go).
//
// Each link has an export of its own, so that it can end alone. A pin is nothing but entries of the target with the caps of the source (link_pin.go).

const (
	maxNested = 8                // links inside links
	seenWait  = 10 * time.Second // for what is new in a folder that may never come to rest
)

// linkRow is what a share that came by a link is here; it stands with the options of its row.
type linkRow struct {
	In   int64  `json:"in,omitempty"`   // number of the share that it is mounted in; 0 = nowhere
	Path string `json:"path,omitempty"` // there, on disk
	Of   int64  `json:"of,omitempty"`   // number of the share that it is beside; 0 = none
}

// rowOptions is all that the options of a row say.
type rowOptions struct {
	api.ShareConfig
	Link *linkRow `json:"link,omitempty"`
}

// parseLink is what a row's options say of a link; nil of a share that a person made or joined.
func parseLink(b []byte) *linkRow {
	var o rowOptions
	_ = json.Unmarshal(b, &o) // it was written by us
	return o.Link
}

func encodeOptions(c api.ShareConfig, l *linkRow) []byte {
	b, err := json.Marshal(rowOptions{c, l})
	if err != nil {
		panic(err) // strings and numbers
	}
	return b
}

// isBeside reports whether the engine has nothing of its own but heads.
func (e *engine) isBeside() bool { return e.link != nil && e.link.In == 0 }

// linkPlace is a path of a share.
type linkPlace struct {
	e    *engine
	path string
}

// Link links a file or folder of one share into another.
func (n *Node) Link(ctx context.Context, opts api.LinkOptions) (*api.LinkInfo, error) {
	opts.SourcePath, opts.TargetPath = cleanPath(opts.SourcePath), cleanPath(opts.TargetPath)
	for _, at := range [][2]string{{opts.Source, opts.SourcePath}, {opts.Target, opts.TargetPath}} {
		if err := n.seen(ctx, at[0], at[1]); err != nil {
			return nil, err
		}
	}
	src, tree, err := n.reading(opts.Source)
	if err != nil {
		return nil, err
	}
	dst, to, err := n.reading(opts.Target)
	if err != nil {
		return nil, err
	}
	if dst.token.Role < secret.Write {
		return nil, fail(codeDenied, "only a writer of %s can put a link into it", dst.row.Name)
	}
	natural, shown, err := tree.natural(opts.SourcePath)
	if err != nil {
		return nil, err
	}
	if err := to.vacant(opts.TargetPath); err != nil {
		return nil, err
	}
	if src == dst && (within(opts.TargetPath, []string{natural}) || within(natural, []string{opts.TargetPath})) {
		return nil, fail(bt.Usage, "a link from %s:%s to %s:%s would be inside itself", opts.Source, natural, opts.Target, opts.TargetPath)
	}
	info := &api.LinkInfo{LinkOptions: opts, Links: []string{}}
	if err := n.nested(ctx, info, linkPlace{src, natural}, linkPlace{dst, opts.TargetPath}); err != nil {
		return nil, err
	}
	if opts.Pin {
		return info, n.pin(ctx, info, tree, natural, shown, dst)
	}
	if shown != nil {
		return nil, fail(bt.Usage, "%s is a version in a conflict: resolve that first, or pin it", opts.SourcePath)
	}
	return info, n.linkLive(ctx, info, tree, natural, dst)
}

// seen waits until what is in a share's folder is in its index, when nobody has looked there yet, or when something is at p
// that was not there at the last look.
func (n *Node) seen(ctx context.Context, name, p string) error {
	e, err := n.find(name)
	if err != nil || e.isBeside() {
		return err
	}
	if !n.isRunning() {
		if _, err := e.step(); err != nil {
			e.log.Info("the folder is not looked at", "why", err) // what is known of it counts
		}
		return nil
	}
	if err := e.until(ctx, func(v view) bool { return v.State != api.StateStopped && v.State != api.StateScanning }); err != nil {
		return err
	}
	if e.forest == nil || p == "" || e.row.Dir == "" {
		return nil
	}
	if _, _, err := e.treeNow().natural(p); bt.CodeOf(err) != bt.NotFound {
		return nil // an error comes again
	}
	if _, err := os.Lstat(filepath.Join(e.row.Dir, filepath.FromSlash(p))); err != nil {
		return nil
	}
	e.lookAgain(ctx)
	some, cancel := context.WithTimeout(ctx, seenWait)
	defer cancel()
	if err := e.until(some, func(v view) bool { return v.Settled || v.State == api.StatePaused }); ctx.Err() != nil || e.ctx.Err() != nil {
		return err
	}
	return nil // what is known by now counts
}

// until waits until a share looks as it is to.
func (e *engine) until(ctx context.Context, is func(v view) bool) error {
	for {
		v, news := e.look()
		if is(v) {
			return nil
		}
		select {
		case <-news:
		case <-e.ctx.Done():
			return errStopping
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// vacant refuses a path where something is, or that is in something else than a directory.
func (t *treeNow) vacant(p string) error {
	if p == "" {
		return fail(bt.Usage, "a link needs a path in %s", t.e.row.Name)
	}
	for name := range strings.SplitSeq(p, "/") {
		if err := index.CheckName(name); err != nil {
			return &bt.Error{Code: bt.Usage, Err: err}
		}
	}
	set, err := t.forest.Find(t.root, p)
	if err != nil {
		return ioError("reading the share", err)
	}
	if len(set.Entries) > 0 || !set.Below.IsZero() {
		return fail(bt.Exists, "there is something at %s:%s already", t.e.row.Name, p)
	}
	for i := range p {
		if p[i] != '/' {
			continue
		}
		if set, err = t.forest.Find(t.root, p[:i]); err != nil {
			return ioError("reading the share", err)
		}
		for _, x := range set.Entries {
			if x.Type == index.Link {
				return fail(bt.Exists, "%s:%s is a link itself: nothing can be put into it", t.e.row.Name, p[:i])
			}
			if x.Type != index.Dir {
				return fail(bt.Exists, "%s:%s is no folder", t.e.row.Name, p[:i])
			}
		}
	}
	return nil
}

// nested finds the links that are in what is linked, and refuses a circle, too many inside each other, and to pass them on
// without being told to.
func (n *Node) nested(ctx context.Context, info *api.LinkInfo, from, to linkPlace) error {
	deepest, err := n.follow(ctx, from, to, 1, func(at linkPlace) {
		if at.e == from.e {
			info.Links = append(info.Links, at.path)
		}
	})
	if err != nil {
		return err
	}
	for e := to.e; e.link != nil && e.link.In != 0; deepest++ {
		if e = n.byNumber(e.link.In); e == nil {
			break
		}
	}
	if deepest > maxNested && !info.Pin {
		return fail(bt.Usage, "there would be %d links inside each other, at most %d are allowed", deepest, maxNested)
	}
	slices.Sort(info.Links)
	if len(info.Links) > 0 && !info.Nested {
		return &bt.Error{Code: codeDenied, Err: errors.New(from.e.row.Name + ":" + from.path + " has links in it, which would be passed on: " + strings.Join(info.Links, ", ")),
			Advice: "--with-links passes them on"}
	}
	return nil
}

// follow calls found for each link at and below a place, and in what these lead to as far as that is known here. It says
// how many are inside each other.
func (n *Node) follow(ctx context.Context, from, to linkPlace, depth int, found func(linkPlace)) (deepest int, err error) {
	if depth > maxNested+1 {
		return depth, nil
	}
	deepest = depth
	v, _ := from.e.look()
	for p, err := range from.e.reader().Walk(v.Root.Files, from.path) {
		if err != nil {
			return 0, ioError("reading the share", err)
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		for i := range p.Entries {
			if p.Entries[i].Type != index.Link {
				continue
			}
			token, err := secret.ParseToken(string(p.Entries[i].Value))
			if err != nil {
				continue
			}
			found(linkPlace{from.e, p.Path})
			next, ok := n.leadsTo(token.Share)
			if !ok {
				deepest = max(deepest, depth+1)
				continue
			}
			if next.e == to.e && (within(to.path, []string{next.path}) || within(next.path, []string{to.path})) {
				return 0, fail(bt.Usage, "%s:%s leads back to %s:%s: the link would be inside itself", from.e.row.Name, p.Path, to.e.row.Name, to.path)
			}
			below, err := n.follow(ctx, next, to, depth+1, found)
			if err != nil {
				return 0, err
			}
			deepest = max(deepest, below)
		}
	}
	return deepest, nil
}

// leadsTo is where the share of a link is known to come from: the place that is exported, or the share itself.
func (n *Node) leadsTo(id secret.ShareID) (linkPlace, bool) {
	for _, e := range n.all() {
		if e.forest == nil {
			continue
		}
		v, _ := e.look()
		all, err := e.exportsIn(e.reader(), v.Root.Meta)
		if err != nil {
			continue
		}
		for _, x := range all {
			if x.Store.Share == id {
				return linkPlace{e, x.Path}, true
			}
		}
	}
	for _, e := range n.all() {
		if e.token.Share == id && e.forest != nil {
			return linkPlace{e, ""}, true
		}
	}
	return linkPlace{}, false
}

// Unlink removes a live link.
func (n *Node) Unlink(ctx context.Context, name, p string) error {
	e, t, err := n.reading(name)
	if err != nil {
		return err
	}
	p = cleanPath(p)
	if e.token.Role < secret.Write {
		return fail(codeDenied, "only a writer of %s can remove a link from it", e.row.Name)
	}
	set, err := t.forest.Find(t.root, p)
	if err != nil {
		return ioError("reading the share", err)
	}
	ev := index.Event{RemoveAt: p}
	var shares []secret.ShareID
	for i := range set.Entries {
		if x := &set.Entries[i]; x.Type == index.Link {
			ev.Remove = append(ev.Remove, x.Dot)
			if token, err := secret.ParseToken(string(x.Value)); err == nil {
				shares = append(shares, token.Share)
			}
		}
	}
	if len(ev.Remove) == 0 {
		return fail(bt.NotFound, "there is no link at %s:%s", e.row.Name, p)
	}
	if err := e.do(ctx, func() error { return e.commitEvents([]index.Event{ev}) }); err != nil {
		return err
	}
	return n.endExports(ctx, shares)
}
