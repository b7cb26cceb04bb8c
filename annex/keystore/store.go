package keystore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"shoal/bt"
	"shoal/share/api"
)

// An Access says what for the shares of this machine are opened.
type Access int

// What Options.Open is asked for.
const (
	Look Access = iota // what is known: neither lock nor network
	Make               // with the lock, to make a share
	Meet               // with the lock and others
)

// Options say what a Store is of.
type Options struct {
	Share      string // its name on this machine, or its id
	ID         string // its id in hex, or the beginning of it; "" = only the name is known
	Repository string // UUID of the special remote
	Copies     int    // how many other nodes must prove that they have a key before it counts as present; 0 = it is here
	Thin       bool   // keys are in the folder as second names of the annex's files; then Copies is 1 at least

	// Open opens the shares of this machine: those of the node that runs, or in this process.
	Open func(ctx context.Context, a Access) (api.Shares, io.Closer, error)
}

// A Store is the keys of a repository in a share. It looks at nothing before it is asked. Its methods may be called
// concurrently.
type Store struct {
	*share
	at string // name in the share of whatever key; "" = each key has its own
}

// A share is what the stores of one have together.
type share struct {
	opts Options

	mu     sync.Mutex   // guards what follows
	place  *place       // nil until the share was found
	keys   map[Key]bool // of Thin: that were stored or asked for
	stored bool         // some were

	look view    // of what is known
	net  session // with others
}

// A place is where a share is on this machine.
type place struct {
	info   api.ShareInfo
	folder *Folder
}

// New is the store that options say.
func New(opts Options) *Store {
	s := &Store{share: &share{opts: opts}}
	s.look.open = func(ctx context.Context) (api.Shares, io.Closer, error) { return opts.Open(ctx, Look) }
	s.net.open = func(ctx context.Context) (api.Shares, io.Closer, error) { return opts.Open(ctx, Meet) }
	return s
}

// Close gives back what is open.
func (s *Store) Close() error {
	if s.opts.Thin {
		s.giveUp()
	}
	return errors.Join(s.look.close(), s.net.close())
}

// Share is the share as it is on this machine. NotFound, with what to do about it, when it is not.
func (s *Store) Share(ctx context.Context) (api.ShareInfo, error) {
	p, err := s.find(ctx)
	if err != nil {
		return api.ShareInfo{}, err
	}
	return p.info, nil
}

// Ready is nil when the share is on this machine, and its folder there.
func (s *Store) Ready(ctx context.Context) error {
	p, err := s.find(ctx)
	if err != nil {
		return err
	}
	if err := p.folder.Ready(); err != nil {
		return s.absent(p, err)
	}
	return nil
}

// find finds the share on this machine.
func (s *Store) find(ctx context.Context) (*place, error) {
	p, err := s.locate(ctx)
	if err != nil || s.at == "" {
		return p, err
	}
	name, err := treePath(s.at)
	if err != nil {
		return nil, err
	}
	return &place{p.info, p.folder.at(name)}, nil
}

func (s *share) locate(ctx context.Context) (*place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.place != nil {
		return s.place, nil
	}
	var all []api.ShareInfo
	err := s.look.ask(ctx, func(n api.Shares) (err error) { all, err = n.List(ctx); return err })
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		if s.means(&i) {
			if err := usable(&i); err != nil {
				return nil, err
			}
			s.place = &place{i, NewFolder(i.Dir, i.ID, s.opts.Repository)}
			return s.place, nil
		}
	}
	return nil, s.notHere()
}

// minID is how much of an id names a share.
const minID = 8

// means reports whether a share is the one. Its id says so where it is known: another may have the same name here.
func (s *share) means(i *api.ShareInfo) bool {
	if id := s.opts.ID; id != "" {
		return len(id) >= minID && strings.HasPrefix(i.ID, strings.ToLower(id))
	}
	return i.Name == s.opts.Share || len(s.opts.Share) >= minID && strings.HasPrefix(i.ID, strings.ToLower(s.opts.Share))
}

// usable says why keys cannot be kept in a share here.
func usable(i *api.ShareInfo) error {
	switch {
	case i.Role == "store":
		return api.Errorf(api.Denied, "the share %s is kept here without being read: join it with a write token", i.Name)
	case i.Dir == "":
		return api.Errorf(bt.Usage, "the share %s has no folder here", i.Name)
	}
	return nil
}

