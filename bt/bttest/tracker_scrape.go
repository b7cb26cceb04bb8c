package bttest

import (
	"encoding/binary"
	"net/http"

	"shoal/bt/bttest/internal/wire"
)

// count is what a scrape says of a torrent; known is false for one that nobody ever announced.
func (t *Tracker) count(infoHash [20]byte) (seeders, completed, leechers int, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, left := range t.swarms[infoHash] {
		if left == 0 {
			seeders++
		} else {
			leechers++
		}
	}
	for _, a := range t.announces {
		if a.InfoHash == infoHash && a.Event == "completed" {
			completed++
		}
	}
	return seeders, completed, leechers, t.swarms[infoHash] != nil
}

func (t *Tracker) scrapeHTTP(w http.ResponseWriter, hashes []string) {
	files := wire.Dict{}
	for _, h := range hashes {
		if len(h) != 20 {
			continue
		}
		if s, c, l, known := t.count([20]byte([]byte(h))); known {
			files[h] = wire.Dict{"complete": s, "downloaded": c, "incomplete": l}
		}
	}
	_, _ = w.Write(wire.Bencode(wire.Dict{"files": files}))
}

func (t *Tracker) scrapeUDP(hashes []byte) (reply []byte) {
	for ; len(hashes) >= 20; hashes = hashes[20:] {
		s, c, l, _ := t.count([20]byte(hashes))
		for _, n := range []int{s, c, l} {
			reply = binary.BigEndian.AppendUint32(reply, uint32(n))
		}
	}
	return reply
}
