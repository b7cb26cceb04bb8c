package bt

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal/bt/bttest"
)

// startAnnouncer runs an announcer whose peers go to the channel; stop ends it and waits.
func startAnnouncer(t *testing.T, cfg announcerConfig) (a *announcer, peers chan []netip.AddrPort, stop func()) {
	peers = make(chan []netip.AddrPort, 100)
	cfg.InfoHash, cfg.Port = testHash, 7001
	cfg.OnPeers = func(p []netip.AddrPort) { peers <- p }
	cfg.Stats = func() (int64, int64, int64) { return 1, 2, 3 }
	a = newAnnouncer(testTrackerClient(t), cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { a.run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return a, peers, stop
}

func events(announces []bttest.Announce) string {
	var s []string
	for _, a := range announces {
		s = append(s, a.Event)
	}
	return strings.Join(s, ",")
}

// refusing is the announce URL of a port where nobody listens.
func refusing(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String() + "/announce"
}

func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(bttest.Patience):
		t.Fatal("nothing came")
	}
	return v
}

func TestAnnouncerEvents(t *testing.T) {
	tracker := bttest.NewTracker(t)
	tracker.AddPeer(testHash, netip.MustParseAddrPort("127.0.0.1:7002"))
	a, peers, stop := startAnnouncer(t, announcerConfig{Tiers: [][]string{{tracker.UDP}}})
	receive(t, peers)
	a.completed()
	tracker.Wait(t, func(got []bttest.Announce) bool { return events(got) == "started,completed" })
	stop()
	got := tracker.Wait(t, func(got []bttest.Announce) bool { return events(got) == "started,completed,stopped" })
	if last := got[2]; last.Uploaded != 1 || last.Downloaded != 2 || last.Left != 3 {
		t.Errorf("%+v", last)
	}
}

func TestAnnouncerInterval(t *testing.T) {
	tracker := bttest.NewTracker(t)
	tracker.SetInterval(0)
	_, _, stop := startAnnouncer(t, announcerConfig{Tiers: [][]string{{tracker.HTTP}}, Floor: time.Millisecond, Interval: 20 * time.Millisecond})
	tracker.Wait(t, func(got []bttest.Announce) bool { return strings.HasPrefix(events(got), "started,,,") })
	stop()

	// Need makes it announce again early, but not before the least interval.
	early := bttest.NewTracker(t)
	early.AddPeer(testHash, netip.MustParseAddrPort("127.0.0.1:7002"))
	start := time.Now()
	a, peers, stop := startAnnouncer(t, announcerConfig{Tiers: [][]string{{early.HTTP}}, Floor: time.Millisecond, Early: 100 * time.Millisecond})
	receive(t, peers)
	a.needPeers()
	early.Wait(t, func(got []bttest.Announce) bool { return len(got) == 2 })
	if waited := time.Since(start); waited < 100*time.Millisecond {
		t.Errorf("announced again after %v", waited)
	}
	stop()
}

func TestAnnouncerTiers(t *testing.T) {
	first, second := bttest.NewTracker(t), bttest.NewTracker(t)
	dead, ws := refusing(t), "wss://127.0.0.1/announce"
	first.AddPeer(testHash, netip.MustParseAddrPort("127.0.0.1:7002"))
	a, peers, stop := startAnnouncer(t, announcerConfig{Tiers: [][]string{{"bad"}, {dead}, {ws}, {dead, first.HTTP}, {second.HTTP}}})
	receive(t, peers)
	stop()
	if got := second.Wait(t, func([]bttest.Announce) bool { return true }); len(got) > 0 {
		t.Errorf("a tier behind one that works was asked: %+v", got)
	}
	for _, s := range a.status() {
		working := s.URL == first.HTTP
		if s.Working != working || (s.Error == "") != (working || s.URL == second.HTTP) {
			t.Errorf("%+v", s)
		}
		if s.URL == ws && s.Error != "needs WebRTC: not used for downloads" {
			t.Errorf("%+v", s)
		}
		if s.URL == dead && time.Until(s.Next) < 10*time.Second {
			t.Errorf("a dead tracker is asked again in %v", time.Until(s.Next))
		}
	}
}

