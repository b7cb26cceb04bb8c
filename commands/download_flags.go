package commands

import (
	"encoding/hex"
	"math"
	"strings"

	"github.com/spf13/pflag"

	"shoal/bt"
)

// downloadOptions are the flags of download.
type downloadOptions struct {
	networkOptions

	dir, output      string
	tar              bool
	strip            int
	selection        string
	include, exclude []string

	list, dryRun, metadataOnly bool
	saveTorrent                string

	seed       bool
	seedRatio  float64
	seedTime   durationValue
	sequential bool
	check      bool
	force      bool

	timeout, metadataTimeout, stallTimeout durationValue

	expect    string
	inputFile string
	jobs      int
	failFast  bool
	onDone    string
	resume    bool // accepted and ignored: going on is the default
}

// downloadAliases are other spellings of the flags, as people know them from other programs.
var downloadAliases = map[string]string{
	"download-dir":    "dir",
	"output-dir":      "dir",
	"select-file":     "select",
	"bt-stop-timeout": "stall-timeout",
}

func (o *downloadOptions) register(fs *pflag.FlagSet) {
	o.networkOptions.register(fs)
	fs.StringVarP(&o.dir, "dir", "d", ".", "put files into `DIR`")
	fs.StringVarP(&o.output, "output", "o", "", "put the file, or the folder of files, exactly at `PATH`; - is standard output")
	fs.BoolVar(&o.tar, "tar", false, "with -o -: write a tar archive")
	fs.IntVar(&o.strip, "strip-components", 0, "drop the first `N` parts of each path")
	fs.StringVar(&o.selection, "select", "", "fetch only the files with these `NUMBERS`, such as 1-3,8")
	fs.StringArrayVar(&o.include, "include", nil, "fetch only files that match `GLOB`")
	fs.StringArrayVar(&o.exclude, "exclude", nil, "fetch no file that matches `GLOB`")
	fs.BoolVarP(&o.list, "list", "l", false, "show what would be fetched, and exit")
	fs.BoolVarP(&o.dryRun, "dry-run", "n", false, "the same as --list")
	fs.BoolVar(&o.metadataOnly, "metadata-only", false, "fetch what the torrent says, and no file")
	fs.StringVar(&o.saveTorrent, "save-torrent", "", "write the .torrent to `PATH`")
	fs.BoolVar(&o.seed, "seed", false, "seed afterwards, until stopped")
	fs.Float64Var(&o.seedRatio, "seed-ratio", 0, "seed afterwards, until `R` times the size is uploaded")
	fs.Var(&o.seedTime, "seed-time", "seed afterwards, for `DUR`")
	fs.BoolVar(&o.sequential, "sequential", false, "fetch pieces in order")
	fs.BoolVar(&o.check, "check", false, "hash again what is on disk, and fetch what is bad")
	fs.BoolVarP(&o.force, "force", "f", false, "overwrite files that differ; write to a terminal with -o -")
	fs.Var(&o.timeout, "timeout", "give up after `DUR`")
	o.metadataTimeout = durationValue(defaultMetadataTimeout)
	fs.Var(&o.metadataTimeout, "metadata-timeout", "give up when no peer tells what the torrent holds within `DUR`")
	fs.Var(&o.stallTimeout, "stall-timeout", "give up when nothing comes for `DUR`")
	fs.StringVar(&o.expect, "expect", "", "check that the single file has this digest: `sha256:HEX`")
	fs.StringVarP(&o.inputFile, "input-file", "i", "", "read sources from `FILE`, one a line; - is standard input")
	fs.IntVarP(&o.jobs, "jobs", "j", 5, "fetch `N` sources at once")
	fs.BoolVar(&o.failFast, "fail-fast", false, "stop when one source fails")
	fs.StringVar(&o.onDone, "on-done", "", "run `CMD` in a shell when a source is complete")
	fs.BoolVarP(&o.resume, "continue", "c", false, "does nothing: going on is the default")
	_ = fs.MarkHidden("continue")
}

