package wire_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"shoal/share/blob"
	"shoal/share/wire"
)

// FuzzConn lets a member say anything in any order to a node that serves blobs and wants some. The node never has more
// out than a window, never believes a wrong blob, and ends cleanly; what it wants comes from another in the end.
func FuzzConn(f *testing.F) {
	have, ids := fill(12, 50<<10)
	f.Add([]byte{0, 3, 2, 0, 1, 4, 2, 5, 2, 0, 3, 0, 6, 1, 7, 0})
	f.Add([]byte{5, 0, 5, 1, 5, 2, 5, 3, 5, 4, 8, 200, 5, 6})
	f.Add([]byte{4, 0, 4, 0, 4, 1, 4, 1, 3, 7, 0, 255, 1, 1, 1, 2, 2, 9})
	f.Add([]byte{9, 'd', 'e'})
	f.Fuzz(func(t *testing.T, play []byte) {
		if len(play) > 400 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			cfg := config(1)
			cfg.Serve = have.Serve
			r, m := against(t, cfg, false)
			fetcher := wire.NewFetcher(wire.FetcherOptions{})
			defer fetcher.Close()
			fetcher.Add(r.Conn)
			got := shelf{}
			done := make(chan error, 1)
			go func() { done <- fetcher.Fetch(t.Context(), ids, collect(got)) }()
			synctest.Wait()
			s := &script{mouth: m, have: have, ids: ids, off: make(map[blob.ID]int)}
			for ; len(play) >= 2; play = play[2:] {
				s.step(play[0], int(play[1]), play)
			}
			if s.out > s.acked+wire.Window {
				t.Errorf("%d bytes are out, %d acknowledged", s.out, s.acked)
			}
			addHonest(t, fetcher, have)
			if err := <-done; err != nil {
				t.Error(err)
			}
			equal(t, got, have)
			r.Close()
			if err := r.wait(t); !errors.Is(err, wire.ErrClosed) && !errors.Is(err, wire.ErrProtocol) &&
				!errors.Is(err, wire.ErrLies) && !errors.Is(err, wire.ErrSilent) {
				t.Error(err)
			}
		})
	})
}

// A script is what a member does.
type script struct {
	*mouth
	have  shelf
	ids   []blob.ID
	off   map[blob.ID]int // what it sent of each
	out   int64           // bytes it got
	acked int64           // and acknowledged
}

func (s *script) step(what byte, n int, raw []byte) {
	id := s.ids[n%len(s.ids)]
	b := s.have[id]
	switch what % 10 {
	case 0: // asks for one or many
		s.say(&wire.Get{IDs: s.ids[n%len(s.ids):]})
	case 1: // acknowledges what came
		s.ack(s.out)
	case 2: // or something else
		s.ack(int64(n) << 8)
	case 3: // refuses
		s.say(&wire.No{IDs: s.ids[:n%len(s.ids)+1]})
	case 4: // sends the next part
		part := b[s.off[id]:min(len(b), s.off[id]+wire.MaxPart)]
		if len(part) == 0 {
			part, s.off[id] = b[:10], 0
		}
		s.say(&wire.Blob{ID: id, Off: int64(s.off[id]), Total: int64(len(b)), Bytes: part})
		s.off[id] += len(part)
	case 5: // sends a whole blob
		s.say(&wire.Blob{ID: id, Total: int64(len(b)), Bytes: b[:wire.MaxPart]},
			&wire.Blob{ID: id, Off: wire.MaxPart, Total: int64(len(b)), Bytes: b[wire.MaxPart:]})
	case 6: // lies
		s.say(&wire.Blob{ID: id, Total: int64(n) + 1, Bytes: b[:n+1]})
	case 7: // sends any part
		s.say(&wire.Blob{ID: id, Off: int64(n), Total: int64(len(b)), Bytes: b[n : 2*n+1]})
	case 8: // lets time pass
		time.Sleep(time.Duration(n) * time.Second)
	case 9: // says what is no message
		_ = s.Send(s.t.Context(), append(make([]byte, 0, len(raw)+16), raw...))
	}
	s.out += bytesOf(heard[*wire.Blob](s.mouth))
}

func (s *script) ack(n int64) {
	s.say(&wire.Ack{N: n})
	if n <= s.out {
		s.acked = max(s.acked, n)
	}
	s.out += bytesOf(heard[*wire.Blob](s.mouth))
}
