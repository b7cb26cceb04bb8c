package bt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"shoal/bt/bencode"
)

// What is accepted of a stranger's metainfo. Counting the values is not needed: no tree is made of them.
const (
	maxMetainfoSize = 256 << 20 // bytes of a .torrent
	maxInfoSize     = 64 << 20  // bytes of an info dictionary; from peers the library takes 16 MiB
	maxDepth        = 200
	maxFiles        = 1 << 20
	maxPieces       = 1 << 22
	maxPieceLength  = 1 << 30 // bytes
)

var metainfoLimits = bencode.Limits{Depth: maxDepth, Size: maxMetainfoSize, Count: maxMetainfoSize}

// ReadMetainfo reads a metainfo from r up to EOF and checks that it can be used, as [ParseMetainfo] does. More than
// 256 MiB is BadInput; an error of r is wrapped.
func ReadMetainfo(r io.Reader) (*Metainfo, error) {
	b, err := readAllMetainfo(r)
	if err != nil {
		return nil, fmt.Errorf("reading a metainfo file: %w", err)
	}
	return parseMetainfo(b)
}

// readAllMetainfo reads up to EOF, or a byte more than may be accepted. A regular file is read into the room that it
// takes, once.
func readAllMetainfo(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(sizeOf(r), maxMetainfoSize)) + bytes.MinRead)
	_, err := b.ReadFrom(io.LimitReader(r, maxMetainfoSize+1))
	return b.Bytes(), err
}

// ParseMetainfo reads the bytes of a .torrent (BEP 3, 12, 19, 27, 47, 52) and checks that it can be used: that its
// hashes cover its files, that a hybrid says the same twice, that the piece layers fit their roots, and that no file
// leads out of the folder it is downloaded to. It accepts the mistakes that occur in practice and do no harm, such as
// unsorted keys or lists where a string is due. Names are made fit for a file system, see [Metainfo]. b is not kept.
// Every error is of class BadInput.
func ParseMetainfo(b []byte) (*Metainfo, error) { return parseMetainfo(bytes.Clone(b)) }

// MetainfoFromInfo is the Metainfo of an info dictionary alone, as peers send it (BEP 9), checked as by [ParseMetainfo].
// It has no piece layers: see [Metainfo.WithPieceLayers]. info is not kept. Every error is of class BadInput.
func MetainfoFromInfo(info []byte) (*Metainfo, error) {
	if err := bencode.Check(info, metainfoLimits); err != nil {
		return nil, errorf(BadInput, "not an info dictionary: %w", err)
	}
	m, err := parseInfo(bytes.Clone(info), hostPathRules())
	if err != nil {
		return nil, errorf(BadInput, "not an info dictionary: %w", err)
	}
	return m, nil
}

// parseMetainfo is ParseMetainfo, but keeps b.
func parseMetainfo(b []byte) (*Metainfo, error) {
	m, err := parseRoot(b)
	if err == nil {
		return m, nil
	}
	e := errorf(BadInput, "not a metainfo file: %w", err)
	if looksLikeHTML(b) {
		return nil, e.withHint("that is a web page; the link to the .torrent file is probably on it")
	}
	return nil, e
}

func looksLikeHTML(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("<"))
}

// root is what the outermost dictionary says, before it is made sense of.
type root struct {
	info                         []byte
	announce, comment, createdBy string
	tiers                        [][]string
	webseeds, nodes              []string
	created                      int64
	layers                       map[string]string
}

func parseRoot(b []byte) (*Metainfo, error) {
	switch {
	case len(b) == 0:
		return nil, errors.New("it is empty")
	case len(b) > maxMetainfoSize:
		return nil, fmt.Errorf("it is larger than %d MiB", maxMetainfoSize>>20)
	}
	if err := bencode.Check(b, metainfoLimits); err != nil {
		return nil, err
	}
	r, err := readRoot(bencode.NewCursor(b))
	if err != nil {
		return nil, err
	}
	m, err := parseInfo(r.info, hostPathRules())
	if err != nil {
		return nil, err
	}
	if m.Trackers = r.tiers; len(m.Trackers) == 0 && r.announce != "" {
		m.Trackers = [][]string{{r.announce}}
	}
	m.Webseeds, m.Nodes, m.Comment, m.CreatedBy = r.webseeds, r.nodes, r.comment, r.createdBy
	if 0 < r.created && r.created < 253402300800 { // up to the year 9999, which is what RFC 3339 can say
		m.CreationDate = time.Unix(r.created, 0).UTC()
	}
	if m.HasV2() && r.layers != nil {
		return m.WithPieceLayers(r.layers)
	}
	return m, nil
}

