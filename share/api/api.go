// Package api is what can be asked of the shares of a machine, and how one process asks another: HTTP and JSON over a Unix
// socket (docs/api.md).
//
// [Shares] and [Torrents] are implemented twice: by the node, and by [Client], which asks a node that runs in another
// process. [Listen] and [Serve] are the other end of that. Who listens holds the lock of the state folder.
//
// What takes long tells how it goes through its context ([WithProgress]).
package api

import (
	"context"
	"time"
)

// Shares is what can be asked of the shares of a machine: of the node in this process, or of one that runs.
// Names of shares may be cut to a unique beginning of their id. Errors are bt.Error with the codes of the command line.
type Shares interface {
	Invites

	Create(ctx context.Context, opts CreateOptions) (*ShareInfo, error)
	Add(ctx context.Context, opts AddOptions) (*ShareInfo, error)
	Remove(ctx context.Context, name string) error
	List(ctx context.Context) ([]ShareInfo, error)
	// Token is the text of the secret of a role. NotFound for one that this node lacks.
	Token(ctx context.Context, name, role string) (string, error)
	Status(ctx context.Context, name string) (*Status, error)
	Peers(ctx context.Context, name string) ([]PeerInfo, error)
	Members(ctx context.Context, name string) ([]MemberInfo, error)
	// Admit makes a connected node a member that came by a token. role is what it gets of the next keys; "" = what it says
	// that it is: a store, or a reader.
	Admit(ctx context.Context, name, node, role string) error
	Keys

	Ls(ctx context.Context, name, path string) ([]FileInfo, error)
	// Get fetches paths, and keeps them from now on. With out, it copies them there instead.
	Get(ctx context.Context, name string, paths []string, out string) ([]FileInfo, error)
	// Drop gives up the copies of paths here, once another node promised that it has them; Denied otherwise, unless forced.
	Drop(ctx context.Context, name string, paths []string, force bool) ([]FileInfo, error)
	// Free gives up the copies of files here, without the archive, of each when so many other nodes promise to keep it, and
	// have shown that they have it; Held when not all could go. It goes on when the caller no longer waits.
	Free(ctx context.Context, name string, paths []string, copies int) error
	// Promised asks other nodes for the promise to keep the file at path, which need not be here: Held when fewer than
	// copies of those that belong to the share give it (docs/shares.md §6.6).
	Promised(ctx context.Context, name, path string, copies int) (*Promise, error)

	// Sync runs shares (all, when none is named) until each is in sync with a peer, or its time is over.
	Sync(ctx context.Context, opts SyncOptions) ([]SyncResult, error)
	Conflicts(ctx context.Context, name string) ([]Conflict, error)
	// Resolve keeps one version of a conflict: "ours" (the newest of this node), "theirs", or its number.
	Resolve(ctx context.Context, name, path, keep string) error
	History(ctx context.Context, name, path string) ([]Version, error)
	Restore(ctx context.Context, name, path, at string) ([]FileInfo, error)
	Pause(ctx context.Context, name string, paused bool) error
	// Accept applies what is held, Reject (a writer) undoes it for all nodes.
	Accept(ctx context.Context, name string) (int, error)
	Reject(ctx context.Context, name string) (int, error)
	// Revert moves a read-only node's own changes to the archive.
	Revert(ctx context.Context, name, path string) ([]FileInfo, error)
	Check(ctx context.Context, name string, repair bool) (*CheckResult, error)

	Links
}

// Node is all that can be asked of a node.
type Node interface {
	Shares
	Torrents
	Secrets
}

// CreateOptions say what share to make.
type CreateOptions struct {
	Name    string      `json:"name"`
	Dir     string      `json:"dir"` // absolute; "" = only links
	Options ShareConfig `json:"options"`
}

// AddOptions say what share to join.
type AddOptions struct {
	Token   string      `json:"token"` // text or URL form, or the code of an invite
	Name    string      `json:"name"`  // "" = that of the URL or invite, else of the folder
	Dir     string      `json:"dir"`   // absolute; a store's ciphertext goes there
	Options ShareConfig `json:"options"`
	Seconds float64     `json:"seconds,omitempty"` // with an invite: how long to look for who gave it; 0 = 2 minutes
}

// ShareConfig is how this node takes part in a share.
type ShareConfig struct {
	Select   []string `json:"select,omitempty"`  // globs; when given, only these files are kept here
	Exclude  []string `json:"exclude,omitempty"` // globs that are not
	OnDemand bool     `json:"on_demand,omitempty"`
	Wanted   []string `json:"wanted,omitempty"` // paths fetched by Get, on demand
	Dropped  []string `json:"dropped,omitempty"`
	LANOnly  bool     `json:"lan_only,omitempty"`
	Hosts    []string `json:"hosts,omitempty"` // host:port, always redialled
	Trackers []string `json:"trackers,omitempty"`
	Quota    int64    `json:"quota,omitempty"`   // bytes of this share on this node; 0 = no limit
	Reserve  int64    `json:"reserve,omitempty"` // bytes that stay free on the disk; 0 = 16 MiB, < 0 = none

	InvitedBy string `json:"invited_by,omitempty"` // key of the node whose invite this one joined with
}

// ShareInfo is a share in a list.
type ShareInfo struct {
	Name   string      `json:"name"`
	ID     string      `json:"id"` // hex
	Role   string      `json:"role"`
	Dir    string      `json:"dir"`
	State  string      `json:"state"`
	Paused bool        `json:"paused"`
	Epoch  int         `json:"epoch"` // of its keys
	Added  time.Time   `json:"added"`
	Config ShareConfig `json:"config"`
}

