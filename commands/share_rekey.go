package commands

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
)

// A rekeyDoc is the result of share rekey, and of share compact.
type rekeyDoc struct {
	*api.RekeyInfo
	Code bt.Code `json:"code"`
}

func newShareRekeyCmd(g *globals) *cobra.Command {
	var opts api.RekeyOptions
	cmd := &cobra.Command{
		Use:   "rekey [flags] NAME",
		Short: "Give a share new keys, without some of its members",
		Long: "Give a share new keys. All members get them by themselves, as soon as they are on, but those of --without and those\n" +
			"that only these admitted; what is linked elsewhere gets new keys too. No file is sent again. Who is left out keeps\n" +
			"what it has, and gets nothing new. Machines that came with a token and were never admitted must be given the new\n" +
			"token by hand; they are listed. Without --without the keys alone change: for a token that leaked. It takes the admin\n" +
			"secret. MEMBER is a label, or the beginning of a key, as \"shoal share members\" shows them.",
		Example: "  shoal share rekey photos --without fred-laptop --dry-run\n  shoal share rekey photos --without fred-laptop --keep fred-sister",
		Args:    exactArgs(1, "the NAME of a share"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkShareName(args[0]); err != nil {
				return err
			}
			if len(opts.Keep) > 0 && len(opts.Without) == 0 {
				return usageErrorf("--keep is for those whom a member of --without admitted")
			}
			return nextKeys(cmd.Context(), g, func(n *shareNode) (*api.RekeyInfo, error) { return n.Rekey(cmd.Context(), args[0], opts) })
		},
	}
	cmd.Flags().StringArrayVar(&opts.Without, "without", nil, "a `MEMBER` that is left out (may be repeated)")
	cmd.Flags().StringArrayVar(&opts.Keep, "keep", nil, "a `MEMBER` that stays, though one that is left out admitted it (may be repeated)")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "only say who would get the keys, and who would not")
	return cmd
}

func newShareCompactCmd(g *globals) *cobra.Command {
	return oneShare("compact", "Make what every change of a share carries small again",
		"Make what every change of a share carries small again. It names everybody who ever wrote, also machines that are long\n"+
			"gone, and each start of one that could not tell whether it was copied; from 3072 on \"shoal share status\" asks for\n"+
			"this. All members get new keys, as by \"shoal share rekey\"; no file is sent again. It takes the admin secret.",
		func(ctx context.Context, name string) error {
			return nextKeys(ctx, g, func(n *shareNode) (*api.RekeyInfo, error) { return n.Compact(ctx, name) })
		})
}

// nextKeys shows what has become of a share that has other keys.
func nextKeys(ctx context.Context, g *globals, change func(*shareNode) (*api.RekeyInfo, error)) error {
	return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
		i, err := change(n)
		if err != nil {
			return err
		}
		for _, list := range []*[]api.MemberInfo{&i.Members, &i.Out, &i.ByHand} {
			*list = orEmpty(*list)
			for k := range *list {
				(*list)[k].By = orEmpty((*list)[k].By)
			}
		}
		i.Exports, i.Links = orEmpty(i.Exports), orEmpty(i.Links)
		return g.output().Result(rekeyDoc{i, bt.OK}, func(w io.Writer) error { return writeRekey(w, i) })
	})
}

func writeRekey(w io.Writer, i *api.RekeyInfo) error {
	said := "%s has new keys (%d), for %s\n"
	if i.DryRun {
		said = "%s would have new keys (%d), for %s\n"
	}
	if _, err := fmt.Fprintf(w, said, ui.Quote(i.Share), i.Epoch, ui.Count(len(i.Members), "member")); err != nil {
		return err
	}
	if err := writeMembers(w, i.Members); err != nil {
		return err
	}
	for _, part := range []struct {
		said string
		list []api.MemberInfo
	}{
		{"left out:", i.Out},
		{"must be given the new token by hand (\"shoal share token\"; there: \"shoal share add\"):", i.ByHand},
	} {
		if len(part.list) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "\n%s\n", part.said); err != nil {
			return err
		}
		if err := writeMembers(w, part.list); err != nil {
			return err
		}
	}
	return writeRekeyPaths(w, i)
}

// writeRekeyPaths says what is linked, to and from.
func writeRekeyPaths(w io.Writer, i *api.RekeyInfo) error {
	for _, p := range i.Exports {
		if _, err := fmt.Fprintln(w, ui.Quote("new keys too for what is linked elsewhere: "+i.Share+":"+p)); err != nil {
			return err
		}
	}
	for _, p := range i.Links {
		if _, err := fmt.Fprintln(w, ui.Quote("the link at "+i.Share+":"+p+" shows another share, whose keys who is left out has had: its owner may run \"shoal share rekey\" too")); err != nil {
			return err
		}
	}
	return nil
}
