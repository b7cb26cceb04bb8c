package bt

import (
	"io"
	"maps"
	"net"
	"slices"
	"strconv"

	"shoal/bt/bencode"
)

// WriteTo writes the metainfo as a .torrent file, see [Metainfo.Bytes].
func (m *Metainfo) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(m.Bytes())
	return int64(n), err
}

// Bytes is a .torrent file: InfoBytes as they are, and around them the other fields with sorted keys. What they do not
// hold is left out.
func (m *Metainfo) Bytes() []byte {
	b := []byte{'d'}
	if len(m.Trackers) > 0 && len(m.Trackers[0]) > 0 {
		b = bencode.AppendString(b, "announce")
		b = bencode.AppendString(b, m.Trackers[0][0])
		if len(m.Trackers) > 1 || len(m.Trackers[0]) > 1 {
			b = bencode.AppendString(b, "announce-list")
			b = append(b, 'l')
			for _, tier := range m.Trackers {
				b = appendTexts(b, tier)
			}
			b = append(b, 'e')
		}
	}
	b = appendText(b, "comment", m.Comment)
	b = appendText(b, "created by", m.CreatedBy)
	if !m.CreationDate.IsZero() {
		b = bencode.AppendString(b, "creation date")
		b = bencode.AppendInt(b, m.CreationDate.Unix())
	}
	b = bencode.AppendString(b, "info")
	b = append(b, m.InfoBytes...)
	b = appendNodes(b, m.Nodes)
	if m.HasV2() {
		b = bencode.AppendString(b, "piece layers")
		b = append(b, 'd')
		for _, root := range slices.Sorted(maps.Keys(m.PieceLayers)) {
			b = appendText(b, root, m.PieceLayers[root])
		}
		b = append(b, 'e')
	}
	if len(m.Webseeds) > 0 {
		b = bencode.AppendString(b, "url-list")
		b = appendTexts(b, m.Webseeds)
	}
	return append(b, 'e')
}

// appendText appends a key and a string, unless that is empty.
func appendText(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return bencode.AppendString(bencode.AppendString(b, key), s)
}

func appendTexts(b []byte, texts []string) []byte {
	b = append(b, 'l')
	for _, s := range texts {
		b = bencode.AppendString(b, s)
	}
	return append(b, 'e')
}

func appendNodes(b []byte, nodes []string) []byte {
	if len(nodes) == 0 {
		return b
	}
	b = bencode.AppendString(b, "nodes")
	b = append(b, 'l')
	for _, node := range nodes {
		host, port, err := net.SplitHostPort(node)
		n, perr := strconv.ParseUint(port, 10, 16)
		if err != nil || perr != nil {
			continue
		}
		b = append(b, 'l')
		b = bencode.AppendString(b, host)
		b = bencode.AppendInt(b, int64(n))
		b = append(b, 'e')
	}
	return append(b, 'e')
}
