package bttest

import (
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"shoal/bt/bttest/internal/wire"
)

// A Content is a torrent and its data, from which peers and webseeds of ours serve.
type Content struct {
	torrent *wire.Torrent
	dir     string
	files   map[string]*os.File
}

// A Block is a part of a piece, as requests name it.
type Block = wire.Block

// LoadContent opens a .torrent and its data, which is in dir under the torrent's name.
func LoadContent(t T, torrentFile, dir string) *Content {
	t.Helper()
	m, err := wire.LoadTorrent(torrentFile)
	if err != nil {
		t.Fatalf("loading content: %v", err)
	}
	c := &Content{torrent: m, dir: dir, files: map[string]*os.File{}}
	for _, f := range m.Files {
		if f.Pad {
			continue
		}
		file, err := os.Open(filepath.Join(dir, f.Path))
		if err != nil {
			t.Fatalf("loading content: %v", err)
		}
		t.Cleanup(func() { file.Close() })
		c.files[f.Path] = file
	}
	return c
}

// MakeContent is a v1 torrent of one file of n random bytes with pieces of 32 KiB, and the path of its .torrent.
func MakeContent(t T, name string, n int) (c *Content, torrentFile string) {
	t.Helper()
	const pieceLength = 32 << 10
	dir := t.TempDir()
	RandomFile(t, dir, name, n)
	torrentFile = filepath.Join(t.TempDir(), name+".torrent")
	writeFile(t, torrentFile, simpleTorrent(name, RandomBytes(uint64(n), n), pieceLength))
	return LoadContent(t, torrentFile, dir), torrentFile
}

// InfoHash is the one that handshakes carry.
func (c *Content) InfoHash() [20]byte { return c.torrent.InfoHash }

// Magnet is the magnet of a v1 or hybrid torrent, without trackers.
func (c *Content) Magnet() string { return fmt.Sprintf("magnet:?xt=urn:btih:%x", c.torrent.InfoHash) }

// Length is the length of the piece space in bytes.
func (c *Content) Length() int64 { return c.torrent.Length }

// Path is where the data is.
func (c *Content) Path() string { return filepath.Join(c.dir, c.torrent.Name) }

// block reads a block of the piece space; what no file covers is zeros.
func (c *Content) block(b Block) ([]byte, error) {
	out := make([]byte, b.Length)
	start := c.torrent.Offset(b)
	end := start + int64(len(out))
	for _, f := range c.torrent.Files {
		from, to := max(start, f.Offset), min(end, f.Offset+f.Length)
		if from >= to || f.Pad {
			continue
		}
		if _, err := c.files[f.Path].ReadAt(out[from-start:to-start], from-f.Offset); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// blocks are all that a leech must ask for.
func (c *Content) blocks() []Block {
	var all []Block
	for p := range c.torrent.NumPieces() {
		n := c.torrent.PieceLen(p)
		for begin := int64(0); begin < n; begin += wire.BlockSize {
			all = append(all, Block{Piece: uint32(p), Begin: uint32(begin), Length: uint32(min(wire.BlockSize, n-begin))})
		}
	}
	return all
}

// simpleTorrent is the .torrent of one file.
func simpleTorrent(name string, data []byte, pieceLength int) []byte {
	var pieces []byte
	for chunk := range slices.Chunk(data, pieceLength) {
		sum := sha1.Sum(chunk)
		pieces = append(pieces, sum[:]...)
	}
	return wire.Bencode(wire.Dict{"info": wire.Dict{
		"length": len(data), "name": name, "piece length": pieceLength, "pieces": pieces,
	}})
}

// Bencode is the bencoding of a string.
func Bencode(s string) []byte { return wire.Bencode(s) }