// States of a share.
const (
	StateStopped  = "stopped" // no node runs
	StateLocked   = "locked"  // its secret is not open
	StateAbsent   = "absent"  // marker or mount missing
	StatePaused   = "paused"
	StateScanning = "scanning"
	StateWaiting  = "waiting" // joined, no peer met yet
	StateSyncing  = "syncing"
	StateInSync   = "in-sync"
	StateHeld     = "held"
	StateError    = "error"
)

// Status is what is going on in a share.
type Status struct {
	ShareInfo
	Sentence    string     `json:"sentence"` // for people
	Error       string     `json:"error,omitempty"`
	Files       int64      `json:"files"` // present here
	Bytes       int64      `json:"bytes"`
	TotalFiles  int64      `json:"total_files"` // in the share
	TotalBytes  int64      `json:"total_bytes"`
	NeedFiles   int64      `json:"need_files"` // wanted, not yet here
	NeedBytes   int64      `json:"need_bytes"`
	Conflicts   int64      `json:"conflicts"`
	Held        []HeldInfo `json:"held"`
	Problems    []Problem  `json:"problems"`
	Local       []string   `json:"local_changes"` // of a read-only node
	Peers       int        `json:"peers"`
	FullCopies  int        `json:"full_copies"` // other nodes that promise everything held here
	SafeToLeave bool       `json:"safe_to_switch_off"`
	Alarms      []string   `json:"alarms"`
	Full        string     `json:"full,omitempty"`       // why nothing more is taken
	Used        int64      `json:"used_bytes,omitempty"` // of a store
	Quota       int64      `json:"quota_bytes,omitempty"`
	Hashed      int64      `json:"hashed_bytes"` // since this process started
	DownBPS     int64      `json:"down_bps"`
	UpBPS       int64      `json:"up_bps"`
	Received    int64      `json:"received_bytes"`
	Sent        int64      `json:"sent_bytes"`
	Writers     []WriterAt `json:"writers"`
	Running     bool       `json:"running"` // a node is up
}

// HeldInfo is an operation that waits for a person, or for room.
type HeldInfo struct {
	Path  string    `json:"path"`
	Op    string    `json:"op"`
	Why   string    `json:"why"`
	Since time.Time `json:"since"`
}

// Problem is a path that is not shared, or cannot be put on disk here.
type Problem struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// WriterAt is the newest state known of a writer.
type WriterAt struct {
	Writer string    `json:"writer"`
	Node   string    `json:"node"` // its label, readers only
	At     time.Time `json:"at"`   // by its clock
}

// PeerInfo is a node that is connected, or was met.
type PeerInfo struct {
	Node      string    `json:"node"` // hex of its key in this share; "" until it proved one
	Addr      string    `json:"addr"`
	Connected bool      `json:"connected"`
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	InSync    bool      `json:"in_sync"`
	Missing   int64     `json:"missing_bytes"`
	Mode      string    `json:"mode"` // full or part
	Last      time.Time `json:"last"`
	Sent      int64     `json:"sent_bytes"`
	Received  int64     `json:"received_bytes"`
}

// MemberInfo is a node listed in the share, or seen without being listed.
type MemberInfo struct {
	Node   string   `json:"node"`
	Label  string   `json:"label"`
	Role   string   `json:"role"`
	By     []string `json:"by"`  // who admitted it, and so on up to the admin
	How    string   `json:"how"` // it joined: create, invite or token
	Listed bool     `json:"listed"`
	Self   bool     `json:"self"`
}

// FileInfo is one path of a share.
type FileInfo struct {
	Path    string    `json:"path"`
	Type    string    `json:"type"` // file, dir, symlink, link
	Size    int64     `json:"size"`
	MTime   time.Time `json:"mtime,omitzero"` // of files and symbolic links
	Present bool      `json:"present"`        // of a link: what it leads to is shown here
	Target  string    `json:"target,omitempty"`
	Natural string    `json:"conflict_of,omitempty"`
	Local   bool      `json:"local_change,omitempty"`
	Hash    string    `json:"hash,omitempty"` // hex of f of a file's content (docs/shares.md §2.2); "" of an empty file
}

// A Promise is what other nodes said of a file: that they have it, whole and verified, and keep it until a time.
type Promise struct {
	Copies int       `json:"copies"` // nodes that promise it, this one not among them; no more than were asked for
	Until  time.Time `json:"until"`
}

// SyncOptions say what to sync, and for how long.
type SyncOptions struct {
	Names []string      `json:"names"`
	For   time.Duration `json:"for"` // 0 = until in sync with a peer, at most 10 minutes
}

// SyncResult is how one share came out.
type SyncResult struct {
	Name     string  `json:"name"`
	Code     string  `json:"code"`              // of bt.OK, bt.NoPeers, NotInSync, Held, or that of an error
	Message  string  `json:"message,omitempty"` // "" with OK
	Hint     string  `json:"hint,omitempty"`
	Seconds  float64 `json:"seconds"`
	Received int64   `json:"received_bytes"`
	Sent     int64   `json:"sent_bytes"`
	Status   *Status `json:"status"`
}

// Conflict is a path with several versions.
type Conflict struct {
	Path     string    `json:"path"`
	Versions []Version `json:"versions"`
}

// Version is one version of a path.
type Version struct {
	N      int       `json:"n"` // from 1: the one that has the name
	Path   string    `json:"path"`
	Size   int64     `json:"size"`
	MTime  time.Time `json:"mtime"`
	Writer string    `json:"writer"`
	Ours   bool      `json:"ours"`
	Where  string    `json:"where"` // disk, archive, peers
	ID     string    `json:"version"`
}

// CheckResult is what the invariants say.
type CheckResult struct {
	Checked  int64     `json:"checked_files"`
	Bytes    int64     `json:"checked_bytes"`
	Problems []Problem `json:"problems"`
	Repaired int64     `json:"repaired"`
}
