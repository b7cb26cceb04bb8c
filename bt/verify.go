package bt

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// VerifyOptions say where the data of a torrent is. The zero value looks in the current folder.
type VerifyOptions struct {
	Dir string // the folder that holds the torrent's file or folder; "" = "."

	// Paths is where each of the torrent's files is, instead of below Dir; "" = nowhere. nil = below Dir.
	Paths []string

	// Progress is called about twice a second, and once at the end with the final state. State is "checking".
	Progress func(Progress)
}

// A FileState is what became of a file.
type FileState string

// The states of a file. Where several hold, it is the first of them.
const (
	FileOK         FileState = "ok"         // each byte is the torrent's
	FileMissing    FileState = "missing"    // no file is there
	FileUnreadable FileState = "unreadable" // the disk, or its owner, does not give it
	FileWrongSize  FileState = "wrong-size" // shorter or longer than it should be
	FileDamaged    FileState = "damaged"    // pieces of it do not match their hashes
	FileUnverified FileState = "unverified" // nothing wrong was found, but a piece of it needs a file that is not there
)

// A PieceRange is the pieces from the first to the last, both included, counted from 0.
type PieceRange [2]int

// A VerifyResult says what of a torrent is there.
type VerifyResult struct {
	Name       string         `json:"name"`
	InfoHash   string         `json:"infohash,omitempty"`
	InfoHashV2 string         `json:"infohash_v2,omitempty"`
	Dir        string         `json:"dir"` // absolute
	Bytes      int64          `json:"bytes"`
	GoodBytes  int64          `json:"good_bytes"`
	Pieces     int            `json:"pieces"`
	GoodPieces int            `json:"good_pieces"`
	Files      []VerifiedFile `json:"files"`
}

// A VerifiedFile says what of a file is there. A piece may hold bytes of several files; when such a one is damaged it
// counts for each of them, as nobody can tell whose fault it is. The files of v2 and hybrid torrents share no pieces.
type VerifiedFile struct {
	Path            string       `json:"path"` // below Dir, slash-separated
	State           FileState    `json:"state"`
	Bytes           int64        `json:"bytes"`       // that it should have
	FoundBytes      int64        `json:"found_bytes"` // that it has
	DamagedBytes    int64        `json:"damaged_bytes"`
	DamagedPieces   []PieceRange `json:"damaged_pieces,omitempty"`
	SharedPieces    []PieceRange `json:"shared_pieces,omitempty"` // those of DamagedPieces that hold bytes of other files, too
	UnverifiedBytes int64        `json:"unverified_bytes,omitempty"`
	Message         string       `json:"message,omitempty"` // why it could not be read
	err             error
}

// Err is nil when each file is good. Otherwise it is Damaged, or what the disk said when a file could not be read.
func (r *VerifyResult) Err() error {
	bad, missing := 0, 0
	for i := range r.Files {
		f := &r.Files[i]
		switch f.State {
		case FileOK:
			continue
		case FileUnreadable:
			return f.err
		case FileMissing:
			missing++
		}
		bad++
	}
	switch {
	case bad == 0:
		return nil
	case missing == len(r.Files):
		return errorf(Damaged, "verifying %s: nothing of it is in %s", r.Name, r.Dir).withHint("--dir names the folder that holds it")
	case len(r.Files) == 1:
		return errorf(Damaged, "verifying %s: it is not good", r.Name)
	}
	return errorf(Damaged, "verifying %s: not good: %d of %s", r.Name, bad, count(len(r.Files), "file"))
}

