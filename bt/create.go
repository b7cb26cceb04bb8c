package bt

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// A Format is a version of the info dictionary.
type Format string

// The formats; the zero value means FormatV1, which every client understands.
const (
	FormatV1     Format = "v1"     // BEP 3
	FormatV2     Format = "v2"     // BEP 52
	FormatHybrid Format = "hybrid" // both in one, for clients of either
)

// CreateOptions say what to make a metainfo of. Path is required, or Reader and Name; the zero value of the rest makes a
// public v1 torrent without trackers.
type CreateOptions struct {
	Path        string    // file or folder
	Reader      io.Reader // the one file of the torrent, instead of Path
	Name        string    // "" = the last element of Path
	Format      Format
	PieceLength int64 // bytes, a power of two of at least 16 KiB (v1: a multiple of it); 0 = see AutoPieceLength

	// Which files of a folder to take.
	Include     []string // globs as in Selection; none = all
	Exclude     []string // the same; a folder that matches is not entered
	Hidden      bool     // files and folders whose name begins with a dot, too
	FollowLinks bool     // what symbolic links lead to, too, but never a folder inside itself
	Omit        string   // a file that is left out if it is found: the .torrent of the last time

	Trackers  [][]string // tiers
	Webseeds  []string
	Private   bool   // BEP 27
	Source    string // goes into the info dictionary, to make another infohash of the same data
	Comment   string
	CreatedBy string
	Date      time.Time // zero = none

	// Progress is called about twice a second, and once at the end with the final state. State is "hashing", and Total is 0
	// while Reader does not tell its size.
	Progress func(Progress)
	// Warn is told, before anything is hashed, what may not be meant, a sentence each.
	Warn func(string)
}

// AutoPieceLength is the piece length that Create chooses for that many bytes in that many files: the smallest power of
// two that gives at most 2048 pieces, but at least 16 KiB and at most 16 MiB.
//
//	up to 32 MiB   16 KiB      up to  1 GiB  512 KiB      up to 32 GiB  16 MiB
//	up to 64 MiB   32 KiB      up to  2 GiB    1 MiB      above         16 MiB
//	up to 512 MiB 256 KiB      up to 16 GiB    8 MiB
//
// With v2 and hybrid, where each file begins a piece, it may be as many pieces as there are files: these are pieces
// anyway, and the pads between small files, which hybrid hashes, stay smaller than the files.
func AutoPieceLength(size int64, files int, format Format) int64 {
	most := int64(2048)
	if format == FormatV2 || format == FormatHybrid {
		most = max(most, int64(files))
	}
	n := int64(blockSize)
	for n < 16<<20 && size > most*n {
		n *= 2
	}
	return n
}

// pipePieceLength is the piece length for what comes from a pipe, whose size is not known.
const pipePieceLength = 1 << 20

// Create reads the files under opts.Path, on all processors, and makes a metainfo of them. Regular files only: sockets
// and the like are left out, and so are symbolic links and hidden files unless asked for. Files stand in the order of
// their paths, byte by byte; with v2 in that of the file tree. A file that changes meanwhile is an error of class
// Failed; a path that is not there, a folder without files, a link that leads nowhere, or a name that is not UTF-8 is
// BadInput; options that make no sense are Usage. Of a Reader that is no regular file the size is not known beforehand:
// its pieces have 1 MiB unless opts say otherwise.
func Create(ctx context.Context, opts CreateOptions) (*Metainfo, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	h, err := hashFor(ctx, &opts)
	if err != nil {
		return nil, err
	}
	m, err := MetainfoFromInfo(infoBytes(h, opts))
	if err != nil {
		return nil, fmt.Errorf("creating the metainfo of %s: %w", opts.Name, err)
	}
	m.Trackers, m.Webseeds, m.Comment, m.CreatedBy, m.CreationDate = opts.Trackers, opts.Webseeds, opts.Comment, opts.CreatedBy, opts.Date
	if m.HasV2() {
		return m.WithPieceLayers(h.layers())
	}
	return m, nil
}

