package commands

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Root is the tree of commands, for what is generated from it.
func Root() *cobra.Command { return newRootCmd(&globals{}) }

func newRootCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "shoal",
		Short:   "Download, inspect and share with BitTorrent",
		Example: "  shoal download debian.torrent\n  shoal metainfo --files debian.torrent\n  shoal demo",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	g.register(cmd.PersistentFlags())
	cmd.SetFlagErrorFunc(flagError)
	cmd.AddCommand(
		newCompletionCmd(g),
		newDemoCmd(g),
		newDownloadCmd(g),
		newMetainfoCmd(g),
		newServeCmd(g),
		newVersionCmd(g),
	)
	g.wrap(cmd)
	return cmd
}

// unknownCommand says what the user may have meant.
func unknownCommand(root *cobra.Command, word string) error {
	err := usageErrorf("unknown command %q", word)
	var names []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	if near := nearest(word, names); near != "" {
		return withHint(err, "did you mean %q?", near)
	}
	if looksLikeSource(word) {
		return withHint(err, "did you mean \"shoal download\" with it?")
	}
	return withHint(err, "\"shoal --help\" lists the commands")
}

func looksLikeSource(word string) bool {
	if _, err := os.Stat(word); err == nil {
		return true
	}
	return strings.HasPrefix(word, "magnet:") || strings.Contains(word, "://") || strings.HasSuffix(word, ".torrent")
}

// flagError turns what the flag parser says into an error of ours, with the flag that may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	e := usageErrorf("%w", err)
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if near := nearest(unknown.GetSpecifiedName(), names); near != "" {
			return withHint(e, "did you mean --%s?", near)
		}
	}
	return withHint(e, "see \"%s --help\"", cmd.CommandPath())
}

// exactArgs wants n arguments; what says what they are.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return withHint(usageErrorf("got %d arguments, want %s", len(args), what), "see \"%s --help\"", cmd.CommandPath())
		}
		return nil
	}
}

// nearest is the word that s may be a slip of, "" when none is near.
func nearest(s string, words []string) string {
	best, least := "", len(s)/3+2
	for _, w := range words {
		if d := distance(s, w); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is how many letters must be added, dropped or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
