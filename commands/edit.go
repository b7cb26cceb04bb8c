package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/bt"
)

// editOptions are the flags of edit.
type editOptions struct {
	addTrackers, removeTrackers, setTrackers, webseeds []string

	comment, source, name optionalText
	private               optionalBool

	output   string
	force    bool
	failFast bool
}

func newEditCmd(g *globals) *cobra.Command {
	var opts editOptions
	cmd := &cobra.Command{
		Use:   "edit [flags] {FILE... | -}",
		Short: "Change what a .torrent says",
		Long: "Change .torrent files in place, or from standard input to standard output. What no flag speaks of stays as it\n" +
			"is, byte by byte. Only --name, --private and --source change the infohash: that makes another torrent of it.",
		Example: "  shoal edit --add-tracker https://tracker.example/announce *.torrent\n" +
			"  shoal edit --set-tracker '' --comment '' -o clean.torrent film.torrent\n" +
			"  shoal edit --webseed https://example.com/film.mkv - < film.torrent > more.torrent",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.check(g, args); err != nil {
				return err
			}
			return runEdit(cmd.Context(), g, args, opts)
		},
	}
	opts.register(cmd.Flags())
	return cmd
}

func (o *editOptions) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&o.addTrackers, "add-tracker", nil, "add the tracker `URL[,URL]` as a tier of its own (repeatable)")
	flags.StringArrayVar(&o.removeTrackers, "remove-tracker", nil, "remove the tracker `URL` (repeatable)")
	flags.StringArrayVar(&o.setTrackers, "set-tracker", nil, "`URL[,URL]` instead of the trackers that are there (repeatable); '' removes them")
	flags.StringArrayVar(&o.webseeds, "webseed", nil, "add the web server `URL` (repeatable); '' removes those that are there")
	flags.Var(&o.comment, "comment", "write `TEXT` beside the info dictionary; '' removes it")
	flags.Var(&o.source, "source", "write `TEXT` into the info dictionary; '' removes it")
	flags.Var(&o.name, "name", "call the torrent `NAME`")
	flags.Var(&o.private, "private", "peers may come from the trackers only; =false: from anywhere")
	flags.Lookup("private").NoOptDefVal = "true"
	flags.StringVarP(&o.output, "output", "o", "", "write to `FILE` instead; - is standard output")
	flags.BoolVarP(&o.force, "force", "f", false, "overwrite the file of -o; write to a terminal with -o -")
	flags.BoolVar(&o.failFast, "fail-fast", false, "stop when one file fails")
}

func (o *editOptions) check(g *globals, files []string) error {
	if len(files) == 1 && files[0] == "-" && o.output == "" {
		o.output = "-"
	}
	nothing := o.comment.value == nil && o.source.value == nil && o.name.value == nil && o.private.value == nil
	for _, list := range [][]string{o.addTrackers, o.removeTrackers, o.setTrackers, o.webseeds} {
		nothing = nothing && len(list) == 0
	}
	switch {
	case len(files) == 0:
		return withHint(usageErrorf("no FILE given"), "a .torrent file, or - for standard input; see \"shoal edit --help\"")
	case nothing:
		return withHint(usageErrorf("nothing to change"), "\"shoal edit --help\" lists what can be changed")
	case len(files) > 1 && o.output != "":
		return usageErrorf("--output is for a single file, and there are %d", len(files))
	case o.output == "-" && g.json:
		return usageErrorf("--output - needs standard output for itself")
	case o.output == "-" && !o.force && g.output().OnTerminal():
		return onTerminal("-o -")
	}
	for _, f := range files {
		if f == "-" && len(files) > 1 {
			return usageErrorf("standard input goes to standard output: it is edited alone")
		}
	}
	if o.output != "" && o.output != "-" {
		return checkFree(o.output, o.force)
	}
	return nil
}

// engine is what the flags mean. An empty URL takes away what is there.
func (o *editOptions) engine() bt.EditOptions {
	e := bt.EditOptions{
		AddTrackers: splitTiers(o.addTrackers), RemoveTrackers: o.removeTrackers,
		Comment: o.comment.value, Source: o.source.value, Name: o.name.value, Private: o.private.value,
	}
	for _, s := range o.setTrackers {
		e.NoTrackers = true
		if s != "" {
			e.SetTrackers = append(e.SetTrackers, splitTier(s))
		}
	}
	for _, s := range o.webseeds {
		if s == "" {
			e.NoWebseeds = true
			continue
		}
		e.AddWebseeds = append(e.AddWebseeds, s)
	}
	return e
}

func runEdit(ctx context.Context, g *globals, files []string, opts editOptions) error {
	var doc editDoc
	worst := 0
	for _, file := range files {
		item, err := opts.one(ctx, g, file)
		f, status := g.tell(ctx, file, len(files) > 1, err)
		doc.Results = append(doc.Results, editItem{file, item, f})
		if worst = max(worst, status); worst != 0 && (opts.failFast || ctx.Err() != nil) {
			break
		}
	}
	return cmp.Or(opts.show(g.output(), doc), shownStatus(worst))
}

// one edits one file.
func (o *editOptions) one(ctx context.Context, g *globals, file string) (*edited, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r, err := o.read(g, file)
	if err != nil {
		return nil, fmt.Errorf("editing %s: %w", file, err)
	}
	to := cmp.Or(o.output, file)
	switch {
	case to == "-":
		_, err = g.output().Bytes().Write(r.Data)
	case o.output != "" || r.Changed: // what did not change in place is left alone
		err = writeFile(to, r.Data)
	}
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", to, err)
	}
	return newEdited(r, to)
}

func (o *editOptions) read(g *globals, file string) (*bt.EditResult, error) {
	in, err := g.open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &bt.Error{Code: bt.BadInput, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return bt.EditMetainfo(in, o.engine())
}
