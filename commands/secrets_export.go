package commands

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/vault"
)

// exportPassword is where the password of an exported file comes from, when it is not the master password.
func exportPassword(file string) passwordSource { return passwordSource{file, "SHOAL_EXPORT_PASSWORD"} }

const exportPasswordHelp = "the password of the exported file, where it is another, is the first line of `FILE|-` (or $SHOAL_EXPORT_PASSWORD)"

// exportOptions are the flags of secrets export.
type exportOptions struct {
	output, format, password string
	reveal, force            bool
}

func newSecretsExportCmd(g *globals) *cobra.Command {
	var opts exportOptions
	cmd := &cobra.Command{
		Use:   "export [flags] -o FILE",
		Short: "Write everything to one file, as a backup",
		Long: "Write the whole store to one file of mode 0600: for age (the default), or for KeePassXC (kdbx), encrypted by the\n" +
			"master password or, where there is none, by one that is asked for. json and csv are plain text, and want --reveal.",
		Example: "  shoal secrets export -o backup.age       # opens with: age -d backup.age\n" +
			"  shoal secrets export -o shoal.kdbx       # opens with KeePassXC",
		Args: exactArgs(0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSecretsExport(cmd.Context(), g, opts)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&opts.output, "output", "o", "", "write to `FILE|-`")
	fs.Var(newChoice(&opts.format, "", "age", "kdbx", "json", "csv"), "format", "`age|kdbx|json|csv` (default by the name of FILE, else age)")
	fs.StringVar(&opts.password, "export-password-file", "", exportPasswordHelp)
	fs.BoolVar(&opts.reveal, "reveal", false, "write plain text (json, csv)")
	fs.BoolVarP(&opts.force, "force", "f", false, "replace FILE")
	return cmd
}

func runSecretsExport(ctx context.Context, g *globals, opts exportOptions) error {
	out := g.output()
	format := vault.Format(opts.format)
	if format == "" {
		format = vault.FormatNamed(opts.output)
	}
	switch {
	case opts.output == "":
		return usageErrorf("-o FILE is missing")
	case !format.Sealed() && !opts.reveal:
		return withHint(usageErrorf("%s is plain text", format), "--reveal writes it all the same; age and kdbx are encrypted")
	case opts.output == "-" && g.json:
		return usageErrorf("standard output cannot hold both the file and its JSON")
	case opts.output == "-" && out.OnTerminal():
		return usageErrorf("standard output is a terminal")
	}
	v, master, err := g.vault(ctx)
	if err != nil {
		return err
	}
	list, err := v.Read(master)
	if err != nil {
		return err
	}
	vault.Sort(list)
	password := ""
	if format.Sealed() {
		if password, err = g.sealing(ctx, opts.password, master); err != nil {
			return err
		}
	}
	b, err := vault.Encode(format, list, password)
	if err != nil {
		return err
	}
	if opts.output == "-" {
		_, err := out.Bytes().Write(b)
		return err
	}
	if err := vault.WriteFile(opts.output, b, opts.force); err != nil {
		return err
	}
	doc := exportDoc{File: opts.output, Format: string(format), Count: len(list), Code: bt.OK}
	return out.Result(doc, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s, as %s\n", out.Name(opts.output), ui.Count(len(list), "secret"), format)
		return err
	})
}

// sealing is the password that a file gets.
func (g *globals) sealing(ctx context.Context, file, master string) (string, error) {
	password, err := g.givenPassword(ctx, exportPassword(file))
	if err != nil || password != "" || master != "" {
		if password == "" {
			password = master
		}
		return password, err
	}
	return g.newPassword(ctx, g.master(), "password of the exported file")
}

// An exportDoc is the result of secrets export.
type exportDoc struct {
	File   string  `json:"file"`
	Format string  `json:"format"`
	Count  int     `json:"count"`
	Code   bt.Code `json:"code"`
}
