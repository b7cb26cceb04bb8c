package bt

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// An announcerConfig says for what to announce, and how often. Zero durations take their defaults.
type announcerConfig struct {
	InfoHash InfoHash
	PeerID   [20]byte
	Port     uint16
	Key      uint32
	NumWant  int32      // 0 = 80
	Tiers    [][]string // as written: not sanitised

	// OnPeers is given what a tracker sent, from a goroutine of the announcer.
	OnPeers func([]netip.AddrPort)
	// Stats is what the torrent did since it started, in bytes.
	Stats func() (uploaded, downloaded, left int64)
	// Hungry reports whether the torrent lacks peers, so that later tiers are tried sooner; nil means: until a
	// tracker gave some.
	Hungry func() bool

	Floor       time.Duration // between announces to one tracker, whatever it says; 30 s
	Interval    time.Duration // when a tracker does not say; 30 min
	Early       time.Duration // soonest announce out of need when a tracker sets no minimum; 1 min
	Impatience  time.Duration // wait for a tier before the next is started too; 3 s
	Backoff     time.Duration // after the first failure, doubling each time; 15 s
	MaxBackoff  time.Duration // 30 min
	StopTimeout time.Duration // for saying goodbye; 2 s
}

const maxTrackers = 100 // of one torrent

// An announcer keeps a torrent known to its trackers. It walks the tiers in turn (BEP 12): shuffled within a tier
// once, a tracker that works moves to the front, and the next tier is for when all of a tier failed or, since that
// may take minutes, are silent while there are no peers. One goroutine, that of run, decides; each tier that is asked
// has one while it is.
type announcer struct {
	client *trackerClient
	cfg    announcerConfig
	wake   chan struct{} // something changed: look again when to announce

	mu        sync.Mutex
	tiers     [][]*trackerState // guarded by mu, as all below and all they point to
	hungryNow bool              // peers ran out: announce as soon as allowed
	complete  bool              // the completed event is to be sent
	gotPeers  bool
}

func newAnnouncer(client *trackerClient, cfg announcerConfig) *announcer {
	defaults := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	defaults(&cfg.Floor, 30*time.Second)
	defaults(&cfg.Interval, 30*time.Minute)
	defaults(&cfg.Early, time.Minute)
	defaults(&cfg.Impatience, 3*time.Second)
	defaults(&cfg.Backoff, 15*time.Second)
	defaults(&cfg.MaxBackoff, 30*time.Minute)
	defaults(&cfg.StopTimeout, 2*time.Second)
	if cfg.NumWant == 0 {
		cfg.NumWant = 80
	}
	a := &announcer{client: client, cfg: cfg, wake: make(chan struct{}, 1)}
	for _, tier := range cfg.Tiers {
		a.addTier(tier)
	}
	return a
}

// addTier appends a tier of trackers, without those that are there already. It may be called while run runs.
func (a *announcer) addTier(urls []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := make(map[string]bool)
	for _, s := range a.states() {
		seen[s.status.URL] = true
	}
	var tier []*trackerState
	for _, raw := range urls {
		if len(raw) > maxTrackerURL {
			raw = raw[:maxTrackerURL]
		}
		if seen[raw] || len(seen) >= maxTrackers {
			continue
		}
		seen[raw] = true
		s := &trackerState{status: TrackerStatus{URL: raw, Tier: len(a.tiers)}}
		if u, err := parseTrackerURL(raw); err != nil {
			s.never, s.status.Error = true, err.Error()
		} else if u.Scheme == "ws" || u.Scheme == "wss" {
			s.never, s.status.Error = true, errNeedsWebRTC.Error()
		}
		tier = append(tier, s)
	}
	if len(tier) == 0 {
		return
	}
	rand.Shuffle(len(tier), func(i, j int) { tier[i], tier[j] = tier[j], tier[i] })
	a.tiers = append(a.tiers, tier)
	a.nudge()
}

// states are all trackers. Call it with mu held.
func (a *announcer) states() []*trackerState { return slices.Concat(a.tiers...) }

func (a *announcer) nudge() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// needPeers asks for an announce as soon as the trackers allow one.
func (a *announcer) needPeers() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hungryNow = true
	a.nudge()
}

// completed tells the trackers, once, that the download is complete.
func (a *announcer) completed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.complete = true
	a.nudge()
}

// status is what each tracker last said, tier by tier.
func (a *announcer) status() (out []TrackerStatus) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.states() {
		out = append(out, s.status)
	}
	return out
}

