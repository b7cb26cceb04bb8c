package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
	"shoal/share/secret"
	"shoal/share/wire"
)

// An engine keeps one share in sync. One goroutine, that of run, owns the state, the folder and all that decides; others
// fetch, serve and watch, and post what they found (docs/shares.md §6.1).
type engine struct {
	node  *Node
	log   *slog.Logger
	n     int64 // the share's number in the database
	token secret.Token
	keys  *secret.Keys
	self  secret.Identity
	pk    [32]byte

	blobs   *blobStore
	forest  *index.Forest // nil of a store, as is checker
	checker *index.Forest // of the indexer's goroutine
	net     *swarm        // nil without a network
	larder  *larder
	store   *store // nil but of a store
	promise *promiser
	limits  limits
	link    *linkRow   // nil of a share that a person made or joined
	ended   []db.Ended // epochs that are over

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	wake     chan struct{}
	calls    chan func() // run on the control goroutine
	counters wire.Counters
	shelved  atomic.Bool // something is, or was, in the archive
	relink   atomic.Bool // what is mounted here has other keys

	// Of the control goroutine alone.
	row         db.Share
	folder      *folder // nil while it is absent
	plan        planner
	shows       *index.View
	showsOf     blob.Cap
	mustPublish bool
	judged      headList  // as it was when heads were last merged
	dispute     time.Time // since when a peer has made another state of the same heads; zero = none has
	policyAt    [32]byte  // the frontier that a policy was looked for in
	reverting   []string  // paths whose local changes are to be given up
	lost        []taken   // not yet counted
	temps       int
	gathering   time.Duration // until files that came are put in place
	exports     exporting
	mounts      mounts
	owed        bool     // removals are to be repeated
	seenMeta    blob.Cap // that members were looked for in

	reachMu sync.Mutex // guards reach
	reach   reached

	mu        sync.Mutex // guards what follows
	heads     headList
	view      view
	news      chan struct{} // closed, and replaced, when view changes
	seen      disk.Paths    // by the watcher
	seenAll   bool
	suspects  []string
	certNow   []byte
	policyRaw []byte    // signed; nil = none
	lacking   time.Time // since when data of the frontier is missing, by the clock of ages
}

// view is what others may know of an engine: a snapshot by the control goroutine.
type view struct {
	State     string
	Err       string
	Config    api.ShareConfig
	Name, Dir string
	Paused    bool
	Settled   bool     // nothing left to scan, merge, fetch, apply or publish
	Frontier  [32]byte // the hash of the heads that all this is about: others may have come since
	Todo      int64
	Held      int64
	Sum       []byte
	Root      index.Root
	Writer    index.Writer
	Alarms    []string
	Missing   int64 // bytes that should be here and are not
	FS        disk.FS
	MayBegin  bool   // see mayBegin
	Moving    bool   // the state is of an earlier epoch than the keys
	Full      string // why nothing more is taken; "" = there is room
}

func newEngine(n *Node, row db.Share, token secret.Token) (*engine, error) {
	keys, err := token.Keys()
	if err != nil {
		return nil, err
	}
	e := &engine{node: n, log: n.log.With("share", row.Name), n: row.N, token: token, keys: keys, row: row, plan: newPlanner(),
		larder: newLarder(), gathering: idleLook, wake: make(chan struct{}, 1), calls: make(chan func()),
		news: make(chan struct{}), seen: disk.Paths{}, certNow: row.Cert}
	e.self = n.secrets.seed.Identity(token.Share)
	e.pk = publicKey(e.self)
	e.ctx, e.cancel = context.WithCancel(n.ctx)
	e.link = parseLink(row.Options)
	e.blobs = e.newBlobs()
	switch {
	case e.isBeside():
	case keys.Role >= secret.Read:
		e.forest, e.checker = index.NewForest(keys.Conv, e.blobs), index.NewForest(keys.Conv, e.newBlobs())
	default:
		e.store = newStore(e)
	}
	e.promise = newPromiser(e)
	if err := e.loadKept(); err != nil {
		return nil, err
	}
	if err := e.loadHeads(); err != nil {
		return nil, err
	}
	if err := e.loadEnded(); err != nil {
		return nil, err
	}
	e.show(api.StateStopped, nil)
	return e, nil
}

// start begins to keep the share in sync.
func (e *engine) start() {
	e.show(api.StateScanning, nil) // until the first step knows better
	if e.node.net != nil {
		e.startPosts()
	}
	if e.node.net != nil && !e.isStranded() {
		e.net = newSwarm(e)
		e.wg.Go(e.net.run)
		e.wg.Go(e.promise.run)
		e.wg.Go(e.promise.runCopies)
	}
	e.wg.Go(e.run)
}

func (e *engine) stop() {
	e.cancel()
	e.wg.Wait()
	e.closeFolder()
}

