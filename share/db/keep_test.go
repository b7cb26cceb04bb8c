package db

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shoal/share/blob"
	"shoal/share/index"
)

func TestPromise(t *testing.T) {
	t.Parallel()
	d := open1(t)
	u, now := [32]byte{2, 1}, time.Unix(1_800_000_000, 5e8)
	until := func(at time.Time) (got time.Time) {
		t.Helper()
		update(t, d, func(t *Tx) (err error) { got, err = t.Promised(1, u, at); return err })
		return got
	}
	update(t, d, func(t *Tx) error { return t.Promise(1, now.Add(time.Hour), u) })
	update(t, d, func(t *Tx) error { return t.Promise(1, now.Add(time.Minute), u, [32]byte{3}) })
	if got := until(now); got.Before(now.Add(time.Hour)) || got.After(now.Add(time.Hour+time.Second)) {
		t.Fatalf("promised until %v: a shorter promise took from a longer one, or from itself", got)
	}
	if got := until(now.Add(2 * time.Hour)); !got.IsZero() {
		t.Fatalf("still promised until %v", got)
	}
	update(t, d, func(t *Tx) error { return t.ForgetPromises(1, now.Add(time.Minute)) })
	if until(now).IsZero() {
		t.Fatal("a promise was forgotten before its time")
	}
	update(t, d, func(t *Tx) error { return t.ForgetPromises(1, now.Add(2*time.Hour)) })
	if !until(now).IsZero() {
		t.Fatal("a promise that is over stays")
	}
}

// Pages have every row once, whatever their length.
func TestPages(t *testing.T) {
	t.Parallel()
	d := open1(t)
	n := int64(0)
	rapid.Check(t, func(t *rapid.T) {
		n++
		paths := rapid.SliceOfNDistinct(rapid.StringMatching(`[ab0](/[ab.0]{1,2}){0,2}`), 0, 20, rapid.ID[string]).Draw(t, "paths")
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		var rows []string
		var blobs []blob.ID
		err := d.Update(context.Background(), func(t *Tx) error {
			for i, p := range paths {
				if err := t.PutBase(n, &index.Base{Path: p, Natural: p, Type: index.File}); err != nil {
					return err
				}
				if err := t.PutBlob(n, blob.ID{byte(1 + i%3), byte(i)}, []byte{1}, 1); err != nil {
					return err
				}
			}
			for after := ""; ; {
				page, err := t.BasePage(n, after, limit)
				if err != nil || len(page) == 0 {
					break
				}
				for i := range page {
					rows = append(rows, page[i].Path)
				}
				after = page[len(page)-1].Path
			}
			for after := (blob.ID{}); ; {
				page, err := t.BlobPage(n, blob.Data, after, limit)
				if err != nil || len(page) == 0 {
					return err
				}
				for i := range page {
					blobs = append(blobs, page[i].ID)
				}
				after = page[len(page)-1].ID
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(rows)
		slices.Sort(paths)
		if !slices.Equal(rows, paths) {
			t.Fatalf("rows %q of %q", rows, paths)
		}
		if want := (len(paths) + 1) / 3; len(blobs) != want || slices.ContainsFunc(blobs, func(id blob.ID) bool { return id.Kind() != blob.Data }) {
			t.Fatalf("%d blobs, want %d: %v", len(blobs), want, blobs)
		}
	})
}