// hashFor hashes what the options name, and completes them.
func hashFor(ctx context.Context, opts *CreateOptions) (*pieceHasher, error) {
	if opts.Reader != nil {
		return hashReader(ctx, opts)
	}
	tree, err := scan(ctx, opts)
	if err != nil {
		return nil, err
	}
	if opts.PieceLength == 0 {
		opts.PieceLength = AutoPieceLength(tree.size, len(tree.files), opts.Format)
	}
	h := newPieceHasher(tree, *opts)
	opts.warn(tree)
	return h, h.run(ctx, opts.Progress)
}

// check checks the options, and brings name, format, trackers and webseeds into their one form.
func (o *CreateOptions) check() error {
	if o.Format == "" {
		o.Format = FormatV1
	}
	switch o.Format {
	case FormatV1, FormatV2, FormatHybrid:
	default:
		return errorf(Usage, "creating a metainfo: the format %q is not v1, v2 or hybrid", o.Format)
	}
	n := o.PieceLength
	if n < 0 || n > maxPieceLength || n%blockSize != 0 {
		return errorf(Usage, "creating a metainfo: piece length %d is not a multiple of 16 KiB up to 1 GiB", n)
	}
	if o.Format != FormatV1 && n&(n-1) != 0 {
		return errorf(Usage, "creating a metainfo: piece length %d is not a power of two, as v2 needs", n)
	}
	for _, g := range slices.Concat(o.Include, o.Exclude) {
		if !doublestar.ValidatePattern(g) {
			return errorf(Usage, "creating a metainfo: malformed pattern %q", g)
		}
	}
	if err := o.checkName(); err != nil {
		return err
	}
	return o.checkURLs()
}

// checkName finds the name if there is none, and checks it before anything is hashed in vain.
func (o *CreateOptions) checkName() (err error) {
	switch {
	case o.Name == "" && o.Reader != nil:
		return errorf(Usage, "creating a metainfo: what is read from a stream needs a name")
	case o.Name == "":
		if o.Name, err = baseName(o.Path); err != nil {
			return err
		}
	}
	switch name, err := (pathRules{}).component([]byte(o.Name)); {
	case err != nil:
		return errorf(BadInput, "creating a metainfo: %w", err)
	case name != o.Name:
		return errorf(BadInput, "creating a metainfo: the name %q is not UTF-8, or longer than %d bytes", clip(o.Name), maxComponent)
	}
	return nil
}

func (o *CreateOptions) checkURLs() error {
	var tiers [][]string
	for _, tier := range o.Trackers {
		var clean []string
		for _, s := range tier {
			u, err := SanitizeTracker(s)
			if err != nil {
				return err
			}
			clean = append(clean, u)
		}
		if clean != nil {
			tiers = append(tiers, clean)
		}
	}
	o.Trackers = tiers
	var webseeds []string
	for _, s := range o.Webseeds {
		u, err := SanitizeWebseed(s)
		if err != nil {
			return err
		}
		webseeds = append(webseeds, u)
	}
	o.Webseeds = webseeds
	return nil
}

// baseName is the last element of a path, also of one like ".." or ".".
func baseName(p string) (string, error) {
	abs, err := filepath.Abs(p)
	if err != nil {
		return "", err
	}
	name := filepath.Base(abs)
	if name == string(filepath.Separator) || name == filepath.VolumeName(abs) {
		return "", errorf(Usage, "creating a metainfo of %s: it needs a name", p)
	}
	return name, nil
}

// checkUnchanged fails when the file, of which the system says this, is no longer what it was at the scan.
func (f *scanned) checkUnchanged(now hashStat, err error) error {
	if err == nil && now != f.hashStat {
		return errorf(Failed, "hashing %s: %w", f.name, errChanged)
	}
	return err
}
