package apitest

import (
	"context"
	"slices"
	"strings"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/secret"
)

// below are the files of a share at and below p.
func (s *share) below(p string) (all []*api.FileInfo, err error) {
	for i := range s.files {
		if q := s.files[i].Path; p == "" || q == p || strings.HasPrefix(q, p+"/") {
			all = append(all, &s.files[i])
		}
	}
	if all == nil {
		return nil, api.Errorf(bt.NotFound, "there is no %s in %q", p, s.info.Name)
	}
	return all, nil
}

// change runs g on each file at and below paths, and lists those for which it says yes.
func (f *Fake) change(name string, paths []string, g func(*share, *api.FileInfo) (bool, error)) (all []api.FileInfo, err error) {
	err = f.do(name, func(s *share) error {
		for _, p := range paths {
			files, err := s.below(p)
			if err != nil {
				return err
			}
			for _, file := range files {
				if ok, err := g(s, file); err != nil {
					return err
				} else if ok {
					all = append(all, *file)
				}
			}
		}
		return nil
	})
	return all, err
}

// Ls implements [api.Shares].
func (f *Fake) Ls(_ context.Context, name, p string) ([]api.FileInfo, error) {
	return f.change(name, []string{p}, func(*share, *api.FileInfo) (bool, error) { return true, nil })
}

// Get implements [api.Shares].
func (f *Fake) Get(ctx context.Context, name string, paths []string, out string) ([]api.FileInfo, error) {
	return f.change(name, paths, func(s *share, file *api.FileInfo) (bool, error) {
		if file.Type != "file" {
			return false, nil
		}
		api.Tell(ctx, api.Progress{Share: s.info.Name, State: api.StateSyncing, Path: file.Path, Done: file.Size, Total: file.Size, Peers: 1})
		file.Present = file.Present || out == ""
		return true, nil
	})
}

// Drop implements [api.Shares]: no other node promises anything.
func (f *Fake) Drop(_ context.Context, name string, paths []string, force bool) ([]api.FileInfo, error) {
	return f.change(name, paths, func(_ *share, file *api.FileInfo) (bool, error) {
		if !force {
			return false, hint(api.Errorf(api.Denied, "no other node promises to keep %s", file.Path), "--force gives it up all the same")
		}
		file.Present = file.Present && file.Type != "file"
		return file.Type == "file", nil
	})
}

// Free implements [api.Shares]: no other node promises anything.
func (f *Fake) Free(_ context.Context, name string, paths []string, _ int) error {
	_, err := f.change(name, paths, func(_ *share, file *api.FileInfo) (bool, error) {
		return false, api.Errorf(api.Held, "no other node promises to keep %s", file.Path)
	})
	return err
}

// Promised implements [api.Shares]: no other node promises anything.
func (f *Fake) Promised(_ context.Context, name, p string, _ int) (*api.Promise, error) {
	_, err := f.change(name, []string{p}, func(_ *share, file *api.FileInfo) (bool, error) {
		return false, api.Errorf(api.Held, "no other node promises to keep %s", file.Path)
	})
	return nil, err
}

// Restore implements [api.Shares].
func (f *Fake) Restore(_ context.Context, name, p, at string) ([]api.FileInfo, error) {
	return f.change(name, []string{p}, func(_ *share, file *api.FileInfo) (bool, error) {
		if at == "0000000000000000-1" {
			return false, api.Errorf(bt.NotFound, "there is no version %s of %s", at, p)
		}
		return file.Type == "file", nil
	})
}

// Revert implements [api.Shares].
func (f *Fake) Revert(_ context.Context, name, p string) (all []api.FileInfo, err error) {
	return f.change(name, []string{p}, func(s *share, file *api.FileInfo) (bool, error) {
		i := slices.Index(s.local, file.Path)
		if i >= 0 {
			s.local = slices.Delete(s.local, i, i+1)
		}
		return i >= 0, nil
	})
}

