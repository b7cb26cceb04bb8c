package bt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"shoal/bt/bencode"
)

// A Format is a version of the info dictionary.
type Format string

// The formats; the zero value means FormatV1, which every client understands.
const (
	FormatV1     Format = "v1"     // BEP 3
	FormatV2     Format = "v2"     // BEP 52
	FormatHybrid Format = "hybrid" // both in one, for clients of either
)

// CreateOptions say what to make a metainfo of. Path is required; the zero value of the rest makes a public v1 torrent
// without trackers.
type CreateOptions struct {
	Path        string // file or folder
	Name        string // "" = the last element of Path
	Format      Format
	PieceLength int64 // bytes, a power of two of at least 16 KiB (v1: a multiple of it); 0 = by size, see AutoPieceLength
	Hidden      bool  // take files and folders whose name begins with a dot, too

	Trackers  [][]string // tiers
	Webseeds  []string
	Private   bool   // BEP 27
	Source    string // goes into the info dictionary, to make another infohash of the same data
	Comment   string
	CreatedBy string
	Date      time.Time // zero = none

	// Progress is called about twice a second, and once at the end with the final state. State is "hashing".
	Progress func(Progress)
}

// AutoPieceLength is the piece length that Create chooses for that many bytes: the smallest power of two that gives at
// most 2048 pieces, but at least 16 KiB and at most 16 MiB.
//
//	up to 32 MiB   16 KiB      up to  1 GiB  512 KiB      up to 32 GiB  16 MiB
//	up to 64 MiB   32 KiB      up to  2 GiB    1 MiB      above         16 MiB
//	up to 512 MiB 256 KiB      up to 16 GiB    8 MiB
func AutoPieceLength(size int64) int64 {
	n := int64(blockSize)
	for n < 16<<20 && size > 2048*n {
		n *= 2
	}
	return n
}

// Create reads the files under opts.Path, on all processors, and makes a metainfo of them. Regular files only:
// symbolic links, sockets and the like are left out, and so are hidden files unless asked for. Files stand in the
// order of their paths, byte by byte; with v2 in that of the file tree. A file that changes meanwhile is an error of
// class Failed; a path that is not there, a folder without files, or a name that is not UTF-8 is BadInput; options that
// make no sense are Usage.
func Create(ctx context.Context, opts CreateOptions) (*Metainfo, error) {
	if opts.Format == "" {
		opts.Format = FormatV1
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	tree, err := scan(ctx, opts.Path, opts.Hidden, opts.Format != FormatV1)
	if err != nil {
		return nil, err
	}
	if opts.Name == "" {
		if opts.Name, err = baseName(opts.Path); err != nil {
			return nil, err
		}
	}
	if opts.PieceLength == 0 {
		opts.PieceLength = AutoPieceLength(tree.size)
	}
	h := newPieceHasher(tree, opts)
	if err := h.run(ctx, opts.Progress); err != nil {
		return nil, err
	}
	m, err := MetainfoFromInfo(infoBytes(h, opts))
	if err != nil {
		return nil, fmt.Errorf("creating the metainfo of %s: %w", opts.Path, err)
	}
	m.Trackers, m.Webseeds, m.Comment, m.CreatedBy, m.CreationDate = opts.Trackers, opts.Webseeds, opts.Comment, opts.CreatedBy, opts.Date
	if m.HasV2() {
		return m.WithPieceLayers(h.layers())
	}
	return m, nil
}

// check checks the options, and brings trackers and webseeds into their one form.
func (o *CreateOptions) check() error {
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

// infoBytes is the info dictionary, its keys in order.
func infoBytes(h *pieceHasher, opts CreateOptions) []byte {
	b := []byte{'d'}
	v1, v2 := opts.Format != FormatV2, opts.Format != FormatV1
	single := !h.tree.dir
	if v1 && single && h.tree.files[0].executable {
		b = appendText(b, "attr", "x")
	}
	if v2 {
		b = appendFileTree(bencode.AppendString(b, "file tree"), h, opts.Name)
	}
	if v1 && !single {
		b = appendFiles(bencode.AppendString(b, "files"), h)
	}
	if v1 && single {
		b = bencode.AppendInt(bencode.AppendString(b, "length"), h.tree.size)
	}
	if v2 {
		b = bencode.AppendInt(bencode.AppendString(b, "meta version"), 2)
	}
	b = bencode.AppendString(bencode.AppendString(b, "name"), opts.Name)
	b = bencode.AppendInt(bencode.AppendString(b, "piece length"), opts.PieceLength)
	if v1 {
		b = bencode.AppendString(bencode.AppendString(b, "pieces"), h.sha1s)
	}
	if opts.Private {
		b = bencode.AppendInt(bencode.AppendString(b, "private"), 1)
	}
	b = appendText(b, "source", opts.Source)
	return append(b, 'e')
}

// errChanged is why a torrent of files that are being written would be of no use.
var errChanged = errors.New("it changed while it was read")

// checkUnchanged fails when the file is no longer what it was at the scan.
func (f *scanned) checkUnchanged(info os.FileInfo) error {
	if !info.Mode().IsRegular() || info.Size() != f.size || !info.ModTime().Equal(f.mtime) {
		return errorf(Failed, "hashing %s: %w", f.name, errChanged)
	}
	return nil
}
