package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoal/bt"
)

// standInTimeout is how long nothing may come: git-annex would wait for ever.
const standInTimeout = 2 * time.Minute

// An aria2Call is what the bittorrent remote of git-annex wants of aria2c: the metainfo of a magnet, or file number
// file of a .torrent, in the folder dir.
type aria2Call struct {
	source string
	dir    string
	file   int // 0 = the metainfo
}

// newAnnexAria2Cmd is what runs under the name aria2c. Flags of ours can only be set by the environment and the
// configuration: what is typed are those of aria2c.
func newAnnexAria2Cmd(g *globals) *cobra.Command {
	var network networkOptions
	cmd := &cobra.Command{
		Use:                "aria2c",
		Short:              "Do for git-annex what aria2c does",
		Hidden:             true,
		DisableFlagParsing: true,
		Example:            "  shoal annex install --aria2c ~/.local/lib/shoal-annex",
		Args:               cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			call, err := parseAria2(args)
			if err != nil {
				return err
			}
			return runAria2(cmd.Context(), g, network, call)
		},
	}
	network.register(cmd.Flags())
	return cmd
}

// parseAria2 understands the two call forms. Other options are those that users set for aria2c.
func parseAria2(args []string) (c aria2Call, err error) {
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		switch {
		case name == "-d", name == "--dir":
			if !has && i+1 < len(args) {
				i++
				value = args[i]
			}
			c.dir = value
		case name == "--select-file":
			if c.file, err = strconv.Atoi(value); err != nil || c.file < 1 {
				return c, usageErrorf("%s: want the number of one file", args[i])
			}
		case strings.HasPrefix(name, "-"):
		case c.source != "":
			return c, notAria2()
		default:
			c.source = args[i]
		}
	}
	magnet := len(c.source) > 7 && strings.EqualFold(c.source[:7], "magnet:")
	if c.source == "" || c.dir == "" || magnet == (c.file > 0) {
		return c, notAria2()
	}
	return c, nil
}

func notAria2() error {
	return withHint(usageErrorf("this aria2c is shoal, and does only what git-annex wants of it"),
		"PATH should lead to it for git-annex alone; see \"shoal annex install --help\"")
}

func runAria2(ctx context.Context, g *globals, network networkOptions, call aria2Call) error {
	src, err := bt.ParseSource(call.source)
	if err != nil {
		return err
	}
	client, err := network.open(ctx, g)
	if err != nil {
		return err
	}
	defer client.Close()
	opts := bt.DownloadOptions{Peers: network.peers, Trackers: network.trackers, Dir: call.dir, Force: true,
		MetadataTimeout: standInTimeout, StallTimeout: standInTimeout,
		Progress: func(p bt.Progress) {
			if p.Total > 0 { // git-annex looks for a percentage in brackets
				fmt.Fprintf(g.output().Bytes(), "[shoal (%d%%)]\r", p.Done*100/p.Total)
			}
		}}
	if err := os.MkdirAll(call.dir, 0o777); err != nil {
		return err
	}
	if call.file == 0 {
		opts.MetadataOnly, opts.SaveTorrent = true, filepath.Join(call.dir, "shoal.torrent")
	} else if opts.Select, err = selectNumber(ctx, src, call.file); err != nil {
		return err
	}
	_, err = client.Download(ctx, src, opts)
	return err
}

// selectNumber picks a file by its place in the torrent's own list. One that we do not list is a pad, which git-annex
// will not miss.
func selectNumber(ctx context.Context, src *bt.Source, number int) (sel bt.Selection, err error) {
	m, err := src.Load(ctx, bt.LoadOptions{})
	if err != nil {
		return sel, err
	}
	for i, f := range m.Files {
		if f.Number == number {
			sel.Indexes = []bt.IndexRange{{First: i + 1, Last: i + 1}}
			return sel, nil
		}
	}
	return sel, &bt.Error{Code: bt.NotFound, Err: errors.New("the torrent has no such file")}
}
