package bt

import lib "github.com/anacrolix/torrent/metainfo"

// mendInfo changes what the library believes a torrent to be, where its belief does harm. The info dictionary that
// peers are given stays as it is.
//
// With v2 hashes a piece ends, to the library, with its file, and it hangs up on who asks for more. All others ask for
// more: libtorrent for whole blocks, and clients that know nothing of v2 for the pads of a hybrid, too. So a hybrid is
// a v1 torrent to the library, pads and all. A v2 torrent, whose hashes end with the file, is one of whole
// pieces once nothing of it must be hashed any more; the storage gives zeros behind a file's end.
func mendInfo(info *lib.Info, complete bool) {
	if !info.HasV2() {
		return
	}
	if coversV1(info) {
		info.MetaVersion = 1
		return
	}
	dropEmptyFiles(&info.FileTree)
	if complete {
		wholePieces(&info.FileTree, info.PieceLength)
	}
}

// coversV1 reports whether the v1 files of a hybrid take as many pieces as there are hashes; the library has checked
// that only for the v2 ones.
func coversV1(info *lib.Info) bool {
	var total int64
	for f := range info.UpvertedV1Files() {
		if f.Length < 0 || total+f.Length < total {
			return false
		}
		total += f.Length
	}
	n := int64(len(info.Pieces) / 20)
	return n > 0 && total > (n-1)*info.PieceLength && total <= n*info.PieceLength
}

// dropEmptyFiles takes the empty files out of a v2 file tree: the library counts them as second files of the piece
// before them, and panics at a v2 piece with two files. They have no bytes, so that nothing else changes.
func dropEmptyFiles(t *lib.FileTree) {
	for name, sub := range t.Dir {
		if name == lib.FileTreePropertiesKey {
			continue
		}
		dropEmptyFiles(&sub)
		if !sub.IsDir() && sub.File.Length == 0 {
			delete(t.Dir, name)
			continue
		}
		t.Dir[name] = sub
	}
}

// wholePieces makes each file of a v2 file tree end where a piece does.
func wholePieces(t *lib.FileTree, pieceLength int64) {
	if !t.IsDir() {
		t.File.Length = (t.File.Length + pieceLength - 1) / pieceLength * pieceLength
		return
	}
	for name, sub := range t.Dir {
		if name != lib.FileTreePropertiesKey {
			wholePieces(&sub, pieceLength)
			t.Dir[name] = sub
		}
	}
}