// TestAnnouncerFailover has a tier whose second tracker works: it comes first from then on, and when it fails the next
// tier takes over until it is back.
func TestAnnouncerFailover(t *testing.T) {
	main, spare := bttest.NewTracker(t), bttest.NewTracker(t)
	main.SetInterval(0)
	spare.SetInterval(0)
	cfg := announcerConfig{Tiers: [][]string{{refusing(t), refusing(t), main.HTTP}, {spare.HTTP}}, Floor: time.Millisecond,
		Interval: 10 * time.Millisecond, Backoff: 30 * time.Millisecond, MaxBackoff: 30 * time.Millisecond}
	a, _, stop := startAnnouncer(t, cfg)
	main.Wait(t, func(got []bttest.Announce) bool { return len(got) > 2 })
	if s := a.status()[0]; s.URL != main.HTTP {
		t.Errorf("%s comes first", s.URL)
	}
	main.SetFailure("down")
	n := len(spare.Wait(t, func(got []bttest.Announce) bool { return len(got) > 2 }))
	main.SetFailure("")
	before := len(main.Wait(t, func(got []bttest.Announce) bool { return true }))
	main.Wait(t, func(got []bttest.Announce) bool { return len(got) > before+5 })
	stop()
	if got := events(spare.Wait(t, func(got []bttest.Announce) bool { return len(got) > n })); !strings.HasSuffix(got, ",stopped") {
		t.Errorf("the spare tracker was left without a word: %s", got)
	}
}

func TestAnnouncerImpatience(t *testing.T) {
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer silent.Close()
	defer close(release)
	tracker := bttest.NewTracker(t)
	tracker.AddPeer(testHash, netip.MustParseAddrPort("127.0.0.1:7002"))
	_, peers, stop := startAnnouncer(t, announcerConfig{Tiers: [][]string{{silent.URL}, {tracker.UDP}},
		Impatience: 10 * time.Millisecond, StopTimeout: time.Second})
	receive(t, peers)
	start := time.Now()
	stop()
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("stopping took %v", d)
	}
}

// TestAnnouncerNoSpin has a working tracker before one that is due: nothing must be asked, and that without a loop.
func TestAnnouncerNoSpin(t *testing.T) {
	a := newAnnouncer(testTrackerClient(t), announcerConfig{Tiers: [][]string{{"http://127.0.0.1:1/a"}, {"http://127.0.0.1:1/b"}}})
	s := a.states()
	s[0].status.Working, s[0].status.Next = true, time.Now().Add(time.Hour)
	if due := time.Until(a.due()); due < 50*time.Minute {
		t.Errorf("due in %v", due)
	}
	s[0].status.Working = false
	if due := time.Until(a.due()); due > 0 {
		t.Errorf("due in %v", due)
	}
	for range 200 {
		a.addTier([]string{"http://127.0.0.1:1/" + strings.Repeat("x", len(a.states()))})
	}
	if n := len(a.states()); n != maxTrackers {
		t.Errorf("%d trackers", n)
	}
}

// TestAnnouncerCutOff stops while trackers have heard of us and not answered yet: they are told that we are gone. One that
// no request reached is not waited for.
func TestAnnouncerCutOff(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 10)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event := r.URL.Query().Get("event")
		heard <- event
		if event == "started" {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(slow.Close)
	mute, err := net.ListenPacket("udp4", "127.0.0.1:0") // it has not even said that it is there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	nobody := "udp://" + mute.LocalAddr().String() + "/announce"
	_, _, stop := startAnnouncer(t, announcerConfig{Tiers: [][]string{{slow.URL}, {nobody}}, Impatience: time.Millisecond,
		StopTimeout: time.Hour})
	if event := receive(t, heard); event != "started" {
		t.Errorf("it began with %q", event)
	}
	if _, _, err := mute.ReadFrom(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	stop()
	if event := receive(t, heard); event != "stopped" {
		t.Errorf("it ended with %q", event)
	}
	mute.SetReadDeadline(time.Unix(1, 0))
	if n, _, err := mute.ReadFrom(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes went to who never heard of us", n)
	}
}
