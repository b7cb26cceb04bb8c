package disk

import (
	"time"

	"shoal/share/blob"
	"shoal/share/index"
)

// An Intent is an Op that is about to happen, with what is needed to finish it after a crash.
type Intent struct {
	Seq     int         // order within Pending
	When    time.Time   // when it was begun
	Op      Op          // of PutSymlink with the Temp that the Applier made
	Temp    index.Ident // of Put and PutSymlink: what comes to Path
	Archive string      // where what comes out goes; "" when nothing does
}

// Intents is what survives a crash of what the Applier is doing (docs/shares.md §6.1b, §6.3). What a method recorded is
// durable when it returns; each is one transaction. An intent is named by Op.Path: of one path there is one at most.
type Intents interface {
	Begin([]Intent) error
	// End forgets the intents of these outcomes. Of those that are Done it also replaces the row of Op.Old (which a rename
	// takes from another path) by Outcome.Row, and adds the row of what was archived.
	End([]Outcome) error
	Pending() ([]Intent, error)
}

// An Archived is a file, directory or symbolic link in the archive.
type Archived struct {
	Name  string // where it is, below Archive of its device
	Path  string // where it was
	Ident index.Ident
	Added time.Time
	Size  int64 // of the content
	Hash  [32]byte
	Caps  []blob.Cap // what it can be served for; nil when that is not known
	Dots  []index.Dot
}

// A Shelf has the rows of the archive (docs/shares.md §6.4). Each method is one transaction.
type Shelf interface {
	Archived() ([]Archived, error) // oldest first
	AddArchived([]Archived) error
	DropArchived(names []string) error
}
