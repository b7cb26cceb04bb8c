package commands

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"shoal/annex"
	"shoal/commands/internal/ui"
)

// An installDoc is the result of annex install.
type installDoc struct {
	Program string   `json:"program"`
	Links   []string `json:"links"`
}

func newAnnexInstallCmd(g *globals) *cobra.Command {
	var aria2c bool
	cmd := &cobra.Command{
		Use:   "install [flags] [DIR]",
		Short: "Put shoal where git-annex finds it",
		Long: "Make symbolic links to shoal in DIR, which PATH must have, or without DIR where shoal is: git-annex-remote-shoal, the\n" +
			"special remote; git-annex-backend-XBTV2 and git-annex-backend-XSHOAL, which know keys by the hashes of v2 torrents\n" +
			"and of shares; and git-annex-p2p-shoal, for \"git annex p2p\". With --aria2c there is another one under the name\n" +
			"aria2c: it does for the bittorrent remote of git-annex what that program does, so that plain magnets are fetched by\n" +
			"shoal with every version. DIR must come before the real aria2c in the PATH of git-annex, and in no other's.",
		Example: "  shoal annex install ~/.local/bin\n  shoal annex install --aria2c ~/.local/lib/shoal-annex",
		Args:    atMostArgs(1, "one DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			return runAnnexInstall(g, args, aria2c)
		},
	}
	cmd.Flags().BoolVar(&aria2c, "aria2c", false, "stand in for aria2c, too")
	return cmd
}

func runAnnexInstall(g *globals, args []string, aria2c bool) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	dir := filepath.Dir(program)
	switch {
	case len(args) > 0:
		dir = args[0]
	case aria2c:
		return withHint(usageErrorf("--aria2c without DIR would hide the real aria2c from other programs"),
			"name a folder that only the PATH of git-annex has")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	links, err := annex.Install(program, dir, aria2c)
	if err != nil {
		return err
	}
	if found, err := exec.LookPath(annex.RemoteProgram); err != nil || found != links[0] {
		g.output().Note("PATH does not lead to %s: git-annex will not find it", ui.Quote(links[0]))
	}
	return g.output().Result(installDoc{program, links}, func(w io.Writer) error {
		for _, l := range links {
			if _, err := fmt.Fprintln(w, ui.Quote(l)); err != nil {
				return err
			}
		}
		return nil
	})
}
