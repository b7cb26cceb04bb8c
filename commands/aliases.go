package commands

import (
	"maps"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// accept makes a command know flags by other spellings too. Help does not show them.
func accept(cmd *cobra.Command, aliases ...map[string]string) {
	all := map[string]string{}
	for _, a := range aliases {
		maps.Copy(all, a)
	}
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if canonical, ok := all[name]; ok {
			name = canonical
		}
		return pflag.NormalizedName(name)
	})
}
