package annex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"shoal/annex/protocol"
	"shoal/bt"
)

// Retrieve fetches the content of a key from the first torrent of its URLs that has it.
func (r *torrentRemote) Retrieve(ctx context.Context, j *protocol.Job, key, file string) error {
	set, err := r.settings(j)
	if err != nil {
		return err
	}
	urls, err := j.GetURLs(key, "")
	if err != nil {
		return err
	}
	var failed []error
	for _, url := range urls {
		u, err := ParseTorrentURL(url)
		if err != nil {
			continue
		}
		err = r.torrents.use(ctx, set, u, false, func(reader *bt.Reader) error {
			i, err := u.file(reader.Metainfo())
			if err != nil {
				return err
			}
			g := getter{j: j, reader: reader, m: reader.Metainfo(), index: i, timeout: set.timeout}
			g.f = &g.m.Files[i]
			if n := keySize(key); n >= 0 && n != g.f.Length {
				return fmt.Errorf("file %s of the torrent %s has %d bytes, not %d", g.f.Path, g.m.Name, g.f.Length, n)
			}
			return g.get(ctx, file)
		})
		if err == nil || ctx.Err() != nil {
			return err
		}
		failed = append(failed, err)
	}
	if len(failed) == 0 {
		return errors.New("no URL of a torrent is known for this content")
	}
	return errors.Join(failed...)
}

// A getter fetches one file of a torrent to where git-annex wants it. It only ever appends bytes that are verified, in
// order: git-annex hashes the file as it grows.
type getter struct {
	j       *protocol.Job
	reader  *bt.Reader
	m       *bt.Metainfo
	index   int
	f       *bt.File
	timeout time.Duration
	last    bt.Progress
	told    int64 // the most that was told
}

// get fetches the file to path, of which the beginning may be there.
func (g *getter) get(ctx context.Context, path string) error {
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer func() { out.Close() }()
	good, head, err := g.kept(ctx, out)
	if err != nil {
		return err
	}
	if head > 0 {
		same, err := g.compare(ctx, out, head)
		if err != nil {
			return err
		}
		if !same {
			good = -1
		}
	}
	if good < 0 {
		// What git-annex may have hashed already is wrong: it shall see another file.
		out.Close()
		if err := os.Remove(path); err != nil {
			return err
		}
		if out, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
			return err
		}
		good = 0
	}
	if info, err := out.Stat(); err != nil {
		return err
	} else if info.Size() > good {
		if err := out.Truncate(good); err != nil {
			return err
		}
	}
	if _, err := out.Seek(good, io.SeekStart); err != nil {
		return err
	}
	if err := g.copy(ctx, out, good, 0); err != nil {
		return err
	}
	_ = g.j.Progress(g.f.Length) // when nobody hears it, the answer is not heard either
	return out.Close()
}

// kept says how many bytes at the beginning of out are good; negative when there are wrong ones. The first head bytes
// are in a piece that begins before the file, so that they can only be compared.
func (g *getter) kept(ctx context.Context, out *os.File) (good, head int64, err error) {
	info, err := out.Stat()
	if err != nil {
		return 0, 0, err
	}
	size, pl := min(info.Size(), g.f.Length), g.m.PieceLength
	first := int((g.f.Offset + pl - 1) / pl) // piece that begins in the file
	head = min(int64(first)*pl-g.f.Offset, size)
	good = head
	buf := make([]byte, min(pl, max(0, size-head)))
	for p := first; good < size && ctx.Err() == nil; p++ {
		n := min(pl, g.f.Length-good)
		if good+n > size {
			break // the rest of the piece is missing
		}
		if _, err := out.ReadAt(buf[:n], good); err != nil {
			return 0, 0, err
		}
		if !g.m.VerifyPiece(p, buf[:n]) {
			if g.f.Length == good+n && g.m.PieceSize(p) != n {
				break // the piece goes on in the next file: it cannot be judged
			}
			return -1, 0, nil
		}
		good += n
	}
	return good, head, context.Cause(ctx)
}

// compare reports whether the first n bytes of out are those of the torrent.
func (g *getter) compare(ctx context.Context, out *os.File, n int64) (same bool, err error) {
	var want bytes.Buffer
	if err := g.copy(ctx, &want, 0, n); err != nil {
		return false, err
	}
	got := make([]byte, n)
	if _, err := out.ReadAt(got, 0); err != nil {
		return false, err
	}
	return bytes.Equal(got, want.Bytes()), nil
}

// copy writes bytes of the file to w.
func (g *getter) copy(ctx context.Context, w io.Writer, from, to int64) error {
	err := g.reader.Copy(ctx, g.index, w, bt.CopyOptions{From: from, To: to, StallTimeout: g.timeout, Progress: func(p bt.Progress) {
		g.last = p
		if p.Done > g.told {
			g.told = p.Done
			_ = g.j.Progress(p.Done) // the conversation's end ends ctx
		}
	}})
	if err != nil && ctx.Err() == nil {
		return tried(fmt.Errorf("fetching %s of the torrent %s: %w", g.f.Path, g.m.Name, err), g.last)
	}
	return err
}
