package node

import (
	"context"
	"errors"
	"strings"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/index"
)

// pin adds what is shown at a path to another share, with the same caps: nothing is encrypted, stored or sent again. What is
// added belongs to that share from then on.
func (n *Node) pin(ctx context.Context, info *api.LinkInfo, from *treeNow, natural string, only *index.Shown, dst *engine) error {
	var events []index.Event
	add := func(s *index.Shown, to string) {
		b := index.BaseOf(*s)
		x := entryOf(&b)
		x.Type, x.Value = s.Type, s.Value
		if len(s.Dots) > 0 || s.Type != index.Dir {
			events = append(events, index.Event{AddAt: to, Add: x})
		}
		if s.Type == index.File {
			info.Files++
			info.Bytes += s.Size
		}
	}
	if only != nil {
		add(only, info.TargetPath)
	} else {
		err := from.under(ctx, natural, func(s *index.Shown) error {
			if natural != "" && s.Path != natural && !within(s.Path, []string{natural}) {
				return nil // a conflict copy of the place itself
			}
			add(s, strings.Trim(info.TargetPath+"/"+strings.TrimPrefix(s.Path[len(natural):], "/"), "/"))
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(events) == 0 {
		return fail(bt.NotFound, "there is nothing at %s:%s", info.Source, natural)
	}
	err := dst.do(ctx, func() error { return dst.commitEvents(events) })
	if errors.Is(err, index.ErrLimit) {
		return &bt.Error{Code: bt.Usage, Err: err}
	}
	return err
}
