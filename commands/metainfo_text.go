package commands

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"shoal/bt"
	"shoal/commands/internal/ui"
)

// A metainfoView says what of a torrent to show as text. Without any, it is all but the files.
type metainfoView struct {
	files, tree, magnet, infohash, trackers, webseeds bool

	field string
}

func (v *metainfoView) register(fs *pflag.FlagSet) {
	fs.BoolVar(&v.files, "files", false, "list the files, with the numbers that --select takes")
	fs.BoolVar(&v.tree, "tree", false, "draw the files as a tree")
	fs.BoolVar(&v.magnet, "magnet", false, "print the magnet")
	fs.BoolVar(&v.infohash, "infohash", false, "print the infohash, that of v1 if there is one")
	fs.BoolVar(&v.trackers, "trackers", false, "print the trackers, one a line")
	fs.BoolVar(&v.webseeds, "webseeds", false, "print the web servers, one a line")
	fs.StringVar(&v.field, "field", "", "print the field `NAME` of the JSON result, without quotes")
}

// count is how many views are asked for.
func (v *metainfoView) count() (n int) {
	for _, given := range []bool{v.files, v.tree, v.magnet, v.infohash, v.trackers, v.webseeds, v.field != ""} {
		if given {
			n++
		}
	}
	return n
}

func (v *metainfoView) given() bool { return v.count() > 0 }

func (v *metainfoView) check(asJSON bool) error {
	if v.count() > 1 {
		return usageErrorf("of --files, --tree, --magnet, --infohash, --trackers, --webseeds and --field only one can be shown")
	}
	if asJSON && v.field != "" {
		return usageErrorf("--field is text, and --json asks for JSON")
	}
	if v.field == "" {
		return nil
	}
	if _, ok := fieldsOf(newTorrentInfo(&bt.Metainfo{}, nil))[v.field]; !ok && !optionalFields[v.field] {
		return withHint(usageErrorf("unknown field %q", v.field), "the fields are those of --json")
	}
	return nil
}

// optionalFields are the fields that are left out of JSON when a torrent does not have them.
var optionalFields = map[string]bool{"infohash": true, "infohash_v2": true, "nodes": true, "comment": true, "created_by": true, "created": true, "source_tag": true}

// show shows the torrents that could be read.
func (v *metainfoView) show(out *ui.Output, doc metainfoDoc) error {
	return out.Result(doc, func(w io.Writer) error {
		first := true
		for _, item := range doc.Results {
			if item.torrentInfo == nil {
				continue
			}
			if !v.given() && !first {
				fmt.Fprintln(w)
			}
			first = false
			v.writeOne(w, out, item.torrentInfo)
		}
		return nil
	})
}

// writeOne shows a torrent. Errors of w, which is buffered, come to light when it is flushed.
func (v *metainfoView) writeOne(w io.Writer, out *ui.Output, t *torrentInfo) {
	switch {
	case v.files:
		writeFiles(w, t)
	case v.tree:
		writeTree(w, t)
	case v.magnet:
		fmt.Fprintln(w, t.Magnet)
	case v.infohash && t.InfoHash != "":
		fmt.Fprintln(w, t.InfoHash)
	case v.infohash:
		fmt.Fprintln(w, t.InfoHashV2)
	case v.trackers:
		for _, tier := range t.Trackers {
			writeLines(w, out, tier)
		}
	case v.webseeds:
		writeLines(w, out, t.Webseeds)
	case v.field != "":
		writeField(w, out, fieldsOf(t)[v.field])
	default:
		writeSummary(w, t)
	}
}

func writeLines(w io.Writer, out *ui.Output, lines []string) {
	for _, line := range lines {
		fmt.Fprintln(w, out.Name(line))
	}
}

// writeSummary writes a line for each thing that the torrent says.
func writeSummary(w io.Writer, t *torrentInfo) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-12s %s\n", name, ui.Quote(value))
		}
	}
	line("name", t.Name)
	line("infohash", t.InfoHash)
	line("infohash v2", t.InfoHashV2)
	line("size", fmt.Sprintf("%s (%d bytes)", ui.Size(t.Bytes), t.Bytes))
	line("files", fmt.Sprint(len(t.Files)))
	line("pieces", piecesOf(t.Pieces, t.PieceLength))
	if t.Private {
		line("private", "yes")
	}
	for i, tier := range t.Trackers {
		name := "trackers"
		if i > 0 {
			name = " or then"
		}
		line(name, strings.Join(tier, " "))
	}
	line("webseeds", strings.Join(t.Webseeds, " "))
	line("nodes", strings.Join(t.Nodes, " "))
	if t.Created != nil {
		line("created", t.Created.Format(time.RFC3339))
	}
	line("created by", t.CreatedBy)
	line("comment", t.Comment)
	line("source tag", t.SourceTag)
}

// piecesOf says how many pieces there are, and their exact size where it is an odd one.
func piecesOf(n int, size int64) string {
	said := fmt.Sprintf("%d of %s", n, ui.Size(size))
	if size&(size-1) != 0 {
		said += fmt.Sprintf(" (%d bytes)", size)
	}
	return said
}

// writeFiles writes a line for each file: its number, its size for people and in bytes, its path.
func writeFiles(w io.Writer, t *torrentInfo) {
	last, largest := 1, int64(0)
	for _, f := range t.Files {
		last, largest = max(last, f.Index), max(largest, f.Bytes)
	}
	digits, wide := len(fmt.Sprint(last)), len(fmt.Sprint(largest))
	for _, f := range t.Files {
		fmt.Fprintf(w, "%*d  %9s  %*d  %s\n", digits, f.Index, ui.Size(f.Bytes), wide, f.Bytes, ui.Quote(f.Path))
	}
}

// fieldsOf are the fields of the JSON result, decoded again.
func fieldsOf(t *torrentInfo) map[string]any {
	data, err := json.Marshal(t)
	if err != nil {
		panic(err) // plain data
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		panic(err)
	}
	decoded := map[string]any{}
	for name, raw := range fields {
		decoded[name] = fieldValue(raw)
	}
	return decoded
}

// fieldValue is a JSON value as text: strings without quotes, lists as they are, all else as JSON.
func fieldValue(raw json.RawMessage) any {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		var all []any
		for _, one := range list {
			all = append(all, fieldValue(one))
		}
		return all
	}
	return string(raw)
}

// writeField writes a value, a list one value a line.
func writeField(w io.Writer, out *ui.Output, v any) {
	switch v := v.(type) {
	case string:
		fmt.Fprintln(w, out.Name(v))
	case []any:
		for _, one := range v {
			writeField(w, out, one)
		}
	}
}
