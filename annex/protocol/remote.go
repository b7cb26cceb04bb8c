package protocol

import (
	"context"
	"errors"
)

// A Remote answers the requests of git-annex. Calls may be concurrent, as soon as Prepare has returned. ctx is done when
// git-annex has gone or the process is asked to end: what was begun is to be dropped then. A Job is good until the call
// returns.
//
// [ErrUnsupported] from any method tells git-annex that the remote cannot do that at all. Every other error is told to
// the user in one line. Embed [Unsupported] for what a remote does not have.
type Remote interface {
	Life
	Keys
	URLs
	About
	Exports
	Imports
}

// Life is how a remote begins and ends.
type Life interface {
	// Configs are the settings that initremote takes, besides those of git-annex itself. (LISTCONFIGS)
	Configs() []Config
	// Init sets the remote up at initremote and at each enableremote, so it must bear being called again. Only here
	// SetConfig and SetCreds are kept. (INITREMOTE)
	Init(ctx context.Context, j *Job) error
	// Prepare comes once in a process, before all that needs the remote. An error breaks every git annex addurl of the
	// repository, so it must not depend on the network, and must be quick. (PREPARE)
	Prepare(ctx context.Context, j *Job) error
	// Close is called once, after the last request. The process ends when it returns, and git-annex waits for that.
	Close() error
}

// Keys stores content by key. Keys of chunks and of encrypted content are keys like any other.
type Keys interface {
	// Store sends the content in file; what the remote has of the key already is replaced. (TRANSFER STORE)
	Store(ctx context.Context, j *Job, key, file string) error
	// Retrieve writes the content to file, which may be there with the beginning of it. It is to be written in order and
	// without holes, or replaced by a rename: git-annex hashes it while it grows. (TRANSFER RETRIEVE)
	Retrieve(ctx context.Context, j *Job, key, file string) error
	// Present reports whether the content is in the remote: true lets users drop their last copy. An error means that
	// this cannot be found out now. (CHECKPRESENT)
	Present(ctx context.Context, j *Job, key string) (bool, error)
	// Remove removes the content; that it is not there is no error. (REMOVE)
	Remove(ctx context.Context, j *Job, key string) error
}

// URLs is what a remote has that can fetch from URLs.
type URLs interface {
	// Claim reports whether the remote can fetch url. It is asked of every URL that the user adds. (CLAIMURL)
	Claim(ctx context.Context, j *Job, url string) (bool, error)
	// CheckURL says what is to be had at url. (CHECKURL)
	CheckURL(ctx context.Context, j *Job, url string) (URLContents, error)
}

// About is what a remote says of itself.
type About interface {
	// Cost is what using the remote costs; 100 is cheap, 200 expensive. (GETCOST)
	Cost(ctx context.Context, j *Job) (int, error)
	// Availability says from where the remote can be reached. (GETAVAILABILITY)
	Availability(ctx context.Context, j *Job) (Availability, error)
	// Ordered reports whether Retrieve writes in order. (GETORDERED)
	Ordered(ctx context.Context, j *Job) (bool, error)
	// Whereis says in a line where the content of a key is, "" for nothing to say, without the network. (WHEREIS)
	Whereis(ctx context.Context, j *Job, key string) (string, error)
	// Info is what git annex info shows of the remote, without the network. (GETINFO)
	Info(ctx context.Context, j *Job) ([]Field, error)
}

// Exports stores a tree under its names, which are slash-separated and relative.
type Exports interface {
	// ExportSupported is asked at initremote of a process that gets no settings, see Job. (EXPORTSUPPORTED)
	ExportSupported(ctx context.Context, j *Job) (bool, error)
	StoreExport(ctx context.Context, j *Job, key, name, file string) error     // TRANSFEREXPORT STORE
	RetrieveExport(ctx context.Context, j *Job, key, name, file string) error  // TRANSFEREXPORT RETRIEVE
	PresentExport(ctx context.Context, j *Job, key, name string) (bool, error) // CHECKPRESENTEXPORT
	RemoveExport(ctx context.Context, j *Job, key, name string) error          // REMOVEEXPORT
	RenameExport(ctx context.Context, j *Job, key, name, to string) error      // RENAMEEXPORT
	// RemoveExportDirectory removes a folder with all that is in it. (REMOVEEXPORTDIRECTORY)
	RemoveExportDirectory(ctx context.Context, j *Job, dir string) error
}

// Imports gives out a tree that others change. git-annex has it since 10.20260717.
type Imports interface {
	// ImportSupported is asked like ExportSupported. (IMPORTSUPPORTED)
	ImportSupported(ctx context.Context, j *Job) (Import, error)
	// ListImport is what is in the tree now. (LISTIMPORTABLECONTENTS)
	ListImport(ctx context.Context, j *Job) ([]Importable, error)
	RetrieveImport(ctx context.Context, j *Job, name, file string) error       // RETRIEVEIMPORT
	PresentImport(ctx context.Context, j *Job, key, name string) (bool, error) // CHECKPRESENTIMPORT
	// ImportKey is the key that a file has without being fetched; [ErrSkip] leaves the file out. (IMPORTKEY)
	ImportKey(ctx context.Context, j *Job, name string, size int64, id string) (key string, err error)
}

// ErrUnsupported is the answer to a request that a remote does not have.
var ErrUnsupported = errors.New("unsupported request")

// ErrSkip is the answer of ImportKey for a file that is to be left out.
var ErrSkip = errors.New("not imported")

// A Config is a setting of initremote.
type Config struct {
	Name string
	Text string // what it is for, in a line
}

// A Field is a line of git annex info.
type Field struct{ Name, Value string }

// URLContents is what is to be had at a URL.
type URLContents struct {
	Files []URLFile
	// Multi says that Files are several, each with a URL of its own. Else there is one, and its URL is that asked for.
	Multi bool
}

// A URLFile is a file that can be had at a URL.
type URLFile struct {
	URL  string
	Size int64  // bytes; negative when unknown
	Name string // slash-separated path that the file should get
}

// An Importable is a file of a tree. ID is anything that changes when the content does; it has no line break.
type Importable struct {
	Name string
	Size int64 // bytes
	ID   string
}

// Availability says from where a remote can be reached.
type Availability string

// The availabilities. To a git-annex that does not know UNAVAILABLE it is GLOBAL.
const (
	Global      Availability = "GLOBAL"
	Local       Availability = "LOCAL"
	Unavailable Availability = "UNAVAILABLE"
)

// Import says whether a remote gives out a tree.
type Import string

// The answers to IMPORTSUPPORTED. ImportRequired is for a remote that can do nothing else.
const (
	ImportNo       Import = "FAILURE"
	ImportYes      Import = "SUCCESS"
	ImportRequired Import = "REQUIRED"
)
