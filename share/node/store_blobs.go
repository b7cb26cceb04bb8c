package node

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"time"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/wire"
)

// Bounds of what is made durable together.
const (
	storeBatch = 1000
	storeWait  = time.Second
	fewSyncs   = 8 // up to so many files are synced one by one
)

// pendingBlob is one that came and is not durable yet; bytes nil = it is in a file.
type pendingBlob struct {
	id    blob.ID
	bytes []byte
	size  int64
}

// read is a blob that is kept in a file. One that is not what it was is dropped, and asked for again.
func (s *store) read(id blob.ID) ([]byte, error) {
	b, err := s.readFile(id)
	if err != nil && lostFor(err) && s != nil {
		s.lost(id, err)
		return nil, wire.ErrNotHere
	}
	return b, err
}

func (s *store) readFile(id blob.ID) ([]byte, error) {
	fsys, err := s.folder()
	if err != nil {
		return nil, wire.ErrNotHere
	}
	f, err := fsys.Open(s.path(id))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, blob.MaxBlob+1))
	if err == nil {
		err = blob.Verify(id, b)
	}
	return b, err
}

// lostFor reports whether an error says that what was stored is gone or damaged, and not that the machine is short of
// something.
func lostFor(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, blob.ErrID) || errors.Is(err, blob.ErrInvalid) || errors.Is(err, errDamaged) || disk.IsDamage(err)
}

var errDamaged = errors.New("it is not what was stored")

// lost drops a blob that is damaged, and asks for it again.
func (s *store) lost(id blob.ID, why error) {
	e := s.e
	s.files.Lock()
	defer s.files.Unlock()
	fsys, err := s.folder()
	if err != nil || disk.CheckMark(fsys, e.idText()) != nil {
		return // the whole folder is gone: that is another matter
	}
	known := false
	err = e.node.db.Update(e.ctx, func(t *db.Tx) (err error) {
		if known, err = t.HasBlob(e.n, id); !known || err != nil {
			return err // it was swept, or is lost already
		}
		if err := t.DropBlob(e.n, id); err != nil {
			return err
		}
		return t.SetProblem(e.n, s.path(id), "store", "damaged: "+why.Error(), e.node.now())
	})
	if err != nil || !known {
		return
	}
	e.log.Error("a stored blob is damaged: it is fetched again", "id", id, "why", why)
	_ = fsys.Remove(s.path(id))
	s.mu.Lock()
	s.bad[id] = true
	s.mu.Unlock()
	s.wantBlob(id)
	e.poke()
}

// wasBad reports whether a blob is one that was damaged.
func (s *store) wasBad(id blob.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bad[id]
}

// take takes in a blob that was asked for. An error ends nothing: it is asked for again when there is room.
func (s *store) take(id blob.ID, b []byte) error {
	err := s.put(id, b)
	s.mu.Lock()
	if s.wanted[id] {
		s.out--
		delete(s.wanted, id)
	}
	s.mu.Unlock()
	if err != nil {
		s.refused(err)
		s.wantBlob(id)
		return nil
	}
	if id.Kind() != blob.Data && id.Kind() != blob.Info {
		if h, err := blob.Parse(b); err == nil {
			s.wantRefs(h.Refs)
		}
	}
	if s.ripe() {
		if err := s.flush(s.e.ctx); err != nil {
			s.refused(err)
		}
	}
	s.feed()
	return nil
}

// put writes a blob whose bytes were verified; flush makes it durable, and known.
func (s *store) put(id blob.ID, b []byte) error {
	s.files.Lock()
	defer s.files.Unlock()
	p := pendingBlob{id: id, bytes: b, size: int64(len(b))}
	if err := s.room(p.size); err != nil {
		return err
	}
	if id.Kind() == blob.Data {
		if err := s.writeFile(id, b); err != nil {
			return err
		}
		p.bytes = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 {
		s.since = s.e.node.now()
	}
	if !s.held[id] {
		s.pending, s.held[id] = append(s.pending, p), true
		s.used += p.size
	}
	return nil
}

// writeFile writes the file of a blob. One that is there has no row: it is not known to be whole.
func (s *store) writeFile(id blob.ID, b []byte) error {
	fsys, err := s.folder()
	if err != nil {
		return err
	}
	p := s.path(id)
	f, err := fsys.Create(p)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(fsys, path.Dir(p)); err != nil {
			return err
		}
		f, err = fsys.Create(p)
	}
	if errors.Is(err, fs.ErrExist) {
		if err := fsys.Remove(p); err != nil {
			return err
		}
		f, err = fsys.Create(p)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = fsys.Remove(p)
	}
	return err
}

