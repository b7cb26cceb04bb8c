package commands

import (
	"io"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/commands/internal/ui"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletionCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "completion {bash | zsh | fish | powershell}",
		Short: "Print a script that completes shoal's commands in a shell",
		Example: "  shoal completion bash > ~/.local/share/bash-completion/completions/shoal\n" +
			"  shoal completion zsh > ~/.zfunc/_shoal\n" +
			"  shoal completion fish > ~/.config/fish/completions/shoal.fish",
		Args:      exactArgs(1, "one of bash, zsh, fish and powershell"),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCompletion(cmd.Root(), g.output(), args[0])
		},
	}
}

func runCompletion(root *cobra.Command, out *ui.Output, shell string) error {
	if !slices.Contains(shells, shell) {
		return withHint(usageErrorf("no completions for the shell %q", shell), "there are those for bash, zsh, fish and powershell")
	}
	return WriteCompletion(root, out.Bytes(), shell)
}

// WriteCompletion writes the completion script of a shell: bash, zsh, fish or powershell.
func WriteCompletion(root *cobra.Command, w io.Writer, shell string) error {
	switch shell {
	case "zsh":
		return root.GenZshCompletion(w)
	case "fish":
		return root.GenFishCompletion(w, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(w)
	}
	return root.GenBashCompletionV2(w, true)
}

// completeChoices makes the flags of a command that take one of a few words complete them.
func completeChoices(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if c, ok := f.Value.(interface{ list() []string }); ok {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(c.list(), cobra.ShellCompDirectiveNoFileComp))
		}
	})
}

// completeSources completes what a command downloads or reads: .torrent files.
func completeSources(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"torrent"}, cobra.ShellCompDirectiveFilterFileExt
}
