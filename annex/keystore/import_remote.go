package keystore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"shoal/annex/backend"
	"shoal/annex/protocol"
	"shoal/share/api"
	"shoal/share/blob"
)

// What a share says of a file is enough to make a key of it: nothing is fetched for an import but what git-annex asks for.

// ImportSupported implements [protocol.Imports].
func (r *Remote) ImportSupported(context.Context, *protocol.Job) (protocol.Import, error) {
	return protocol.ImportYes, nil
}

// ListImport implements [protocol.Imports]: the files of the share as they would be on disk, whether they are here or not.
// The id of a file is the hash that the share has of its content.
func (r *Remote) ListImport(ctx context.Context, _ *protocol.Job) ([]protocol.Importable, error) {
	if r.wrong != nil {
		return nil, r.wrong
	}
	files, err := r.store.Tree(ctx)
	if err != nil {
		return nil, err
	}
	var list []protocol.Importable
	for _, f := range files {
		if f.Type == "file" && !f.Local {
			list = append(list, protocol.Importable{Name: f.Path, Size: f.Size, ID: idOf(&f)})
		}
	}
	return list, nil
}

// emptyID is the id of an empty file, of which a share has no hash.
const emptyID = "empty"

func idOf(f *api.FileInfo) string {
	if f.Size == 0 {
		return emptyID
	}
	return f.Hash
}

// Tree is what is in the share, as far as this machine knows. A share that has met nobody is an error: its files are not
// gone.
func (s *Store) Tree(ctx context.Context) (files []api.FileInfo, err error) {
	p, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	err = s.look.ask(ctx, func(n api.Shares) error {
		if err := s.look.once(func() error { return met(ctx, n, p.info.Name) }); err != nil {
			return err
		}
		files, err = n.Ls(ctx, p.info.Name, "")
		return err
	})
	return files, err
}

// RetrieveImport implements [protocol.Imports].
func (r *Remote) RetrieveImport(ctx context.Context, j *protocol.Job, name, file string) error {
	if r.wrong != nil {
		return r.wrong
	}
	return r.store.At(name).Get(ctx, "", file, progress(j))
}

// PresentImport implements [protocol.Imports].
func (r *Remote) PresentImport(ctx context.Context, _ *protocol.Job, key, name string) (bool, error) {
	k, err := r.key(key)
	if err != nil {
		return false, err
	}
	same, err := r.store.says(ctx, k, name)
	if err != nil || !same {
		return false, err
	}
	present, _, err := r.store.At(name).Has(ctx, k)
	return present, err
}

// says reports whether the share has a key under a name, as far as its hash tells.
func (s *Store) says(ctx context.Context, key Key, name string) (bool, error) {
	files, err := s.Tree(ctx)
	if err != nil {
		return false, err
	}
	for _, f := range files {
		if f.Path != name || f.Type != "file" {
			continue
		}
		ours, err := importKey(f.Size, idOf(&f))
		return err == nil && (string(key) == ours || !comparable(key, ours)), nil
	}
	return false, nil
}

// comparable reports whether two keys are of the same kind, so that they differ when their content does.
func comparable(key Key, ours string) bool {
	kind := func(s string) string { return strings.TrimSuffix(s[:max(0, strings.IndexByte(s, '-'))], "E") }
	return kind(string(key)) == kind(ours)
}

// ImportKey implements [protocol.Imports]. The key follows from the share alone, so that all who import it have the same.
func (r *Remote) ImportKey(_ context.Context, _ *protocol.Job, _ string, size int64, id string) (string, error) {
	return importKey(size, id)
}

var errID = errors.New("an id that is not of a share")

// importKey is the key of content of which a share has said size and hash: SHA256 where that is what it has.
func importKey(size int64, id string) (string, error) {
	var hash [32]byte
	b, err := hex.DecodeString(id)
	switch {
	case id == emptyID && size == 0:
		hash = sha256.Sum256(nil)
	case err != nil || len(b) != len(hash) || size <= 0:
		return "", errID
	default:
		hash = [32]byte(b)
	}
	if size > blob.Small {
		return backend.XSHOAL.Key(size, hash), nil
	}
	return fmt.Sprintf("SHA256-s%d--%x", size, hash), nil
}
