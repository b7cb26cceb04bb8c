package bt

import "shoal/bt/bencode"

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

// appendFiles appends the list of files of BEP 3, with the pads of BEP 47 where files begin at pieces.
func appendFiles(b []byte, h *pieceHasher) []byte {
	b = append(b, 'l')
	for i, f := range h.tree.files {
		b = append(b, 'd')
		if f.executable {
			b = appendText(b, "attr", "x")
		}
		b = bencode.AppendInt(bencode.AppendString(b, "length"), f.size)
		b = appendTexts(bencode.AppendString(b, "path"), f.parts)
		b = append(b, 'e')
		next := h.space
		if i+1 < len(h.offsets) {
			next = h.offsets[i+1]
		}
		if pad := next - h.offsets[i] - f.size; pad > 0 {
			b = appendPad(b, pad)
		}
	}
	return append(b, 'e')
}

func appendPad(b []byte, n int64) []byte {
	b = append(b, 'd')
	b = appendText(b, "attr", "p")
	b = bencode.AppendInt(bencode.AppendString(b, "length"), n)
	digits := bencode.AppendInt(nil, n)
	b = appendTexts(bencode.AppendString(b, "path"), []string{".pad", string(digits[1 : len(digits)-1])})
	return append(b, 'e')
}

// appendFileTree appends the file tree of BEP 52. Files are sorted by their parts, so that each folder is one run.
func appendFileTree(b []byte, h *pieceHasher, name string) []byte {
	b = append(b, 'd')
	if !h.tree.dir {
		b = bencode.AppendString(b, name)
		return append(appendLeaf(b, h, 0), 'e')
	}
	var open []string
	for i, f := range h.tree.files {
		dirs := f.parts[:len(f.parts)-1]
		same := 0
		for same < min(len(open), len(dirs)) && open[same] == dirs[same] {
			same++
		}
		for range open[same:] {
			b = append(b, 'e')
		}
		for _, dir := range dirs[same:] {
			b = append(bencode.AppendString(b, dir), 'd')
		}
		open = dirs
		b = appendLeaf(bencode.AppendString(b, f.parts[len(dirs)]), h, i)
	}
	for range open {
		b = append(b, 'e')
	}
	return append(b, 'e')
}

func appendLeaf(b []byte, h *pieceHasher, i int) []byte {
	f := &h.tree.files[i]
	b = append(b, "d0:d"...)
	if f.executable {
		b = appendText(b, "attr", "x")
	}
	b = bencode.AppendInt(bencode.AppendString(b, "length"), f.size)
	if f.size > 0 {
		root := h.root(i)
		b = bencode.AppendString(bencode.AppendString(b, "pieces root"), root[:])
	}
	return append(b, "ee"...)
}
