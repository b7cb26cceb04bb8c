package node

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"

	"shoal/share/index"
	"shoal/share/secret"
)

// A Continuity proves, or fails to prove, that nobody else has used this node's writer ids since it last wrote
// (docs/shares.md §4.2): after a reboot, a restored backup, a copied database or a reverted snapshot it must not hold.
type Continuity interface {
	// Proven reports whether (w, counter) is what was last recorded for the share, on this machine, since this boot.
	Proven(share secret.ShareID, w index.Writer, counter uint64) bool
	// Record notes what was last written.
	Record(share secret.ShareID, w index.Writer, counter uint64)
	Close() error
}

// noContinuity proves nothing: each start writes under a new id.
type noContinuity struct{}

func (noContinuity) Proven(secret.ShareID, index.Writer, uint64) bool { return false }
func (noContinuity) Record(secret.ShareID, index.Writer, uint64)      {}
func (noContinuity) Close() error                                     { return nil }

// maxDrift is how far the wall clock may have moved against the time since boot.
const maxDrift = 60 * time.Second

// proof is what the token file says.
type proof struct {
	Boot   string
	Dev    uint64
	Inode  uint64
	Drift  time.Duration // wall clock less time since boot
	Shares map[string]written
}

type written struct {
	Writer  string
	Counter uint64
}

// tokenFile is a Continuity in a file that no reboot, backup or clone keeps: it is in memory only.
type tokenFile struct {
	mu      sync.Mutex // guards proof
	f       *os.File
	machine func() (proof, error) // what holds now, without Shares
	proof   proof
	valid   bool // what the file said held when it was opened
}

// openContinuity opens the token of a database. Without a file system in memory nothing is ever proven.
func openContinuity(database string) Continuity {
	machine := func() (proof, error) { return thisMachine(database) }
	now, err := machine()
	if err != nil {
		return noContinuity{}
	}
	real, err := filepath.Abs(database)
	if err != nil {
		return noContinuity{}
	}
	sum := sha256.Sum256([]byte(real))
	for _, dir := range memoryDirs() {
		if f, err := openToken(filepath.Join(dir, "shoal-"+hex.EncodeToString(sum[:8]))); err == nil {
			return newTokenFile(f, now, machine)
		}
	}
	return noContinuity{}
}

func newTokenFile(f *os.File, now proof, machine func() (proof, error)) *tokenFile {
	t := &tokenFile{f: f, machine: machine, proof: now}
	t.proof.Shares = map[string]written{}
	var old proof
	if err := json.NewDecoder(f).Decode(&old); err == nil && old.same(now) && old.Shares != nil {
		t.valid, t.proof.Shares, t.proof.Drift = true, old.Shares, old.Drift
	}
	return t
}

// same reports whether it is the same boot of the same machine with the same file, whose clock was not moved.
func (p proof) same(now proof) bool {
	return p.Boot == now.Boot && p.Dev == now.Dev && p.Inode == now.Inode && (p.Drift-now.Drift).Abs() <= maxDrift
}

func (t *tokenFile) Proven(share secret.ShareID, w index.Writer, counter uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, err := t.machine()
	if err != nil || !t.proof.same(now) {
		return false
	}
	last, ok := t.proof.Shares[hex.EncodeToString(share[:])]
	return ok && last == written{hex.EncodeToString(w[:]), counter}
}

func (t *tokenFile) Record(share secret.ShareID, w index.Writer, counter uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, err := t.machine()
	if err != nil {
		return
	}
	t.proof.Boot, t.proof.Dev, t.proof.Inode, t.proof.Drift = now.Boot, now.Dev, now.Inode, now.Drift
	t.proof.Shares[hex.EncodeToString(share[:])] = written{hex.EncodeToString(w[:]), counter}
	b, err := json.Marshal(t.proof)
	if err != nil {
		return
	}
	// Half a file is one that proves nothing, which is safe.
	if err := t.f.Truncate(0); err == nil {
		_, _ = t.f.WriteAt(b, 0)
	}
}

func (t *tokenFile) Close() error { return t.f.Close() }
