package bt

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// The hashes of a tree, the plain way.
func slowRoot(data []byte, leaves int) [32]byte {
	level := make([][32]byte, leaves)
	for i := range level {
		if from := i * blockSize; from < len(data) {
			level[i] = sha256.Sum256(data[from:min(len(data), from+blockSize)])
		}
	}
	for len(level) > 1 {
		for i := range len(level) / 2 {
			level[i] = sha256.Sum256(append(level[2*i][:], level[2*i+1][:]...))
		}
		level = level[:len(level)/2]
	}
	return level[0]
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func TestMerkle(t *testing.T) {
	for _, size := range []int{1, blockSize, blockSize + 1, 3 * blockSize, 5*blockSize - 7, 8 * blockSize, 13 * blockSize} {
		data := randomBytes(size)
		blocks := (size + blockSize - 1) / blockSize
		for levels := levelsFor(int64(blocks)); levels < 6; levels++ {
			var m merkle
			m.addBlocks(data)
			if m.root(levels, [32]byte{}) != slowRoot(data, 1<<levels) {
				t.Errorf("wrong root of %d bytes, %d levels", size, levels)
			}
		}
		const pieceLength = 2 * blockSize
		var layer []byte
		for at := 0; at < size; at += pieceLength {
			h := slowRoot(data[at:min(size, at+pieceLength)], 2)
			layer = append(layer, h[:]...)
		}
		if size > pieceLength && layerRoot(string(layer), pieceLength) != slowRoot(data, 1<<levelsFor(int64(blocks))) {
			t.Errorf("wrong root from the layer of %d bytes", size)
		}
	}
}

// made is a torrent of three files over pieces of 32 KiB, in three formats, and its data by file.
func made(t *testing.T, format string) (*Metainfo, [][]byte) {
	const pieceLength = 32 << 10
	data := [][]byte{randomBytes(100000), nil, randomBytes(pieceLength), randomBytes(777)}
	names := []string{"big", "empty", "exact", "small"}
	tree, files, layers := dict{}, list{}, dict{}
	var space, pieces []byte
	for i, d := range data {
		props := dict{"length": len(d)}
		if len(d) > 0 {
			root := slowRoot(d, 1<<levelsFor(int64(len(d)+blockSize-1)/blockSize))
			props["pieces root"] = string(root[:])
		}
		tree[names[i]] = dict{"": props}
		layer := ""
		for at := 0; at < len(d); at += pieceLength {
			h := slowRoot(d[at:min(len(d), at+pieceLength)], 2)
			layer += string(h[:])
		}
		if len(d) > pieceLength {
			layers[props["pieces root"].(string)] = layer
		}
		if pad := -len(space) & (pieceLength - 1); format != "v1" && len(d) > 0 && pad > 0 {
			files = append(files, dict{"length": pad, "path": list{".pad", fmt.Sprint(pad)}, "attr": "p"})
			space = append(space, make([]byte, pad)...)
		}
		files = append(files, dict{"length": len(d), "path": list{names[i]}})
		space = append(space, d...)
	}
	for at := 0; at < len(space); at += pieceLength {
		h := sha1.Sum(space[at:min(len(space), at+pieceLength)])
		pieces = append(pieces, h[:]...)
	}
	info := dict{"name": "made", "piece length": pieceLength}
	if format != "v2" {
		info = info.with("pieces", string(pieces), "files", files)
	}
	root := dict{}
	if format != "v1" {
		info = info.with("meta version", 2, "file tree", tree)
		root["piece layers"] = layers
	}
	m, err := ParseMetainfo(benc(root.with("info", info)))
	if err != nil {
		t.Fatal(err)
	}
	return m, data
}

// pieceSpace is the data at the offsets of the files.
func pieceSpace(m *Metainfo, data [][]byte) []byte {
	space := make([]byte, int64(m.NumPieces)*m.PieceLength)
	for i, f := range m.Files {
		copy(space[f.Offset:], data[i])
	}
	return space
}

func TestVerifyPiece(t *testing.T) {
	for _, format := range []string{"v1", "v2", "v1v2"} {
		t.Run(format, func(t *testing.T) {
			m, data := made(t, format)
			if versions(m) != format {
				t.Fatal(versions(m))
			}
			space := pieceSpace(m, data)
			for i := range m.NumPieces {
				size, end := m.PieceSize(i), m.dataEnd(i)
				piece := space[int64(i)*m.PieceLength:][:size]
				if !m.VerifyPiece(i, piece) || !m.VerifyPiece(i, piece[:end]) {
					t.Errorf("piece %d of %d bytes is refused", i, size)
				}
				for _, at := range []int64{0, end / 2, end - 1} {
					bad := bytes.Clone(piece)
					bad[at] ^= 1
					if m.VerifyPiece(i, bad) {
						t.Errorf("piece %d is accepted with byte %d changed", i, at)
					}
				}
				if m.VerifyPiece(i, piece[:end-1]) || m.VerifyPiece(i, nil) || m.VerifyPiece(i, append(bytes.Clone(piece), 0)) {
					t.Errorf("piece %d is accepted with another length", i)
				}
				if testing.Short() {
					continue // the race detector makes pools forget
				}
				if allocs := testing.AllocsPerRun(20, func() { m.VerifyPiece(i, piece[:end]) }); allocs > 0 {
					t.Errorf("piece %d: %v allocations", i, allocs)
				}
			}
			if m.VerifyPiece(-1, nil) || m.VerifyPiece(m.NumPieces, nil) || m.PieceSize(m.NumPieces) != 0 {
				t.Error("a piece that is none is accepted")
			}
		})
	}
}

func TestPieceLayers(t *testing.T) {
	whole, data := made(t, "v2")
	bare, err := MetainfoFromInfo(whole.InfoBytes)
	if err != nil {
		t.Fatal(err)
	}
	space := pieceSpace(bare, data)
	piece := space[:bare.PieceLength]
	if bare.VerifyPiece(0, piece) {
		t.Error("a piece without a known hash is accepted")
	}
	if last := bare.NumPieces - 1; !bare.VerifyPiece(last, data[3]) {
		t.Error("a file of one piece needs no layer")
	}
	full, err := bare.WithPieceLayers(whole.PieceLayers)
	if err != nil || !full.VerifyPiece(0, piece) || !reflect.DeepEqual(full.PieceLayers, whole.PieceLayers) {
		t.Errorf("the layers are not taken: %v", err)
	}
	if len(bare.PieceLayers) != 0 {
		t.Error("the original was changed")
	}
	for root, layer := range whole.PieceLayers {
		for _, wrong := range []string{layer[:32], layer + layer, strings.Repeat("x", len(layer))} {
			if _, err := bare.WithPieceLayers(map[string]string{root: wrong}); CodeOf(err) != BadInput {
				t.Errorf("a wrong layer is accepted: %v", err)
			}
		}
	}
}

func TestFilesIn(t *testing.T) {
	m, _ := made(t, "v1") // big 0+100000, empty 100000+0, exact 100000+32768, small 132768+777
	for _, tt := range []struct{ off, n, first, end int }{
		{0, 1, 0, 1}, {99999, 1, 0, 1}, {99999, 2, 0, 3}, {100000, 1, 2, 3}, {0, 1 << 30, 0, 4}, {133544, 1, 3, 4}, {133545, 9, 4, 4},
	} {
		if first, end := m.FilesIn(int64(tt.off), int64(tt.n)); first != tt.first || end != tt.end {
			t.Errorf("FilesIn(%d, %d) = %d, %d", tt.off, tt.n, first, end)
		}
	}
}

func BenchmarkVerifyPiece(b *testing.B) {
	piece := randomBytes(1 << 20)
	sum := sha1.Sum(piece)
	m, err := MetainfoFromInfo(benc(single.with("length", 1<<20, "piece length", 1<<20, "pieces", string(sum[:]))))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1 << 20)
	for b.Loop() {
		m.VerifyPiece(0, piece)
	}
}