// run announces until ctx is done, and then says goodbye to all trackers at once. It returns after its last
// goroutine, at most StopTimeout after ctx is done.
func (a *announcer) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var wg sync.WaitGroup // asking tiers out of need
	var look time.Time    // when to look whether the tiers asked so far were enough
	next := 0             // the first tier that was not asked
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-a.wake:
		}
		if ctx.Err() != nil {
			break
		}
		if a.takeCompleted() {
			a.tellAll(ctx, eventCompleted)
		}
		now := time.Now()
		switch {
		case !now.Before(a.due()):
			next = a.round(ctx)
			look = time.Now().Add(a.cfg.Impatience)
		case next < a.count() && !now.Before(look):
			// A tracker that works may know nobody: then the next tier is worth asking, whatever BEP 12 says.
			if a.hungry() {
				tier := next
				wg.Go(func() { a.askTier(ctx, tier) })
			}
			next++
			look = now.Add(a.cfg.Impatience)
		}
		wait := time.Until(a.due())
		if next < a.count() {
			wait = min(wait, time.Until(look))
		}
		timer.Reset(wait)
	}
	wg.Wait() // what is in flight is cut off, and goodbye comes after it
	stopping, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), a.cfg.StopTimeout,
		errors.New("no time left for the tracker"))
	defer cancel()
	a.tellAll(stopping, eventStopped)
}

// count is the number of tiers.
func (a *announcer) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.tiers)
}

func (a *announcer) takeCompleted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.complete
	a.complete = false
	return was
}

// due is when the next round is: when the first tracker is due that a round would come to, a far day if there is none.
// It must agree with askTier, or run would spin.
func (a *announcer) due() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	due := time.Now().Add(24 * time.Hour)
	for _, s := range a.states() {
		if at := a.at(s); !s.never && at.Before(due) {
			due = at
		}
		if s.status.Working {
			break
		}
	}
	return due
}

// at is when a tracker may be asked next. Call it with mu held.
func (a *announcer) at(s *trackerState) time.Time {
	if a.hungryNow && s.status.Working {
		return s.earliest
	}
	return s.status.Next
}

// round asks the tiers in turn until one has a tracker that works, and returns the first tier that was not asked.
func (a *announcer) round(ctx context.Context) (next int) {
	tiers := a.count()
	results := make(chan bool, tiers)
	var wg sync.WaitGroup
	defer wg.Wait()
	running, success := 0, false
	i := 0
	for {
		if i < tiers && !success && ctx.Err() == nil {
			tier := i
			wg.Go(func() { results <- a.askTier(ctx, tier) })
			running++
			i++
		} else if running == 0 {
			return i
		}
		// With nobody to download from, silence is not waited for as long as a failure.
		impatient := time.NewTimer(a.cfg.Impatience)
	wait:
		for running > 0 {
			select {
			case ok := <-results:
				running--
				success = success || ok
				break wait
			case <-impatient.C:
				if i < tiers && !success && a.hungry() {
					break wait
				}
			}
		}
		impatient.Stop()
	}
}

func (a *announcer) hungry() bool {
	if a.cfg.Hungry != nil {
		return a.cfg.Hungry()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.gotPeers
}

// askTier announces to the trackers of a tier in turn until one works, or one that worked is not due yet.
func (a *announcer) askTier(ctx context.Context, tier int) bool {
	a.mu.Lock()
	trackers := slices.Clone(a.tiers[tier])
	a.mu.Unlock()
	for _, s := range trackers {
		a.mu.Lock()
		skip, works := s.never || time.Now().Before(a.at(s)), s.status.Working
		event := eventNone
		if !s.started {
			event = eventStarted
		}
		a.mu.Unlock()
		if skip && works {
			return true
		}
		if !skip && a.ask(ctx, s, event) {
			a.mu.Lock()
			i := slices.Index(a.tiers[tier], s)
			copy(a.tiers[tier][1:i+1], a.tiers[tier][:i])
			a.tiers[tier][0] = s
			a.mu.Unlock()
			return true
		}
	}
	return false
}

// tellAll announces an event to each tracker that knows of us: the end also to those that may, as their answer to our
// started event did not come, or was not waited for.
func (a *announcer) tellAll(ctx context.Context, event announceEvent) {
	a.mu.Lock()
	trackers := slices.DeleteFunc(a.states(), func(s *trackerState) bool {
		knows := s.started || s.sent && event == eventStopped
		return !knows || s.never
	})
	a.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range trackers {
		wg.Go(func() { a.ask(ctx, s, event) })
	}
	wg.Wait()
}