// Verify reads what is in opts.Dir of a torrent, on all processors, and compares it with the hashes: those of v1 when
// there are any. It follows symbolic links, and changes nothing. That data is missing or damaged is no error of Verify,
// see [VerifyResult.Err].
func Verify(ctx context.Context, m *Metainfo, opts VerifyOptions) (*VerifyResult, error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, err
	}
	r := &VerifyResult{Name: m.Name, Dir: dir, Bytes: m.Length, Pieces: m.NumPieces, Files: make([]VerifiedFile, len(m.Files))}
	if m.HasV1() {
		r.InfoHash = m.InfoHash.String()
	}
	if m.HasV2() {
		r.InfoHashV2 = m.InfoHashV2.String()
	}
	v := newVerifier(m)
	for i := range m.Files {
		f := &r.Files[i]
		f.Path, f.Bytes = m.Files[i].Path, m.Files[i].Length
		if m.Dir {
			f.Path = m.Name + "/" + f.Path
		}
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		if opts.Paths != nil {
			name = opts.Paths[i]
		}
		f.survey(name, &v.files[i])
	}
	if err := v.run(ctx, opts.Progress); err != nil {
		return nil, err
	}
	for i := range r.Files {
		v.judge(i, &r.Files[i])
		r.GoodBytes += r.Files[i].Bytes - r.Files[i].DamagedBytes - r.Files[i].UnverifiedBytes
	}
	for _, verdict := range v.verdicts {
		if verdict == pieceGood {
			r.GoodPieces++
		}
	}
	return r, nil
}

// survey looks for the file, and tells the verifier how much of it there is to read.
func (f *VerifiedFile) survey(name string, known *verifiedFile) {
	known.name = name
	info, err := os.Stat(name)
	switch {
	case isNotExist(err), err == nil && !info.Mode().IsRegular():
		f.State = FileMissing
	case err != nil:
		known.fail(err)
	default:
		f.FoundBytes, known.size = info.Size(), info.Size()
	}
}

// judge says what the verdicts on its pieces mean for file i.
func (v *verifier) judge(i int, f *VerifiedFile) {
	known := &v.files[i]
	file := &v.m.Files[i]
	if err := known.failure(); err != nil {
		f.State, f.err, f.Message = FileUnreadable, fmt.Errorf("verifying %s: %w", f.Path, err), err.Error()
	}
	first, end := pieceSpan(file, v.m.PieceLength)
	for p := first; p < end; p++ {
		from := max(file.Offset, int64(p)*v.m.PieceLength)
		to := min(file.Offset+file.Length, int64(p+1)*v.m.PieceLength)
		switch {
		case v.verdicts[p] == pieceGood:
		case v.verdicts[p] == pieceLacking && known.has(to-file.Offset):
			f.UnverifiedBytes += to - from
		default:
			f.DamagedBytes += to - from
			f.DamagedPieces = appendPiece(f.DamagedPieces, p)
			if v.shared(p) {
				f.SharedPieces = appendPiece(f.SharedPieces, p)
			}
		}
	}
	switch {
	case f.State != "":
	case f.FoundBytes != f.Bytes:
		f.State = FileWrongSize
	case f.DamagedBytes > 0:
		f.State = FileDamaged
	case f.UnverifiedBytes > 0:
		f.State = FileUnverified
	default:
		f.State = FileOK
	}
}

// pieceSpan is the pieces that hold bytes of a file: from first up to, but not including, end.
func pieceSpan(f *File, pieceLength int64) (first, end int) {
	if f.Length == 0 {
		return 0, 0
	}
	return int(f.Offset / pieceLength), int((f.Offset+f.Length-1)/pieceLength) + 1
}

func appendPiece(ranges []PieceRange, p int) []PieceRange {
	if n := len(ranges); n > 0 && ranges[n-1][1] == p-1 {
		ranges[n-1][1] = p
		return ranges
	}
	return append(ranges, PieceRange{p, p})
}

// shared reports whether a piece holds bytes of several files.
func (v *verifier) shared(p int) bool {
	first, end := v.m.FilesIn(int64(p)*v.m.PieceLength, v.m.PieceLength)
	n := 0
	for _, f := range v.m.Files[first:end] {
		if f.Length == 0 {
			continue
		}
		if n++; n > 1 {
			return true
		}
	}
	return false
}
