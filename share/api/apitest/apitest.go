// Package apitest is a node that keeps everything in memory and does nothing: the other side for tests of the command
// line and of the control socket. How its shares do is said by their names: see [Fake.Sync].
package apitest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/secret"
)

// Epoch is the time that the clock of a Fake stands at.
var Epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// A Fake is a node in memory. Two that are asked the same say the same.
type Fake struct {
	// Hang makes Sync of a share take until its context is done; what comes in is told here. For tests of cancelling.
	Hang chan string

	mu       sync.Mutex // guards what follows
	shares   []*share
	torrents []api.TorrentInfo
}

type share struct {
	info     api.ShareInfo
	token    secret.Token
	files    []api.FileInfo
	held     []api.HeldInfo
	conflict []api.Conflict
	local    []string
	admitted bool
	removed  bool // the node that came with a token
	epoch    int
	invites  []api.InviteInfo
}

var _ api.Node = (*Fake)(nil)

// New makes a node without shares.
func New() *Fake { return &Fake{} }

// find is the share of a name, or of the beginning of an id; the caller holds mu.
func (f *Fake) find(name string) (*share, error) {
	for _, s := range f.shares {
		if s.info.Name == name || len(name) >= 8 && strings.HasPrefix(s.info.ID, name) {
			return s, nil
		}
	}
	return nil, hint(api.Errorf(bt.NotFound, "there is no share %q", name), "\"shoal share list\" lists them")
}

func hint(e *bt.Error, advice string) *bt.Error {
	e.Advice = advice
	return e
}

// Create implements [api.Shares]; the share has three files.
func (f *Fake) Create(_ context.Context, opts api.CreateOptions) (*api.ShareInfo, error) {
	seed := sha256.Sum256([]byte("share " + opts.Name))
	token, err := secret.NewAdmin(bytes.NewReader(seed[:]))
	if err != nil {
		return nil, err
	}
	return f.add(token, opts.Name, opts.Dir, opts.Options)
}

// Add implements [api.Shares].
func (f *Fake) Add(ctx context.Context, opts api.AddOptions) (*api.ShareInfo, error) {
	if v, err := secret.ParseInvite(opts.Token); err == nil {
		return f.redeem(ctx, v, opts)
	}
	u, err := secret.ParseURL(opts.Token)
	if err != nil {
		if u.Token, err = secret.ParseToken(opts.Token); err != nil {
			return nil, api.Errorf(bt.BadInput, "%w", err)
		}
	}
	opts.Options.Hosts = append(opts.Options.Hosts, u.Peers...)
	opts.Options.Trackers = append(opts.Options.Trackers, u.Trackers...)
	name := opts.Name
	if name == "" {
		name = u.Label
	}
	if name == "" {
		name = path.Base(opts.Dir)
	}
	return f.add(u.Token, name, opts.Dir, opts.Options)
}

func (f *Fake) add(token secret.Token, name, dir string, config api.ShareConfig) (*api.ShareInfo, error) {
	if err := api.CheckName(name); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.find(name); err == nil {
		return nil, api.Errorf(bt.Exists, "there is a share %q already", name)
	}
	s := &share{token: token, info: api.ShareInfo{Name: name, ID: hex.EncodeToString(token.Share[:]), Role: token.Role.String(),
		Dir: dir, State: api.StateWaiting, Added: Epoch, Config: config}}
	s.files = []api.FileInfo{
		{Path: "notes", Type: "dir", MTime: Epoch, Present: true},
		{Path: "notes/read me.txt", Type: "file", Size: 12, MTime: Epoch, Present: !config.OnDemand},
		{Path: "film.mkv", Type: "file", Size: 3 << 20, MTime: Epoch, Present: !config.OnDemand},
	}
	if strings.HasPrefix(name, "held") {
		s.held = []api.HeldInfo{{Path: "film.mkv", Op: "delete", Why: "guard", Since: Epoch}}
	}
	if strings.HasPrefix(name, "odd") {
		s.local = []string{"notes/read me.txt"}
		s.conflict = []api.Conflict{{Path: "film.mkv", Versions: f.versions("film.mkv")}}
	}
	f.shares = append(f.shares, s)
	info := s.info
	return &info, nil
}

func (f *Fake) versions(p string) []api.Version {
	return []api.Version{
		{N: 1, Path: p, Size: 3 << 20, MTime: Epoch, Writer: "0102030405060708", Ours: true, Where: "disk", ID: "0102030405060708-2"},
		{N: 2, Path: p, Size: 2 << 20, MTime: Epoch.Add(-time.Hour), Writer: "1112131415161718", Where: "archive", ID: "1112131415161718-7"},
	}
}

