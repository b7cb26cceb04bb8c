// Package wire is what two nodes of a share say to each other once they have met: a Noise handshake that proves the store
// secret, then messages in frames, with windows (docs/shares.md §5).
//
// A [Link] carries frames. [Handshake] makes a [Secure] of it, [Open] a [Conn], and a [Fetcher] gets blobs over the Conns
// of one share. Layers know nothing of those above them.
//
// # On the wire
//
// The first two frames are the messages of Noise_NNpsk0_25519_ChaChaPoly_SHA256 with empty payloads; every later one is a
// Noise transport message of one canonical bencode dictionary, key "m" = its type in lower case ("hello", "get", …), the
// other keys as in the table of §5.3. A list of ids is one string of 32 bytes each; an address is a string of 6 or 18
// bytes, the port last; true is 1, and what is zero, empty or false is left out where it may be. ver is 256 × major + minor.
//
// Beyond the law's table: the side that was dialled sends its HELLO after it has verified the other's, so that a replayed
// first handshake message is answered by the 48 bytes of the second and nothing else. The parts of one blob come in order
// and without parts of others between them, so that a peer costs one unfinished blob at a time. A NO that answers a WANT
// has the key "want" = 1, for the same id can be asked for by GET too. ACK counts the bytes of unfinished blobs as taken
// in, and those of whole ones when they have been used, so that a slow disk slows the sender; it comes after 128 KiB, after
// 5 s, and when nothing is asked for any more.
package wire

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// MaxFrame is how long a frame may be, in bytes, as it travels.
const MaxFrame = 48 << 10

// Limits of the protocol (docs/shares.md §5.3).
const (
	MaxAsked  = 64        // ids of a GET, and ids that one peer may have asked for and not yet got
	MaxHeads  = 256       // ids of a HELLO or HEADS
	MaxPeers  = 200       // addresses of a PEERS
	MaxUnits  = 1024      // units of a KEEP
	MaxPart   = 40 << 10  // bytes of a blob in one BLOB
	Window    = 1 << 20   // bytes of blobs that a sender may have out without an ACK
	ackEvery  = 128 << 10 // bytes: half of what the law asks for, so that a full window never waits for a timer
	maxAddrs  = 32        // addresses of a HELLO: those of one node
	maxName   = 64        // bytes of a node's name
	maxFeat   = 32        // features, each of at most maxName bytes
	maxReport = 1 << 10   // bytes of a sealed report
	maxProof  = 16 << 10  // bytes of ciphertext that answer a challenge
	maxKeep   = 86400     // seconds of a promise
)

// Times of the protocol (docs/shares.md §5.1, §5.3).
const (
	OpenTimeout   = 10 * time.Second // from the first frame to the peer's HELLO
	SilentTimeout = 10 * time.Second // a peer that was asked and says nothing for so long is not waited for
	AckTimeout    = 60 * time.Second // a peer that takes nothing in for so long is left
	ackDelay      = 5 * time.Second  // the longest that bytes taken in go without an ACK
)

// Errors that callers tell apart. What a Conn ended with wraps one of them, or is the Link's own.
var (
	ErrWrongSecret = errors.New("the peer does not know the secret")
	ErrVersion     = errors.New("the peer speaks another version of the protocol")
	ErrSelf        = errors.New("the peer is this node itself")
	ErrClone       = errors.New("the peer is another process with this node's key")
	ErrProtocol    = errors.New("the peer broke the protocol")
	ErrLies        = errors.New("the peer sent too many blobs that are not what they should be")
	ErrSilent      = errors.New("the peer takes nothing in")
	ErrTimeout     = errors.New("the peer did not introduce itself in time")
	ErrNotHere     = errors.New("the blob is not here") // what Config.Serve returns for it
	ErrClosed      = errors.New("the connection is closed")
)

// A Link carries frames in order between two nodes; bt gives it, and tests make it of channels (package wiretest).
type Link interface {
	RemoteAddr() netip.AddrPort
	Dialled() bool // we are the one that dialled
	// Send queues a frame of at most MaxFrame bytes. It waits while the queue is full. The frame is the Link's from then
	// on: the caller leaves it alone.
	Send(ctx context.Context, frame []byte) error
	// Recv is the next frame, which is the caller's from then on. One goroutine calls it.
	Recv(ctx context.Context) ([]byte, error)
	// Close ends Send and Recv on both sides. It may be called twice.
	Close()
	Done() <-chan struct{}
}

// A Clock tells the time and wakes up. A fake one replays a run (package wiretest).
type Clock interface {
	Now() time.Time
	// AfterFunc calls f, which does not block, once after d, unless stop is called before.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// System is the machine's clock.
type System struct{}

// Now is the time.
func (System) Now() time.Time { return time.Now() }

// AfterFunc is time.AfterFunc.
func (System) AfterFunc(d time.Duration, f func()) (stop func()) {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}
