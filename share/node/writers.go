package node

import (
	"bytes"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/index"
)

// writers are the writer ids whose events the share has, with the newest that kept heads say of each: the name of its
// node, and when it wrote. Of a writer whose heads were all superseded only the id is known.
func (e *engine) writers(t *db.Tx, ctx index.Context) ([]api.WriterAt, error) {
	heads, err := t.Heads(e.n)
	if err != nil {
		return nil, err
	}
	known := map[index.Writer]api.WriterAt{}
	for i := range heads {
		h := &heads[i]
		if _, ok := ctx[h.Writer]; !ok || e.forest == nil {
			continue
		}
		b, _, err := t.Blob(e.n, h.ID)
		if err != nil {
			return nil, err
		}
		head, err := index.ReadHead(e.token.Share, h.ID, b)
		if err != nil {
			continue
		}
		said, err := head.ForReaders(e.keys)
		if err != nil {
			continue
		}
		if at := time.Unix(0, said.Time).UTC(); at.After(known[h.Writer].At) {
			known[h.Writer] = api.WriterAt{Node: said.Label, At: at}
		}
	}
	all := []api.WriterAt{}
	for _, w := range slices.SortedFunc(maps.Keys(ctx), func(a, b index.Writer) int { return bytes.Compare(a[:], b[:]) }) {
		at := known[w]
		at.Writer = hex.EncodeToString(w[:])
		all = append(all, at)
	}
	return all, nil
}
