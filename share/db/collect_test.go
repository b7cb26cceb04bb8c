package db

import (
	"context"
	"errors"
	"testing"

	"shoal/share/blob"
)

// While a collection looks, what others looked for before is noted, and nobody reads beside it.
func TestAlone(t *testing.T) {
	t.Parallel()
	d := open1(t)
	id, other := blob.ID{2, 1}, blob.ID{2, 2}
	update(t, d, func(tx *Tx) error { return tx.PutBlob(1, id, []byte("x"), 1) })
	stop := d.Watch()
	reading, done := make(chan struct{}), make(chan error)
	go func() {
		done <- d.View(t.Context(), func(tx *Tx) error {
			close(reading)
			_, err := tx.HasBlob(1, id)
			return err
		})
	}()
	<-reading
	err := d.Alone(t.Context(), func(tx *Tx) error {
		if b, err := tx.Peek(1, other); b != nil || err != nil {
			t.Error(b, err)
		}
		all := d.Touches()
		if len(all) != 1 || all[0] != (Touched{1, id}) {
			t.Errorf("%v", all)
		}
		return nil
	})
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	stop()
	update(t, d, func(tx *Tx) error { _, err := tx.HasBlob(1, id); return err })
	if all := d.Touches(); len(all) != 0 {
		t.Errorf("%v", all)
	}
}

// Alone gives up when somebody reads for long, and gives everything back.
func TestAloneGivesUp(t *testing.T) {
	t.Parallel()
	d := open1(t)
	err := d.View(t.Context(), func(*Tx) error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.Alone(ctx, func(*Tx) error { t.Error("it ran"); return nil }); err == nil {
			t.Error("no error")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Alone(t.Context(), func(*Tx) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestPieces(t *testing.T) {
	t.Parallel()
	d := open1(t)
	sum := []byte("12345678901234567890")
	x := Data{Share: 1, Info: blob.ID{4, 1}, Hash: [20]byte{1}}
	update(t, d, func(tx *Tx) error {
		if err := tx.AddData(&x); err != nil || x.N == 0 {
			t.Fatal(x, err)
		}
		again := x
		again.N = 0
		if err := errors.Join(tx.AddData(&again), tx.PutPiece(sum, x.N, 7), tx.PutPiece(sum, x.N, 7), tx.GrowData(x.N, 10)); err != nil || again.N != x.N {
			t.Fatal(again, err)
		}
		places, err := tx.Pieces(sum, 8)
		if len(places) != 1 || places[0] != (Piece{x.N, 7}) || err != nil {
			t.Error(places, err)
		}
		if bytes, err := tx.DataBytes(1); bytes != 10 || err != nil {
			t.Error(bytes, err)
		}
		x.State = DataWhole
		if err := tx.SetData(&x); err != nil {
			t.Fatal(err)
		}
		if got, err := tx.DataN(x.N); got == nil || *got != x || err != nil {
			t.Error(got, err)
		}
		return tx.DropPiece(sum, x.N, 7)
	})
	update(t, d, func(tx *Tx) error {
		if here, err := tx.HasPiece(sum, x.N, 7); here || err != nil {
			t.Error(here, err)
		}
		return errors.Join(tx.PutPiece(sum, x.N, 1), tx.RemoveShare(1))
	})
	update(t, d, func(tx *Tx) error {
		if places, err := tx.Pieces(sum, 8); len(places) != 0 || err != nil {
			t.Error(places, err)
		}
		return nil
	})
}