func (e *engine) closeFolder() {
	if e.folder != nil {
		e.folder.close()
		e.folder = nil
	}
	if e.store != nil {
		e.store.shut()
	}
}

// cert is the certificate of the epoch; nil until one has come.
func (e *engine) cert() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.certNow
}

func (e *engine) setCert(b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.certNow) == 0 {
		e.certNow = b
	}
}

// poke lets the control goroutine look around.
func (e *engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// do runs f on the control goroutine, or here when there is none.
func (e *engine) do(ctx context.Context, f func() error) error {
	if !e.node.isRunning() {
		return f()
	}
	done := make(chan error, 1)
	select {
	case e.calls <- func() { done <- f() }:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.ctx.Done():
		return errStopping
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errStopping = errors.New("the node is stopping")

// idleLook is how long nothing happens before the engine looks around by itself.
const idleLook = 10 * time.Second

func (e *engine) run() {
	for e.ctx.Err() == nil {
		next, err := e.step()
		switch {
		case e.ctx.Err() != nil:
			return
		case errors.Is(err, disk.ErrAbsent):
			e.closeFolder() // it is opened again when it is back
			e.show(api.StateAbsent, err)
		case err != nil:
			e.log.Error("the share stands still", "why", err)
			e.show(api.StateError, err)
			next = max(next, time.Second)
		}
		timer := time.NewTimer(next)
		select {
		case <-e.ctx.Done():
		case f := <-e.calls:
			f()
		case <-e.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// step does all that can be done now, and says when to look again at the latest.
func (e *engine) step() (next time.Duration, err error) {
	if e.row.Paused {
		e.show(api.StatePaused, nil)
		return idleLook, nil
	}
	if e.isStranded() {
		e.peekLimits()
		e.show(api.StateError, errStranded)
		return idleLook, nil
	}
	if e.isBeside() {
		return e.stepBeside()
	}
	if err := e.openAll(); err != nil {
		return idleLook, err
	}
	e.seeLimits()
	next, err = e.observe()
	if err == nil {
		err = inOrder(e.mergeHeads, e.seePolicy, e.seeMembers, e.seeLinks, e.seeExports)
	}
	if err != nil {
		return idleLook, err
	}
	more, err := e.act()
	if err == nil {
		err = e.publish()
	}
	if err != nil {
		return idleLook, err
	}
	wait, err := e.publishExports()
	if err != nil {
		return idleLook, err
	}
	next = min(next, wait)
	if err := e.showProgress(more || next == 0); err != nil {
		return idleLook, err
	}
	if more {
		return 0, nil
	}
	return min(next, e.nextTry(), e.gathering), nil
}

// inOrder does one thing after the other, until one fails.
func inOrder(all ...func() error) error {
	for _, do := range all {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// openAll makes sure that the folder, the store and the links are open, each as far as this node has it.
func (e *engine) openAll() error {
	if err := e.openFolder(); err != nil {
		return err
	}
	if e.store != nil {
		if err := e.store.open(); err != nil {
			return err
		}
	}
	if !e.mounts.read {
		return e.seeLinks()
	}
	return nil
}

// observe scans the folder and keeps it in order; next is when to do so again.
func (e *engine) observe() (next time.Duration, err error) {
	if e.folder == nil {
		return idleLook, nil
	}
	scan, err := e.scan()
	if err != nil {
		return 0, err
	}
	upkeep, err := e.maintain()
	return min(idleLook, scan, upkeep), err
}

// act brings the disk nearer to the state; more says that it can go on at once.
func (e *engine) act() (more bool, err error) {
	if e.store != nil {
		if err := e.store.want(); err != nil {
			return false, err
		}
	}
	if e.folder == nil {
		return false, nil
	}
	return e.work()
}

// show changes what others see of the engine.
func (e *engine) show(state string, err error) {
	begin := e.mayBegin()
	e.mu.Lock()
	defer e.mu.Unlock()
	v := e.view
	v.State, v.Err = state, ""
	if err != nil {
		v.Err = err.Error()
	}
	v.Name, v.Dir, v.Paused = e.row.Name, e.row.Dir, e.row.Paused
	v.Config = parseConfig(e.row.Options)
	v.Root, v.Writer, v.Moving = e.row.State.Root, e.row.Writer, e.row.Moving
	v.FS, v.MayBegin = nil, begin
	if e.folder != nil {
		v.FS = e.folder.fs
	}
	e.view = v
	e.tell()
}

// tell wakes those who wait for news. The caller holds mu.
func (e *engine) tell() {
	close(e.news)
	e.news = make(chan struct{})
}

// stir lets those who wait look again, for what is not in the view: peers.
func (e *engine) stir() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tell()
}

// look is the present view, and a channel that is closed when it changes.
func (e *engine) look() (view, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.view, e.news
}