// Sync implements [api.Shares]. Shares whose names begin with "lonely", "slow" and "held" come out as no-peers,
// not-in-sync and held; all others are in sync.
func (f *Fake) Sync(ctx context.Context, opts api.SyncOptions) (all []api.SyncResult, err error) {
	names := opts.Names
	if len(names) == 0 {
		shares, _ := f.List(ctx)
		for _, s := range shares {
			names = append(names, s.Name)
		}
	}
	for _, name := range names {
		if f.Hang != nil {
			f.Hang <- name
			<-ctx.Done()
			f.Hang <- "gone"
			return nil, context.Cause(ctx)
		}
		api.Tell(ctx, api.Progress{Share: name, State: api.StateSyncing, Done: 1 << 20, Total: 3 << 20, Down: 1000, Peers: 1})
		r := api.SyncResult{Name: name, Code: string(bt.OK), Seconds: 1, Received: 20, Sent: 10}
		err := f.do(name, func(s *share) error {
			s.info.State = api.StateInSync
			switch {
			case strings.HasPrefix(name, "lonely"):
				r.Code, r.Message, s.info.State = string(bt.NoPeers), "nobody came", api.StateWaiting
			case strings.HasPrefix(name, "slow"):
				r.Code, r.Message, r.Hint, s.info.State = string(api.NotInSync), "3 files are missing", "a longer --for", api.StateSyncing
			case len(s.held) > 0:
				r.Code, r.Message, s.info.State = string(api.Held), "1 removal waits for \"shoal share accept\"", api.StateHeld
			}
			r.Status = s.status()
			return nil
		})
		if err != nil {
			r = api.SyncResult{Name: name, Code: string(bt.CodeOf(err)), Message: err.Error()}
		}
		all = append(all, r)
	}
	return all, nil
}

// Conflicts implements [api.Shares].
func (f *Fake) Conflicts(_ context.Context, name string) (all []api.Conflict, err error) {
	err = f.do(name, func(s *share) error {
		all = slices.Clone(s.conflict)
		return nil
	})
	return all, err
}

// Resolve implements [api.Shares].
func (f *Fake) Resolve(_ context.Context, name, p, keep string) error {
	return f.do(name, func(s *share) error {
		i := slices.IndexFunc(s.conflict, func(c api.Conflict) bool { return c.Path == p })
		if i < 0 {
			return api.Errorf(bt.NotFound, "there is no conflict at %s", p)
		}
		if !slices.Contains([]string{"ours", "theirs", "1", "2"}, keep) {
			return api.Errorf(bt.NotFound, "there is no version %s of %s", keep, p)
		}
		s.conflict = slices.Delete(s.conflict, i, i+1)
		return nil
	})
}

// History implements [api.Shares].
func (f *Fake) History(_ context.Context, name, p string) (all []api.Version, err error) {
	err = f.do(name, func(s *share) error {
		files, err := s.below(p)
		for _, file := range files {
			if file.Type == "file" {
				all = append(all, f.versions(file.Path)...)
			}
		}
		return err
	})
	return all, err
}

// Accept implements [api.Shares].
func (f *Fake) Accept(_ context.Context, name string) (n int, err error) {
	err = f.do(name, func(s *share) error {
		n, s.held = len(s.held), nil
		return nil
	})
	return n, err
}

// Reject implements [api.Shares].
func (f *Fake) Reject(_ context.Context, name string) (n int, err error) {
	err = f.do(name, func(s *share) error {
		if s.token.Role < secret.Write {
			return api.Errorf(api.Denied, "only writers put back what others removed")
		}
		n, s.held = len(s.held), nil
		return nil
	})
	return n, err
}

// Check implements [api.Shares]: what has local changes is damaged until it is repaired.
func (f *Fake) Check(ctx context.Context, name string, repair bool) (r *api.CheckResult, err error) {
	err = f.do(name, func(s *share) error {
		api.Tell(ctx, api.Progress{Share: name, State: api.StateScanning, Done: 12, Total: 12})
		r = &api.CheckResult{Checked: 2, Bytes: 3<<20 + 12}
		for _, p := range s.local {
			r.Problems = append(r.Problems, api.Problem{Path: p, Why: "its content is another than recorded"})
		}
		if repair {
			r.Repaired, s.local = int64(len(r.Problems)), nil
		}
		return nil
	})
	return r, err
}
