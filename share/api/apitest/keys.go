package apitest

import (
	"context"
	"slices"
	"strings"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/secret"
)

// Rekey implements [api.Keys]: members are called by their labels, or the beginnings of their keys.
func (f *Fake) Rekey(_ context.Context, name string, opts api.RekeyOptions) (*api.RekeyInfo, error) {
	info := &api.RekeyInfo{DryRun: opts.DryRun, Members: []api.MemberInfo{}, Out: []api.MemberInfo{}, ByHand: []api.MemberInfo{}, Exports: []string{}, Links: []string{}}
	return info, f.do(name, func(s *share) error {
		if s.token.Role < secret.Admin {
			return api.Errorf(api.Denied, "this takes the admin secret of %s", name)
		}
		all := s.members()
		is := func(m *api.MemberInfo) bool {
			return slices.ContainsFunc(opts.Without, func(w string) bool { return w == m.Label || len(w) >= 4 && strings.HasPrefix(m.Node, w) })
		}
		for i := range all {
			switch m := all[i]; {
			case is(&m) && m.Self:
				return api.Errorf(bt.Usage, "this machine cannot be left out by itself")
			case is(&m):
				info.Out = append(info.Out, m)
				s.removed = !opts.DryRun
			case m.Listed:
				info.Members = append(info.Members, m)
			default:
				info.ByHand = append(info.ByHand, m)
			}
		}
		if len(info.Out) < len(opts.Without) {
			return api.Errorf(bt.NotFound, "no member is called that")
		}
		info.Share, info.Epoch = s.info.Name, s.epoch+1
		if !opts.DryRun {
			s.epoch++
		}
		return nil
	})
}

// Compact implements [api.Keys].
func (f *Fake) Compact(ctx context.Context, name string) (*api.RekeyInfo, error) {
	return f.Rekey(ctx, name, api.RekeyOptions{})
}
