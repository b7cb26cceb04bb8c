package bt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An announceEvent tells a tracker why it is asked (BEP 3). Its value is that of BEP 15.
type announceEvent int32

const (
	eventNone announceEvent = iota
	eventCompleted
	eventStarted
	eventStopped
)

func (e announceEvent) String() string {
	return [...]string{"", "completed", "started", "stopped"}[e]
}

// An announceRequest is what a tracker is told about us.
type announceRequest struct {
	InfoHash   InfoHash
	PeerID     [20]byte
	Port       uint16
	Uploaded   int64 // bytes since the started event
	Downloaded int64
	Left       int64
	Event      announceEvent
	NumWant    int32  // peers wanted; negative leaves it to the tracker
	Key        uint32 // tells the tracker that we are the same when our address changes
	TrackerID  string // of the tracker's last reply
	Sent       func() // is called when this is about to reach the tracker, perhaps more than once, from any goroutine; or nil
}

// An announceReply is what a tracker says, validated: at most 2000 peers, none with an impossible address.
type announceReply struct {
	Interval    time.Duration // 0 = not said
	MinInterval time.Duration // 0 = not said
	Seeders     int
	Leechers    int
	Peers       []netip.AddrPort
	Warning     string
	TrackerID   string
	ExternalIP  netip.Addr // BEP 24; not valid = not said
}

// A trackerError is a tracker's own word that it will not serve us.
type trackerError struct {
	Reason  string
	RetryIn time.Duration // BEP 31; 0 = not said
	Never   bool          // BEP 31: it never will
}

func (e *trackerError) Error() string { return fmt.Sprintf("tracker says %.200q", e.Reason) }

const (
	maxTrackerReply   = 2 << 20
	maxTrackerPeers   = 2000
	maxTrackerURL     = 2048
	announceTimeout   = 90 * time.Second // of one announce with all its repetitions
	httpTrackerAnswer = 30 * time.Second
)

var errNeedsWebRTC = errors.New("needs WebRTC: not used for downloads")

// A trackerClient asks trackers. One serves a whole session, and whatever else they can be asked.
type trackerClient struct {
	transport *transport
	http      *http.Client
	udpWaits  []time.Duration // for an answer, per repetition

	mu    sync.Mutex
	conns map[netip.AddrPort]udpConnID // guarded by mu
}

func newTrackerClient(t *transport) *trackerClient {
	return &trackerClient{
		transport: t,
		http:      t.httpClient(false),
		// BEP 15 begins with 15 s. A packet that was lost must not cost a small download that much.
		udpWaits: []time.Duration{3 * time.Second, 15 * time.Second, 30 * time.Second},
		conns:    make(map[netip.AddrPort]udpConnID),
	}
}

// close drops idle connections.
func (c *trackerClient) close() { c.http.CloseIdleConnections() }

// announce tells a tracker about us and asks it for peers. Errors are of class Network, or BadInput for a URL that
// cannot be a tracker's; a *trackerError is in the chain when the tracker itself refused.
func (c *trackerClient) announce(ctx context.Context, tracker string, req announceRequest) (*announceReply, error) {
	u, err := parseTrackerURL(tracker)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, announceTimeout, errors.New("tracker did not answer"))
	defer cancel()
	var reply *announceReply
	switch u.Scheme {
	case "http", "https":
		reply, err = c.announceHTTP(ctx, u, req)
	case "ws", "wss":
		err = errNeedsWebRTC
	default:
		reply, err = c.announceUDP(ctx, u, req)
	}
	if err != nil {
		return nil, errorf(Network, "announcing to %s: %w", trackerName(u), err)
	}
	return reply, nil
}

// parseTrackerURL checks a tracker's URL, as anybody may have put it into a torrent.
func parseTrackerURL(s string) (*url.URL, error) {
	bad := func(why string) (*url.URL, error) {
		return nil, errorf(BadInput, "checking tracker %.200q: %s", s, why)
	}
	if len(s) > maxTrackerURL {
		return bad("longer than 2048 bytes")
	}
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		return bad("not a URL")
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss":
	case "udp", "udp4", "udp6":
		if u.Port() == "" {
			return bad("no port")
		}
	default:
		return bad("want http, https, udp, ws or wss")
	}
	if u.Hostname() == "" {
		return bad("no host")
	}
	if u.User != nil {
		return bad("user and password are not used")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return bad("no such port")
		}
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// trackerName is a tracker's URL without what may be a passkey, for messages.
func trackerName(u *url.URL) string {
	return u.Scheme + "://" + u.Host
}

// compactPeers reads addresses of size bytes each, port last (BEP 23, BEP 7, BEP 15).
func compactPeers(peers []netip.AddrPort, b []byte, size int) []netip.AddrPort {
	for ; len(b) >= size; b = b[size:] {
		a, _ := netip.AddrFromSlice(b[:size-2])
		peers = addPeer(peers, netip.AddrPortFrom(a, uint16(b[size-2])<<8|uint16(b[size-1])))
	}
	return peers
}

// addPeer appends p if it can be a peer's and there are not too many.
func addPeer(peers []netip.AddrPort, p netip.AddrPort) []netip.AddrPort {
	if len(peers) >= maxTrackerPeers || !usablePeer(p) {
		return peers
	}
	return append(peers, unmapPort(p))
}

// seconds is a stranger's number of seconds, within reason: not negative, at most a day.
func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), 24*60*60)) * time.Second
}

// count is a stranger's number of peers, within reason.
func countOf(n int64) int { return int(min(max(n, 0), 1<<31-1)) }

// shortenCause gives the reason of a timeout instead of the bare "deadline exceeded", and drops the layers of the
// net package that repeat the whole URL.
func shortenCause(ctx context.Context, err error) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	var netErr net.Error
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout()) {
		return cause
	}
	return err
}
