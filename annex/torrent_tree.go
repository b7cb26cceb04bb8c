package annex

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"shoal/annex/backend"
	"shoal/annex/protocol"
	"shoal/bt"
)

// With importtree=yes torrent=URL the tree of a torrent becomes one of git, with its exact names.

const configTorrent = "torrent"

// maxHashed is how many files of a v1 torrent that were fetched to be hashed wait for git-annex to ask for them.
const maxHashed = 8

// hashed are files that were fetched to make keys of them, and that git-annex will ask for next.
type hashed struct {
	mu    sync.Mutex
	files []hashedFile // guarded by mu; the oldest first
}

type hashedFile struct{ name, path string }

// put keeps a file, and drops the oldest of too many.
func (h *hashed) put(name, path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.files = append(h.files, hashedFile{name, path})
	if len(h.files) > maxHashed {
		_ = os.Remove(h.files[0].path)
		h.files = h.files[1:]
	}
}

// take moves the file that is kept for a name to where it is wanted, if there is one.
func (h *hashed) take(name, to string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.files, func(f hashedFile) bool { return f.name == name })
	if i < 0 {
		return false
	}
	path := h.files[i].path
	h.files = slices.Delete(h.files, i, i+1)
	if os.Rename(path, to) != nil {
		_ = os.Remove(path)
		return false
	}
	return true
}

func (h *hashed) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.files {
		_ = os.Remove(f.path)
	}
	h.files = nil
}

// source is the torrent whose tree is meant.
func (r *torrentRemote) source(j *protocol.Job) (*TorrentURL, error) {
	s, err := j.GetConfig(configTorrent)
	if err != nil {
		return nil, err
	}
	if s == "" {
		return nil, errors.New("importtree=yes wants torrent=URL, the torrent whose tree it is, or share=NAME")
	}
	u, err := ParseTorrentURL(s)
	if err != nil {
		return nil, fmt.Errorf("torrent=%s: %w", s, err)
	}
	if u.File > 0 {
		return nil, fmt.Errorf("torrent=%s: leave #%d out, the tree has all files", s, u.File)
	}
	return u, nil
}

// checkTree checks the settings that are about a tree.
func (r *torrentRemote) checkTree(j *protocol.Job) error {
	imports, err := j.GetConfig("importtree")
	if err != nil {
		return err
	}
	if imports == "yes" || imports == "true" {
		_, err := r.source(j)
		return err
	}
	if s, err := j.GetConfig(configTorrent); err != nil || s == "" {
		return err
	}
	return errors.New("torrent= is for importtree=yes; without it \"git annex addurl\" takes torrents")
}

// within calls f with the torrent whose tree is meant. fresh means that one at a URL is looked at anew.
func (r *torrentRemote) within(ctx context.Context, j *protocol.Job, fresh bool, f func(*bt.Reader, *settings) error) error {
	set, err := r.settings(j)
	if err != nil {
		return err
	}
	u, err := r.source(j)
	if err != nil {
		return err
	}
	return r.torrents.use(ctx, set, u, fresh, func(reader *bt.Reader) error { return f(reader, set) })
}

func (r *torrentRemote) ImportSupported(context.Context, *protocol.Job) (protocol.Import, error) {
	return protocol.ImportYes, nil
}

// ListImport is the files of the torrent.
func (r *torrentRemote) ListImport(ctx context.Context, j *protocol.Job) (list []protocol.Importable, err error) {
	err = r.within(ctx, j, true, func(reader *bt.Reader, _ *settings) error {
		m := reader.Metainfo()
		for i := range m.Files {
			list = append(list, protocol.Importable{Name: m.Files[i].Path, Size: m.Files[i].Length, ID: fileID(m, i)})
		}
		return nil
	})
	return list, err
}

// fileID is the id of a file: its own hash, else that of the torrent and its place there.
func fileID(m *bt.Metainfo, i int) string {
	f := &m.Files[i]
	if f.Root != [32]byte{} {
		return hex.EncodeToString(f.Root[:])
	}
	return fmt.Sprintf("%s/%d", m.Short(), f.Number)
}

// getter is who fetches the file of a name.
func (r *torrentRemote) getter(j *protocol.Job, reader *bt.Reader, set *settings, name string) (*getter, error) {
	m := reader.Metainfo()
	for i := range m.Files {
		if f := &m.Files[i]; f.Path == name {
			return &getter{j: j, reader: reader, m: m, index: i, f: f, timeout: set.timeout}, nil
		}
	}
	return nil, fmt.Errorf("the torrent %s has no file %q any more", m.Name, name)
}

func (r *torrentRemote) RetrieveImport(ctx context.Context, j *protocol.Job, name, file string) error {
	if r.hashed.take(name, file) {
		return nil
	}
	return r.within(ctx, j, false, func(reader *bt.Reader, set *settings) error {
		g, err := r.getter(j, reader, set, name)
		if err != nil {
			return err
		}
		return g.get(ctx, file)
	})
}

// PresentImport never knows, as Present.
func (r *torrentRemote) PresentImport(ctx context.Context, j *protocol.Job, key, _ string) (bool, error) {
	return r.Present(ctx, j, key)
}

// ImportKey is the key of a file. What v2 says of it is enough; of v1, which has no hash of a file, it must be fetched.
func (r *torrentRemote) ImportKey(ctx context.Context, j *protocol.Job, name string, size int64, _ string) (key string, err error) {
	err = r.within(ctx, j, false, func(reader *bt.Reader, set *settings) error {
		g, err := r.getter(j, reader, set, name)
		switch {
		case err != nil:
		case g.f.Length != size:
			err = fmt.Errorf("file %s of the torrent %s has %d bytes now, and not %d", name, g.m.Name, g.f.Length, size)
		case size == 0:
			key = sha256Key(0, sha256.Sum256(nil))
		case g.f.Root != [32]byte{}:
			key = backend.XBTV2.Key(size, g.f.Root)
		default:
			key, err = r.hash(ctx, g, set.memory)
		}
		return err
	})
	return key, err
}

func sha256Key(size int64, hash [32]byte) string { return fmt.Sprintf("SHA256-s%d--%x", size, hash) }

// hash fetches a file and makes a key of its content, which is kept for a moment.
func (r *torrentRemote) hash(ctx context.Context, g *getter, dir string) (_ string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	out, err := os.CreateTemp(dir, "import-")
	if err != nil {
		return "", err
	}
	path := filepath.Clean(out.Name())
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			_ = os.Remove(path)
			return
		}
		r.hashed.put(g.f.Path, path)
	}()
	h := sha256.New()
	if err := g.copy(ctx, io.MultiWriter(out, h), 0, 0); err != nil {
		return "", err
	}
	return sha256Key(g.f.Length, [32]byte(h.Sum(nil))), nil
}