// check looks for flags that exclude each other.
func (o *downloadOptions) checkFlags(g *globals) error {
	if err := o.networkOptions.check(); err != nil {
		return err
	}
	o.list = o.list || o.dryRun
	stream := o.output == "-"
	switch {
	case o.tar && !stream:
		return usageErrorf("--tar needs -o -")
	case stream && g.json:
		return usageErrorf("--json and -o - both want standard output")
	case stream && o.seeding():
		return usageErrorf("what goes to standard output is not kept, so it cannot be seeded")
	case stream && (o.metadataOnly || o.list):
		return usageErrorf("with -o - there must be data to write")
	case stream && !o.force && g.output().OnTerminal():
		return onTerminal("-o -")
	case o.tar && o.expect != "":
		return usageErrorf("--expect is the digest of a file, not of a tar archive")
	case o.strip < 0:
		return usageErrorf("--strip-components %d: want a number from 0", o.strip)
	case o.jobs < 1:
		return usageErrorf("--jobs %d: want a number from 1", o.jobs)
	case !validRatio(o.seedRatio):
		return usageErrorf("--seed-ratio %v: want a number from 0", o.seedRatio)
	case o.saveTorrent == "-":
		return withHint(usageErrorf("--save-torrent wants the path of a file"), "\"shoal metainfo -O - SOURCE\" writes it to standard output")
	}
	if o.expect == "" {
		return nil
	}
	digest, ok := strings.CutPrefix(o.expect, "sha256:")
	if raw, err := hex.DecodeString(digest); !ok || err != nil || len(raw) != 32 {
		return usageErrorf("--expect %q: want sha256: and 64 hexadecimal digits", o.expect)
	}
	o.expect = strings.ToLower(digest)
	return nil
}

func validRatio(r float64) bool { return r >= 0 && !math.IsInf(r, 0) }

// onTerminal is the error for a flag that would write raw bytes to a terminal.
func onTerminal(flag string) error {
	return withHint(usageErrorf("%s would write to a terminal what is not meant for one", flag),
		"send it to a file or a program, or insist with --force")
}

// seeding reports whether to seed afterwards.
func (o *downloadOptions) seeding() bool { return o.seed || o.seedRatio > 0 || o.seedTime > 0 }

// requests are the sources of the arguments, of -t and of the input file, each with what is asked of it.
func (o *downloadOptions) requests(g *globals, args []string) ([]request, error) {
	if err := o.checkFlags(g); err != nil {
		return nil, err
	}
	args, err := o.sources(args)
	if err != nil {
		return nil, err
	}
	picks, err := parsePicks(o.selection)
	if err != nil {
		return nil, err
	}
	base := request{dir: o.dir, out: o.output, picks: picks}
	var requests []request
	for _, arg := range args {
		r := base
		r.source = arg
		requests = append(requests, r)
	}
	if o.inputFile != "" {
		more, err := readInputFile(g, o.inputFile, base)
		if err != nil {
			return nil, err
		}
		requests = append(requests, more...)
	}
	return requests, o.checkRequests(requests)
}

func parsePicks(s string) ([]bt.IndexRange, error) {
	if s == "" {
		return nil, nil
	}
	picks, err := bt.ParseIndexes(s)
	if err != nil {
		return nil, usageErrorf("--select: %w", err)
	}
	return picks, nil
}

// checkRequests looks for what only one source may have.
func (o *downloadOptions) checkRequests(requests []request) error {
	stdin := 0
	if o.inputFile == "-" {
		stdin++
	}
	if o.blocklist == "-" {
		stdin++
	}
	for _, r := range requests {
		if r.source == "-" {
			stdin++
		}
	}
	switch {
	case len(requests) == 0 && o.inputFile != "":
		return usageErrorf("no SOURCE given, and none in %s", o.inputFile)
	case len(requests) == 0:
		return withHint(usageErrorf("no SOURCE given"), "a .torrent file, a URL, a magnet or an infohash; see \"shoal download --help\"")
	case stdin > 1:
		return usageErrorf("standard input can be read only once")
	case len(requests) > 1 && o.output != "":
		return withHint(usageErrorf("--output is for a single source, and there are %d", len(requests)), "--dir takes several")
	case len(requests) > 1 && o.expect != "":
		return usageErrorf("--expect is for a single source, and there are %d", len(requests))
	case len(requests) > 1 && o.saveTorrent != "":
		return usageErrorf("--save-torrent is for a single source, and there are %d", len(requests))
	}
	return nil
}
