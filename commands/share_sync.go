package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
)

// syncWait is how long a job waits for another, without --for.
const syncWait = 10 * time.Minute

// syncOptions are the flags of share sync.
type syncOptions struct {
	shareNetworkOptions
	duration durationValue
}

// A syncDoc is the result of share sync.
type syncDoc struct {
	Results []api.SyncResult `json:"results"`
}

func newShareSyncCmd(g *globals) *cobra.Command {
	var opts syncOptions
	cmd := &cobra.Command{
		Use:   "sync [flags] [NAME...]",
		Short: "Bring shares in sync with a peer, and exit",
		Long: "Look for changes here, meet others, exchange what is new, fetch what is missing, and exit: for cron. Without NAME\n" +
			"all shares are synced. The status is 0 when each is in sync with a peer, 4 when nobody came, 5 when time was over\n" +
			"or something waits for a person. A node that runs does it, if there is one; a job that comes while another one\n" +
			"syncs waits for that, as long as --for says.",
		Example: "  shoal share sync\n  shoal share sync --for 10m photos notes",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runShareSync(cmd.Context(), g, args, opts)
		},
	}
	opts.register(cmd.Flags())
	g.registerPassword(cmd.Flags())
	accept(cmd, shareAliases, networkAliases)
	cmd.Flags().Var(&opts.duration, "for", "give up after `DUR` (default 10m)")
	return cmd
}

func runShareSync(ctx context.Context, g *globals, names []string, opts syncOptions) error {
	for _, name := range names {
		if err := checkShareName(name); err != nil {
			return err
		}
	}
	local, err := opts.node(g, toMeet)
	if err != nil {
		return err
	}
	// Of two jobs at the same time the second goes on where the first has ended.
	local.wait = cmp.Or(time.Duration(opts.duration), syncWait)
	return g.withShares(ctx, local, func(n *shareNode) error {
		ctx, done := showProgress(ctx, g)
		results, err := n.Sync(ctx, api.SyncOptions{Names: names, For: time.Duration(opts.duration)})
		done()
		if err != nil {
			return err
		}
		return showSynced(ctx, g, results)
	})
}

// showSynced shows how shares came out: failures on standard error, the others as lines.
func showSynced(ctx context.Context, g *globals, results []api.SyncResult) error {
	if len(results) == 0 {
		g.output().Note("there are no shares")
	}
	worst := 0
	for i := range results {
		r := &results[i]
		r.Status = completed(r.Status)
		var err error
		if r.Code != string(bt.OK) {
			err = &bt.Error{Code: bt.Code(r.Code), Err: errors.New(cmp.Or(r.Message, r.Code)), Advice: r.Hint}
		}
		f, status := g.tell(ctx, r.Name, true, err)
		r.Code, r.Message, r.Hint = string(f.Code), f.Message, f.Hint
		worst = max(worst, status)
	}
	err := g.output().Result(syncDoc{orEmpty(results)}, func(w io.Writer) error {
		for _, r := range results {
			if r.Code != string(bt.OK) {
				continue
			}
			took := ui.Took(time.Duration(r.Seconds * float64(time.Second)))
			if _, err := fmt.Fprintf(w, "%s: in sync after %s, received %s, sent %s\n", ui.Quote(r.Name), took, ui.Size(r.Received), ui.Size(r.Sent)); err != nil {
				return err
			}
		}
		return nil
	})
	return cmp.Or(err, shownStatus(worst))
}

// etaOf is how long so many bytes take at a rate, which is not 0.
func etaOf(left, rate int64) time.Duration {
	return time.Duration(float64(max(0, left)) / float64(rate) * float64(time.Second))
}
