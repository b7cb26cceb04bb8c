package commands

import (
	"fmt"
	"io"
	"path/filepath"

	"shoal/bt"
	"shoal/commands/internal/ui"
)

// An editDoc is the result of edit.
type editDoc struct {
	Results []editItem `json:"results"`
}

// An editItem is what became of one file.
type editItem struct {
	Source string `json:"source"`
	*edited
	failure
}

// An edited file. The old hashes are there when they differ.
type edited struct {
	Torrent         string `json:"torrent"` // absolute; "" = standard output
	Changed         bool   `json:"changed"`
	InfoHash        string `json:"infohash,omitempty"`
	InfoHashV2      string `json:"infohash_v2,omitempty"`
	InfoHashChanged bool   `json:"infohash_changed"`
	OldInfoHash     string `json:"old_infohash,omitempty"`
	OldInfoHashV2   string `json:"old_infohash_v2,omitempty"`
	Magnet          string `json:"magnet"`
}

func newEdited(r *bt.EditResult, to string) (e *edited, err error) {
	e = &edited{Changed: r.Changed, InfoHashChanged: !r.SameInfo(), Magnet: bt.MagnetOf(r.After, bt.MagnetOptions{}).String()}
	e.InfoHash, e.InfoHashV2 = hashesOf(r.After)
	if e.InfoHashChanged {
		e.OldInfoHash, e.OldInfoHashV2 = hashesOf(r.Before)
	}
	if to != "-" {
		e.Torrent, err = filepath.Abs(to)
	}
	return e, err
}

// hashesOf are the infohashes of a metainfo, "" where there is none.
func hashesOf(m *bt.Metainfo) (v1, v2 string) {
	if m.HasV1() {
		v1 = m.InfoHash.String()
	}
	if m.HasV2() {
		v2 = m.InfoHashV2.String()
	}
	return v1, v2
}

// show shows what became of the files: on standard error when standard output has a .torrent.
func (o *editOptions) show(out *ui.Output, doc editDoc) error {
	if o.output == "-" {
		for _, item := range doc.Results {
			if item.edited != nil {
				out.Note("%s", item.line())
			}
		}
		return nil
	}
	return out.Result(doc, func(w io.Writer) error {
		for _, item := range doc.Results {
			if item.edited != nil && !out.Quiet() {
				fmt.Fprintln(w, ui.Quote(item.line()))
			}
		}
		return nil
	})
}

// line says in a line what became of a file.
func (e *editItem) line() string {
	what := "changed"
	if !e.Changed {
		what = "unchanged"
	}
	what = fmt.Sprintf("%s: %s, infohash", e.Source, what)
	hash, old := e.InfoHash, e.OldInfoHash
	if hash == "" {
		hash, old = e.InfoHashV2, e.OldInfoHashV2
	}
	if e.InfoHashChanged {
		return fmt.Sprintf("%s changed from %s to %s", what, old, hash)
	}
	return fmt.Sprintf("%s still %s", what, hash)
}
