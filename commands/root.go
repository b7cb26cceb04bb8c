package commands

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Root is the tree of commands, for what is generated from it.
func Root() *cobra.Command { return newRootCmd(&globals{}) }

func newRootCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shoal",
		Short: "Download, inspect and share with BitTorrent",
		Long: "Download, inspect and share with BitTorrent.\n\n" +
			"The exit status says how it went: 0 all is there and verified, 1 failed, 2 wrong usage, 3 bad input, 4 gave up\n" +
			"waiting, 5 the answer is no, 6 exists or busy, 7 network, 8 disk, 130 and 143 interrupted. Each flag may be set\n" +
			"by an environment variable, as SHOAL_DIR sets --dir, or by a key in ~/.config/shoal/config.toml.",
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
		newAnnexCmd(g),
		newBencodeCmd(g),
		newCompletionCmd(g),
		newCreateCmd(g),
		newDemoCmd(g),
		newDownloadCmd(g),
		newEditCmd(g),
		newMetainfoCmd(g),
		newScrapeCmd(g),
		newSecretsCmd(g),
		newServeCmd(g),
		newShareCmd(g),
		newVerifyCmd(g),
		newVersionCmd(g),
	)
	cmd.SetHelpCommand(newHelpCmd())
	g.wrap(cmd)
	return cmd
}

// newHelpCmd is the help command. That of the library answers an unknown name with the help of all and status 0.
func newHelpCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show help about a command",
		Example: "  shoal help download",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || (about == cmd.Root() && len(rest) > 0) {
				return unknownCommand(cmd.Root(), args[0])
			}
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) (names []string, _ cobra.ShellCompDirective) {
			for _, c := range cmd.Root().Commands() {
				if len(args) == 0 && c.IsAvailableCommand() && strings.HasPrefix(c.Name(), begun) {
					names = append(names, c.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
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
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		e = usageErrorf("--%s %w", invalid.GetFlag().Name, about(invalid.GetValue(), invalid.Unwrap()))
	}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && !cmd.HasParent() && hasFlag(child(cmd, "download"), unknown) {
		return withHint(e, "did you mean \"shoal download\" with it?")
	}
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

// hasFlag reports whether a command has the flag that another does not know.
func hasFlag(cmd *cobra.Command, unknown *pflag.NotExistError) bool {
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		return cmd.Flags().ShorthandLookup(short[:1]) != nil
	}
	return cmd.Flags().Lookup(unknown.GetSpecifiedName()) != nil
}

// about names the value that err is about, unless it does so itself.
func about(value string, err error) error {
	if quoted := strconv.Quote(value); !strings.HasPrefix(err.Error(), quoted) {
		return fmt.Errorf("%s: %w", quoted, plainly(err))
	}
	return err
}

// plainly says in our words what strconv says of a number or a switch that cannot be read.
func plainly(err error) error {
	var number *strconv.NumError
	switch {
	case !errors.As(err, &number):
		return err
	case number.Func == "ParseBool":
		return errors.New("want true or false")
	case number.Func == "ParseFloat":
		return errors.New("want a number")
	}
	return errors.New("want a whole number")
}

// exactArgs wants n arguments; what says what they are.
func exactArgs(n int, what string) cobra.PositionalArgs { return rangeArgs(n, n, what) }

// atMostArgs wants up to n arguments.
func atMostArgs(n int, what string) cobra.PositionalArgs { return rangeArgs(0, n, "at most "+what) }

// rangeArgs wants from least to most arguments.
func rangeArgs(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
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