// readRoot gathers the keys that are known. Of those that are not needed, what has the wrong type is as good as absent.
func readRoot(c *bencode.Cursor) (r root, err error) {
	if !c.Enter(bencode.Dict) {
		return r, errors.New("it is not a dictionary")
	}
	for c.More() {
		switch key, _ := c.Bytes(); string(key) {
		case "info":
			if r.info != nil {
				return r, errors.New("it has two info dictionaries")
			}
			r.info = c.Skip()
		case "announce":
			r.announce = readText(c)
		case "announce-list":
			r.tiers = readTiers(c)
		case "url-list":
			r.webseeds = readTexts(c)
		case "nodes":
			r.nodes = readNodes(c)
		case "comment", "comment.utf-8":
			if s := readText(c); s != "" && (r.comment == "" || string(key) == "comment.utf-8") {
				r.comment = s
			}
		case "created by":
			r.createdBy = readText(c)
		case "creation date":
			r.created, _ = c.Int64()
		case "piece layers":
			r.layers = readLayers(c)
		default:
			c.Skip()
		}
	}
	if r.info == nil {
		return r, errors.New("it has no info dictionary")
	}
	return r, nil
}

// readText is the string that comes next, escaped where it is not UTF-8.
func readText(c *bencode.Cursor) string {
	b, _ := c.Bytes()
	return escapeInvalid(string(b))
}

// readTexts is a list of strings, or the one string that stands in its place. Empty ones are dropped.
func readTexts(c *bencode.Cursor) (texts []string) {
	add := func() {
		if s := strings.TrimSpace(readText(c)); s != "" {
			texts = append(texts, s)
		}
	}
	if c.Kind() != bencode.List {
		add()
		return texts
	}
	for c.Enter(bencode.List); c.More(); {
		add()
	}
	return texts
}

// readTiers is an announce-list: a list of lists, or what people write instead. A tracker that stands where a tier is
// due is a tier.
func readTiers(c *bencode.Cursor) (tiers [][]string) {
	if c.Kind() != bencode.List {
		if one := readTexts(c); one != nil {
			tiers = [][]string{one}
		}
		return tiers
	}
	for c.Enter(bencode.List); c.More(); {
		if tier := readTexts(c); tier != nil {
			tiers = append(tiers, tier)
		}
	}
	return tiers
}

// readNodes is a list of [host, port].
func readNodes(c *bencode.Cursor) (nodes []string) {
	if !c.Enter(bencode.List) {
		return nil
	}
	for c.More() {
		if !c.Enter(bencode.List) {
			continue
		}
		var host string
		var port int64
		for i := 0; c.More(); i++ {
			switch i {
			case 0:
				host = readText(c)
			case 1:
				port, _ = c.Int64()
			default:
				c.Skip()
			}
		}
		if host != "" && 0 < port && port < 1<<16 {
			nodes = append(nodes, net.JoinHostPort(host, strconv.FormatInt(port, 10)))
		}
	}
	return nodes
}

func readLayers(c *bencode.Cursor) map[string]string {
	layers := map[string]string{}
	if !c.Enter(bencode.Dict) {
		return layers
	}
	for c.More() {
		key, _ := c.Bytes()
		layer, _ := c.Bytes()
		layers[string(key)] = string(layer)
	}
	return layers
}

// WithPieceLayers is m with the piece layers (BEP 52: pieces root → concatenated piece hashes) of its files, which are
// not in the info dictionary. Those of other roots are left out; those that m has are kept. One that does not fit its
// root is BadInput.
func (m *Metainfo) WithPieceLayers(layers map[string]string) (*Metainfo, error) {
	out := *m
	out.PieceLayers = map[string]string{}
	for i := range m.Files {
		f := &m.Files[i]
		key := string(f.Root[:])
		if f.Length <= m.PieceLength || out.PieceLayers[key] != "" {
			continue
		}
		layer := layers[key]
		if layer == "" {
			if layer = m.PieceLayers[key]; layer == "" {
				continue
			}
		}
		pieces := (f.Length-1)/m.PieceLength + 1
		if int64(len(layer)) != pieces*32 {
			return nil, errorf(BadInput, "the piece layer of %q has %d bytes, not %d", f.Path, len(layer), pieces*32)
		}
		if layerRoot(layer, m.PieceLength) != f.Root {
			return nil, errorf(BadInput, "the piece layer of %q does not fit its root", f.Path)
		}
		out.PieceLayers[key] = layer
	}
	return &out, nil
}

// lacksLayers reports whether pieces of m cannot be verified for want of piece layers.
func (m *Metainfo) lacksLayers() bool {
	return !m.HasV1() && slices.ContainsFunc(m.Files, func(f File) bool {
		return f.Length > m.PieceLength && m.PieceLayers[string(f.Root[:])] == ""
	})
}
