package commands

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"shoal/commands/internal/ui"
)

// version is that of the next or current release.
const version = "0.1.0"

// A versionInfo says what is running.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source, when the build knew it
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func newVersionCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Say which shoal this is",
		Example:           "  shoal version --json",
		Args:              exactArgs(0, "none"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			return runVersion(g.output())
		},
	}
}

func runVersion(out *ui.Output) error {
	v := versionInfo{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	return out.Result(v, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "shoal %s %s %s/%s\n", v.Version, v.Go, v.OS, v.Arch)
		return err
	})
}