func (s *store) ripe() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) >= storeBatch || len(s.pending) > 0 && s.e.node.now().Sub(s.since).Abs() >= storeWait
}

// flush makes what came durable, and then known. When that fails it stays to be tried again.
func (s *store) flush(ctx context.Context) error {
	s.files.Lock()
	defer s.files.Unlock()
	s.mu.Lock()
	all := s.pending
	s.mu.Unlock()
	if len(all) == 0 {
		return nil
	}
	if err := s.sync(all); err != nil {
		s.giveUp(all) // the next sync would say that all is well
		return err
	}
	e := s.e
	err := e.node.db.Update(ctx, func(t *db.Tx) error {
		for i := range all {
			if err := t.PutBlob(e.n, all[i].id, all[i].bytes, all[i].size); err != nil {
				return err
			}
			if s.wasBad(all[i].id) {
				if err := t.SetProblem(e.n, s.path(all[i].id), "store", "", time.Time{}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.pending = s.pending[len(all):]
	for i := range all {
		delete(s.held, all[i].id)
	}
	s.mu.Unlock()
	for i := range all {
		if all[i].id.Kind() == blob.Info {
			s.startLarge(all[i].id)
		}
	}
	return nil
}

// giveUp forgets what could not be made durable, and asks for it again.
func (s *store) giveUp(all []pendingBlob) {
	fsys, err := s.folder()
	s.mu.Lock()
	s.pending = s.pending[len(all):]
	for i := range all {
		delete(s.held, all[i].id)
		s.used -= all[i].size
	}
	s.mu.Unlock()
	for i := range all {
		if err == nil && all[i].bytes == nil {
			_ = fsys.Remove(s.path(all[i].id))
		}
		s.wantBlob(all[i].id)
	}
}

// sync makes files durable: one by one, or all at once.
func (s *store) sync(all []pendingBlob) error {
	fsys, err := s.folder()
	if err != nil {
		return err
	}
	dirs := map[string]bool{}
	var files []string
	for i := range all {
		if all[i].bytes == nil {
			files, dirs[blobDir(all[i].id)] = append(files, s.path(all[i].id)), true
		}
	}
	if len(files) > fewSyncs {
		if err := fsys.SyncAll("."); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for _, p := range files {
		if err := syncFile(fsys, p); err != nil {
			return err
		}
	}
	for dir := range dirs {
		if err := fsys.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func syncFile(fsys disk.FS, p string) error {
	f, err := fsys.Open(p)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// keep replaces a blob by its right bytes, durably.
func (s *store) keep(id blob.ID, b []byte) error {
	if err := s.e.node.db.Update(s.e.ctx, func(t *db.Tx) error { return t.DropBlob(s.e.n, id) }); err != nil {
		return err
	}
	if err := s.put(id, b); err != nil {
		return err
	}
	return s.flush(s.e.ctx)
}

// unlink removes files of blobs whose rows are gone, unless they have come again.
func (s *store) unlink(ids []blob.ID) error {
	if len(ids) == 0 {
		return nil
	}
	s.files.Lock()
	defer s.files.Unlock()
	fsys, err := s.folder()
	if err != nil {
		return nil // they are found when the folder is back
	}
	return s.e.node.db.View(s.e.ctx, func(t *db.Tx) error {
		for _, id := range ids {
			here, err := t.HasBlob(s.e.n, id)
			if err != nil {
				return err
			}
			if here || s.isPending(id) {
				continue
			}
			_ = fsys.Remove(s.path(id))
		}
		return nil
	})
}

func (s *store) isPending(id blob.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[id]
}

// spend counts bytes that came, or went.
func (s *store) spend(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = max(0, s.used+bytes)
}
