package commands

import (
	"fmt"
	"io"
	"path/filepath"

	"shoal/bt"
	"shoal/commands/internal/ui"
)

// A createDoc is the result of create.
type createDoc struct {
	Torrent     string    `json:"torrent,omitempty"` // absolute
	Name        string    `json:"name"`
	InfoHash    string    `json:"infohash,omitempty"`
	InfoHashV2  string    `json:"infohash_v2,omitempty"`
	Magnet      string    `json:"magnet"`
	Format      bt.Format `json:"format"`
	Bytes       int64     `json:"bytes"`
	Files       int       `json:"files"`
	PieceLength int64     `json:"piece_length"`
	Pieces      int       `json:"pieces"`
	Private     bool      `json:"private"`
	Warnings    []string  `json:"warnings"`
}

// write writes the .torrent to where it is wanted.
func (o *createOptions) write(g *globals, m *bt.Metainfo, doc *createDoc) (err error) {
	switch {
	case o.dryRun:
		return nil
	case o.output == "-":
		_, err := m.WriteTo(g.output().Bytes())
		return err
	}
	if doc.Torrent, err = filepath.Abs(o.output); err != nil {
		return err
	}
	if err := checkFree(o.output, o.force); err != nil { // it may have come while the data was hashed
		return err
	}
	if err := writeFile(o.output, m.Bytes()); err != nil {
		return fmt.Errorf("saving the torrent: %w", err)
	}
	return nil
}

func (d *createDoc) fill(m *bt.Metainfo) {
	d.Name, d.Magnet, d.Bytes, d.Files = m.Name, bt.MagnetOf(m, bt.MagnetOptions{}).String(), m.Length, len(m.Files)
	d.PieceLength, d.Pieces, d.Private = m.PieceLength, m.NumPieces, m.Private
	d.InfoHash, d.InfoHashV2 = hashesOf(m)
}

// show shows what was made, unless standard output has the .torrent or nobody wants to know.
func (o *createOptions) show(out *ui.Output, m *bt.Metainfo, doc createDoc) error {
	switch {
	case o.output == "-" && !o.dryRun, out.Quiet() && !out.JSON() && o.print == "":
		return nil
	case o.print == "magnet":
		return out.Result(nil, func(w io.Writer) error { _, err := fmt.Fprintln(w, doc.Magnet); return err })
	case o.print == "infohash":
		hash := doc.InfoHash
		if !m.HasV1() {
			hash = doc.InfoHashV2
		}
		return out.Result(nil, func(w io.Writer) error { _, err := fmt.Fprintln(w, hash); return err })
	}
	return out.Result(doc, func(w io.Writer) error { return writeCreated(w, o.output, doc) })
}

// writeCreated writes a line for each thing that there is to say.
func writeCreated(w io.Writer, path string, d createDoc) error {
	if d.Torrent == "" {
		path = ""
	}
	for _, line := range [][2]string{
		{"torrent", path},
		{"infohash", d.InfoHash},
		{"infohash v2", d.InfoHashV2},
		{"size", fmt.Sprintf("%s (%d bytes)", ui.Size(d.Bytes), d.Bytes)},
		{"files", fmt.Sprint(d.Files)},
		{"pieces", piecesOf(d.Pieces, d.PieceLength)},
		{"magnet", d.Magnet},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "%-12s %s\n", line[0], ui.Quote(line[1]))
		}
	}
	return nil
}