// do runs g on a share.
func (f *Fake) do(name string, g func(s *share) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.find(name)
	if err != nil {
		return err
	}
	return g(s)
}

// Remove implements [api.Shares].
func (f *Fake) Remove(_ context.Context, name string) error {
	return f.do(name, func(s *share) error {
		f.shares = slices.DeleteFunc(f.shares, func(o *share) bool { return o == s })
		return nil
	})
}

// List implements [api.Shares].
func (f *Fake) List(context.Context) (all []api.ShareInfo, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.shares {
		all = append(all, s.info)
	}
	return all, nil
}

// Token implements [api.Shares].
func (f *Fake) Token(_ context.Context, name, role string) (text string, err error) {
	err = f.do(name, func(s *share) error {
		for _, r := range []secret.Role{secret.Store, secret.Read, secret.Write, secret.Admin} {
			if r.String() != role {
				continue
			}
			if r > s.token.Role {
				return api.Errorf(bt.NotFound, "this node has the %s token of %q, and not that of %s", s.token.Role, name, role)
			}
			weak, err := s.token.Weaken(r)
			text = weak.Text()
			return err
		}
		return api.Errorf(bt.Usage, "there is no role %q", role)
	})
	return text, err
}

// Pause implements [api.Shares].
func (f *Fake) Pause(_ context.Context, name string, paused bool) error {
	return f.do(name, func(s *share) error {
		if s.info.Paused = paused; paused {
			s.info.State = api.StatePaused
		} else {
			s.info.State = api.StateWaiting
		}
		return nil
	})
}

// Status implements [api.Shares].
func (f *Fake) Status(_ context.Context, name string) (st *api.Status, err error) {
	err = f.do(name, func(s *share) error {
		st = s.status()
		return nil
	})
	return st, err
}

func (s *share) status() *api.Status {
	st := &api.Status{ShareInfo: s.info, Running: true, Sentence: "it is " + s.info.State, Held: s.held, Local: s.local,
		Conflicts: int64(len(s.conflict)), Peers: 1, FullCopies: 1, SafeToLeave: true,
		Writers: []api.WriterAt{{Writer: "0102030405060708", Node: "desk", At: Epoch}}}
	for _, file := range s.files {
		if file.Type != "file" {
			continue
		}
		st.TotalFiles++
		st.TotalBytes += file.Size
		if file.Present {
			st.Files++
			st.Bytes += file.Size
		}
	}
	if len(s.local) > 0 {
		st.Problems = []api.Problem{{Path: `caf\xe9`, Why: "its name is not UTF-8"}}
		st.Alarms = []string{"writer 1112131415161718 was cloned"}
	}
	return st
}

// Peers implements [api.Shares].
func (f *Fake) Peers(_ context.Context, name string) (all []api.PeerInfo, err error) {
	err = f.do(name, func(*share) error {
		all = []api.PeerInfo{{Node: strings.Repeat("ab", 32), Addr: "192.0.2.1:6881", Connected: true, Name: "desk", Version: "shoal 0.1",
			InSync: true, Mode: "full", Last: Epoch, Sent: 10, Received: 20}}
		return nil
	})
	return all, err
}

// Members implements [api.Shares].
func (f *Fake) Members(_ context.Context, name string) (all []api.MemberInfo, err error) {
	err = f.do(name, func(s *share) error {
		all = s.members()
		return nil
	})
	return all, err
}

func (s *share) members() []api.MemberInfo {
	all := []api.MemberInfo{{Node: strings.Repeat("ab", 32), Label: "desk", Role: "admin", By: []string{s.info.ID}, How: "create", Listed: true, Self: true}}
	if !s.removed {
		all = append(all, api.MemberInfo{Node: strings.Repeat("cd", 32), Role: "read", How: "token", Listed: s.admitted})
	}
	return all
}

// Admit implements [api.Shares].
func (f *Fake) Admit(_ context.Context, name, node, _ string) error {
	return f.do(name, func(s *share) error {
		if !strings.HasPrefix(strings.Repeat("cd", 32), node) {
			return api.Errorf(bt.NotFound, "no node %q was seen in %q", node, name)
		}
		if s.token.Role < secret.Write {
			return api.Errorf(api.Denied, "only writers admit nodes")
		}
		s.admitted = true
		s.letIn()
		return nil
	})
}

func (f *Fake) String() string { return fmt.Sprintf("a fake node of %d shares", len(f.shares)) }
