package commands

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"shoal/commands/internal/ui"
	"shoal/share/api"
)

// shownMost is how many lines a status has about one thing; --json has all.
const shownMost = 20

func newShareStatusCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "status [NAME]",
		Short: "Say what is going on in shares, and what is missing",
		Long: "Say in a sentence what is going on in a share, or in each, and what is missing; then show it as a table. It also\n" +
			"says how many other machines promise to keep all that is here: whether this one could be switched off.",
		Example: "  shoal share status\n  shoal share status --json photos | jq '.results[0].safe_to_switch_off'",
		Args:    atMostArgs(1, "the NAME of a share"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runShareStatus(cmd.Context(), g, args)
		},
	}
}

func runShareStatus(ctx context.Context, g *globals, names []string) error {
	return listFrom(ctx, g, "there are no shares", func(n *shareNode) (all []*api.Status, err error) {
		if !n.running {
			g.output().Note("no node runs: this is what was known last")
		}
		err = eachNamed(ctx, n, names, func(name string) error {
			status, err := n.Status(ctx, name)
			if err == nil {
				all = append(all, completed(status))
			}
			return err
		})
		return all, err
	}, writeStatuses)
}

// eachNamed calls do for the shares that are named or, when none is, for all.
func eachNamed(ctx context.Context, n *shareNode, names []string, do func(name string) error) error {
	if len(names) == 0 {
		shares, err := n.List(ctx)
		if err != nil {
			return err
		}
		for _, s := range shares {
			names = append(names, s.Name)
		}
	}
	for _, name := range names {
		err := checkShareName(name)
		if err == nil {
			err = do(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// completed has empty lists where there were none, as JSON wants them.
func completed(s *api.Status) *api.Status {
	if s == nil {
		return nil
	}
	c := *s
	c.Held, c.Problems, c.Local = orEmpty(c.Held), orEmpty(c.Problems), orEmpty(c.Local)
	c.Alarms, c.Writers = orEmpty(c.Alarms), orEmpty(c.Writers)
	return &c
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// writeStatuses writes a sentence for each share, the table, and what needs a person.
func writeStatuses(w io.Writer, all []*api.Status) error {
	if len(all) == 0 {
		return nil
	}
	rows := [][]string{{"share", "state", "role", "\there", "\tin the share", "\tmissing", "\tpeers", "\tcopies"}}
	for _, s := range all {
		if _, err := fmt.Fprintln(w, ui.Quote(s.Name+": "+s.Sentence)); err != nil {
			return err
		}
		rows = append(rows, []string{s.Name, s.State, s.Role, amount(s.Files, s.Bytes), amount(s.TotalFiles, s.TotalBytes),
			amount(s.NeedFiles, s.NeedBytes), "\t" + strconv.Itoa(s.Peers), "\t" + strconv.Itoa(s.FullCopies)})
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := ui.Table(w, rows); err != nil {
		return err
	}
	for _, s := range all {
		if err := writeAttention(w, s); err != nil {
			return err
		}
	}
	return nil
}

func amount(files, bytes int64) string {
	if files == 0 && bytes == 0 {
		return "\t-"
	}
	return "\t" + ui.Count(int(files), "file") + ", " + ui.Size(bytes)
}

// writeAttention writes what of a share needs a person.
func writeAttention(w io.Writer, s *api.Status) error {
	var lines []string
	add := func(what string, n int, line func(i int) string) {
		for i := range min(n, shownMost) {
			lines = append(lines, what+" "+line(i))
		}
		if n > shownMost {
			lines = append(lines, fmt.Sprintf("%s and %d more", what, n-shownMost))
		}
	}
	if s.Error != "" {
		lines = append(lines, "error: "+s.Error)
	}
	add("alarm:", len(s.Alarms), func(i int) string { return s.Alarms[i] })
	add("held:", len(s.Held), func(i int) string { return s.Held[i].Op + " " + s.Held[i].Path + " (" + s.Held[i].Why + ")" })
	add("problem:", len(s.Problems), func(i int) string { return s.Problems[i].Path + ": " + s.Problems[i].Why })
	add("changed here only:", len(s.Local), func(i int) string { return s.Local[i] })
	if s.Conflicts > 0 {
		lines = append(lines, fmt.Sprintf("%s: \"shoal share conflicts %s\" shows them", ui.Count(int(s.Conflicts), "conflict"), s.Name))
	}
	if len(lines) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", ui.Quote(s.Name)); err != nil {
		return err
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, "  "+ui.Quote(line)); err != nil {
			return err
		}
	}
	return nil
}
