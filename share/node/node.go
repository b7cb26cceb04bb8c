package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"shoal/bt"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/secret"
	"shoal/share/vault"
)

// Options say where a node lives and what it may use. Home must be set; the zero value of the rest is right for a node
// that meets nobody.
type Options struct {
	Home   string // state folder, mode 0700; only one node at a time has it
	Label  string // how this node introduces itself; "" = the host's name
	Net    Net    // nil: nobody is met
	Watch  bool   // look at folders as they change, not only at the start and each hour
	Logger *slog.Logger

	Hosts    []string // host:port, where to look for nodes of every share
	Trackers []string // likewise

	Torrents TorrentOptions // beside shares

	// Password asks for the master password, where the secrets are locked. nil, or "": they stay locked until Unlock.
	Password func(context.Context) (string, error)

	// For simulations.
	Now        func() time.Time
	Random     io.Reader
	OpenFS     func(dir string) (disk.FS, error)
	Continuity Continuity
	DirWait    time.Duration // between two looks at a directory that is missing; 0 = disk.SecondDir
	Vault      *vault.Vault
}

// A Node is all shares of a machine: one process owns the state folder. Its methods may be called concurrently.
type Node struct {
	log        *slog.Logger
	home       string
	label      string
	db         *db.DB
	net        Net
	watch      bool
	now        func() time.Time
	random     io.Reader
	openFS     func(string) (disk.FS, error)
	continuity Continuity
	dirWait    time.Duration
	transfers  *transfers
	torrents   *torrents
	pieces     *pieceCache
	hashed     atomic.Int64 // bytes of files that were hashed
	read       atomic.Int64 // bytes of pieces that came, and that went
	written    atomic.Int64
	lock       *os.File
	hosts      []string
	trackers   []string
	secrets    *keyring
	ages       *ages
	minder     *minder
	collecting sync.Mutex // held by a collection
	invites    *inviter
	linking    sync.Mutex                        // held while shares that came by links come and go
	run        [8]byte                           // of this process: see wire.Hello
	moving     gate                              // held while an engine is replaced by one with other keys
	rekeying   atomic.Pointer[func(step string)] // told of each step, for tests
	movers     sync.WaitGroup                    // of those who do that

	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex // guards what follows
	running bool
	closed  bool
	engines map[string]*engine      // by name
	dormant []db.Share              // whose secrets are not open
	stepped map[secret.ShareID]bool // exports whose present epochs were made here
}

// Open takes the state folder and everything in it. bt.Busy when another process has it. Run starts to work.
func Open(ctx context.Context, opts Options) (_ *Node, err error) {
	n := &Node{log: opts.Logger, home: opts.Home, label: opts.Label, net: opts.Net, watch: opts.Watch, now: opts.Now, random: opts.Random,
		openFS: opts.OpenFS, continuity: opts.Continuity, dirWait: opts.DirWait, hosts: opts.Hosts, trackers: opts.Trackers,
		secrets: &keyring{vault: opts.Vault}}
	n.defaults(ctx)
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	if _, err := io.ReadFull(n.random, n.run[:]); err != nil {
		return nil, fmt.Errorf("opening the state folder: %w", err)
	}
	if err := os.MkdirAll(n.home, 0o700); err != nil {
		return nil, ioError("opening the state folder", err)
	}
	if n.lock, err = lockHome(n.home); err != nil {
		return nil, err
	}
	path := filepath.Join(n.home, "node.db")
	var aside string
	if n.db, aside, err = db.Open(path); err != nil {
		return nil, ioError("opening the node's state", err)
	}
	if aside != "" {
		n.log.Error("the database was corrupt: it has been moved aside, and shares must be added again", "to", aside)
	}
	if n.continuity == nil {
		n.continuity = openContinuity(path)
	}
	n.torrents = newTorrents(n, opts.Torrents)
	if err := n.load(ctx, opts.Password); err != nil {
		return nil, err
	}
	if err := checkWatched(opts.Torrents.Watch); err != nil {
		return nil, err
	}
	return n, n.torrents.listen(ctx)
}

// OpenToRead opens a state folder to look at it, whoever has it: nothing can be changed, and nobody is met. A folder
// without state has no shares.
func OpenToRead(ctx context.Context, opts Options) (_ *Node, err error) {
	n := &Node{log: opts.Logger, home: opts.Home, label: opts.Label, now: opts.Now, openFS: opts.OpenFS, continuity: noContinuity{}, secrets: &keyring{vault: opts.Vault}}
	n.defaults(ctx)
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	n.db, err = db.OpenToRead(filepath.Join(n.home, "node.db"))
	n.torrents = newTorrents(n, TorrentOptions{})
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return nil, ioError("reading the node's state", err)
	}
	return n, n.load(ctx, opts.Password)
}

func (n *Node) defaults(ctx context.Context) {
	n.moving = make(gate, 1)
	n.engines, n.pieces, n.transfers = map[string]*engine{}, newPieceCache(64<<20), newTransfers(n)
	if n.secrets.vault == nil {
		n.secrets.vault = vault.At(n.home)
	}
	n.ctx, n.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if n.label == "" {
		n.label, _ = os.Hostname()
	}
	n.label = strings.ToValidUTF8(n.label[:min(len(n.label), 64)], "")
	if n.now == nil {
		n.now = time.Now
	}
	if n.random == nil {
		n.random = rand.Reader
	}
	if n.openFS == nil {
		n.openFS = disk.OpenFS
	}
	n.ages, n.minder, n.invites = newAges(n.now), newMinder(n), newInviter(n)
}

// load reads what the node knows.
func (n *Node) load(ctx context.Context, password func(context.Context) (string, error)) error {
	if err := n.db.View(ctx, n.readShares); err != nil {
		return ioError("reading the node's state", err)
	}
	return n.loadSecrets(ctx, password)
}

func (n *Node) readShares(t *db.Tx) (err error) {
	if err := n.ages.load(t); err != nil {
		return err
	}
	if n.dormant, err = t.Shares(); err != nil {
		return err
	}
	return n.torrents.load(t)
}

// Run keeps all shares in sync until ctx is done or Close is called.
func (n *Node) Run(ctx context.Context) error {
	n.Start()
	select {
	case <-ctx.Done():
	case <-n.ctx.Done():
	}
	return nil
}

// Start begins to keep all shares in sync.
func (n *Node) Start() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running || n.closed {
		return
	}
	n.running = true
	n.minder.start()
	for _, e := range n.engines {
		e.start()
	}
	n.torrents.start()
	n.invites.start()
}

// Close stops everything, and gives the state folder back. It may be called twice.
func (n *Node) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	n.mu.Unlock()
	n.cancel()
	n.movers.Wait()
	n.mu.Lock()
	engines := maps.Clone(n.engines)
	n.mu.Unlock()
	n.minder.wg.Wait()
	n.invites.stop()
	for _, e := range engines {
		e.stop()
	}
	if n.torrents != nil {
		n.torrents.close()
	}
	var errs []error
	if n.net != nil {
		errs = append(errs, n.net.Close())
	}
	if n.continuity != nil {
		errs = append(errs, n.continuity.Close())
	}
	if n.db != nil {
		errs = append(errs, n.db.Close())
	}
	if n.lock != nil {
		bt.Funlock(n.lock)
		errs = append(errs, n.lock.Close())
	}
	return errors.Join(errs...)
}

// ioError is an error of the machine, with the code that it has on the command line.
func ioError(what string, err error) error {
	var coded *bt.Error
	if errors.As(err, &coded) {
		return err
	}
	return &bt.Error{Code: bt.IO, Err: fmt.Errorf("%s: %w", what, err)}
}
