package bt

// swarmStats is a snapshot of the traffic of a torrent.
type swarmStats struct {
	read, written int64 // payload bytes that were useful, payload bytes sent
	peers, seeds  int   // connected; webseeds count as both
}

func (w *swarm) stats() swarmStats {
	s := w.lib.Stats()
	ws := 0
	if w.haveInfo() {
		ws = len(w.lib.WebseedPeerConns())
	}
	return swarmStats{
		read: s.BytesReadUsefulData.Int64(), written: s.BytesWrittenData.Int64(),
		peers: s.ActivePeers + ws, seeds: s.ConnectedSeeders + ws,
	}
}

func (w *swarm) haveInfo() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.m != nil
}

// trackerStatus is what each tracker last said.
func (w *swarm) trackerStatus() []TrackerStatus {
	if w.trackers == nil {
		return nil
	}
	return w.trackers.status()
}

// transfer tells trackers how the torrent stands.
func (w *swarm) transfer() (uploaded, downloaded, left int64) {
	s := w.stats()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		return s.written, s.read, 1 // BEP 3 wants a number; 0 would say that we are a seed
	}
	return s.written, s.read, max(w.m.Length-int64(w.have.count())*w.m.PieceLength, int64(min(w.left, 1)))
}