// notHere says that the share is not on this machine, in one line: git-annex shows no other.
func (s *share) notHere() error {
	name := s.opts.Share
	id := ""
	if s.opts.ID != "" {
		id = " (" + s.opts.ID[:min(len(s.opts.ID), minID)] + "…)"
	}
	return api.Errorf(bt.NotFound, "the share %s%s is not on this machine: run \"shoal share token --role write %s\" where it is, and here \"shoal share add --name %s TOKENFILE DIR\"",
		name, id, name, name)
}

// Has reports whether a key counts as present: its content is here, or, with Copies, so many other nodes prove that they
// have it, and promise to keep it; that many are proven. What is in the share and not here counts when one other node does.
// An error says why it cannot be told.
func (s *Store) Has(ctx context.Context, key Key) (present bool, proven int, err error) {
	p, err := s.find(ctx)
	if err != nil {
		return false, 0, err
	}
	if s.opts.Thin {
		s.touched(key)
	}
	here, err := p.folder.Has(key)
	if err != nil {
		return false, 0, s.absent(p, err)
	}
	if here && s.need() == 0 {
		return true, 0, nil
	}
	if !here {
		other, err := s.elsewhere(ctx, p, key)
		if err != nil || !other {
			return false, 0, err
		}
	}
	proven = max(1, s.need())
	err = s.net.with(ctx, func(n api.Shares) error {
		_, err := n.Promised(ctx, p.info.Name, p.folder.Name(key), proven)
		return err
	})
	if err != nil {
		return false, 0, err
	}
	return true, proven, nil
}

// elsewhere reports whether the share has a key that is not in the folder here. It has not when the node believes that it
// is here: it was removed just now.
func (s *Store) elsewhere(ctx context.Context, p *place, key Key) (other bool, err error) {
	name := p.folder.Name(key)
	err = s.look.ask(ctx, func(n api.Shares) error {
		files, err := n.Ls(ctx, p.info.Name, name)
		if bt.CodeOf(err) == bt.NotFound {
			return s.look.once(func() error { return met(ctx, n, p.info.Name) })
		}
		for _, f := range files {
			other = other || f.Path == name && !f.Present
		}
		return err
	})
	return other, err
}

// met is nil when a node knows anything of a share: who has joined and met nobody knows nothing of what is in it.
func met(ctx context.Context, n api.Shares, share string) error {
	members, err := n.Members(ctx, share)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.Listed {
			return nil
		}
	}
	return api.Errorf(bt.NoPeers, "the share %s has met no other machine yet: nothing is known of what is in it", share)
}

// absent says of an error of the folder which share it is about.
func (s *Store) absent(p *place, err error) error {
	return fmt.Errorf("share %s in %s: %w", p.info.Name, p.folder.dir, err)
}

// Put stores a key that is in the file from. A node that runs, or "shoal share sync", takes it to the others; with Thin they
// have it when it returns.
func (s *Store) Put(ctx context.Context, key Key, from string, progress func(done int64)) error {
	p, err := s.find(ctx)
	if err != nil {
		return err
	}
	if p.info.Role == "read" {
		return readOnly(p)
	}
	if s.opts.Thin {
		return s.putThin(ctx, p, key, from, progress)
	}
	if err := p.folder.Put(ctx, key, from, progress); err != nil {
		return s.absent(p, err)
	}
	return nil
}

// Remove removes a key from the share: from the folder here, and as the others hear of it, from theirs. A key that only
// others have stays, and is an error.
func (s *Store) Remove(ctx context.Context, key Key) error {
	p, err := s.find(ctx)
	if err != nil {
		return err
	}
	if p.info.Role == "read" {
		return readOnly(p)
	}
	removed, err := p.folder.Remove(key)
	if err != nil {
		return s.absent(p, err)
	}
	if removed {
		return nil
	}
	other, err := s.elsewhere(ctx, p, key)
	if err == nil && other {
		err = s.onlyOthers(p, key)
	}
	return err
}

// Get writes the content of a key to the file to, in order or as one new file: from the folder, else from others.
func (s *Store) Get(ctx context.Context, key Key, to string, progress func(done int64)) error {
	p, err := s.find(ctx)
	if err != nil {
		return err
	}
	err = p.folder.Get(ctx, key, to, progress)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return s.absent(p, err)
	}
	return s.net.with(ctx, func(n api.Shares) error { return s.fetch(ctx, n, p, key, to, progress) })
}

// Where says where the content of a key is, if it is here. It asks nobody.
func (s *Store) Where(ctx context.Context, key Key) (string, bool) {
	p, err := s.find(ctx)
	if err != nil {
		return "", false
	}
	if here, err := p.folder.Has(key); err != nil || !here {
		return "", false
	}
	return p.info.Name + ":" + p.folder.Name(key), true
}
