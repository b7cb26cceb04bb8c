-- index archive_cap
CREATE INDEX archive_cap ON archive(share, substr(caps, 1, 32)) WHERE caps IS NOT NULL
-- index archive_path
CREATE INDEX archive_path ON archive(share, path)
-- index base_cap
CREATE INDEX base_cap ON base(share, substr(caps, 1, 32)) WHERE caps IS NOT NULL
-- index base_hash
CREATE INDEX base_hash ON base(share, hash) WHERE hash IS NOT NULL
-- index base_inode
CREATE INDEX base_inode ON base(share, inode) WHERE flags & 1
-- index base_natural
CREATE INDEX base_natural ON base(share, natural) WHERE natural IS NOT NULL
-- index invite_share
CREATE INDEX invite_share ON invite(share)
-- index sqlite_autoindex_data_1

-- index sqlite_autoindex_share_1

-- index sqlite_autoindex_share_2

-- index taken_at
CREATE INDEX taken_at ON taken(share, at)
-- table archive
CREATE TABLE archive(
	share INTEGER NOT NULL,
	name  TEXT NOT NULL,                  -- below the archive
	path  TEXT NOT NULL,
	size  INTEGER NOT NULL,
	added INTEGER NOT NULL,               -- unix seconds
	hash  BLOB,
	caps  BLOB,
	dots  BLOB NOT NULL,
	isize INTEGER NOT NULL, imtime INTEGER NOT NULL, ictime INTEGER NOT NULL,
	inode INTEGER NOT NULL, dev INTEGER NOT NULL, imode INTEGER NOT NULL, aged INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY(share, name)
) WITHOUT ROWID
-- table base
CREATE TABLE base(                       -- B: a row per name on disk, or wanted there
	share   INTEGER NOT NULL,
	dir     TEXT NOT NULL,
	name    TEXT NOT NULL,
	natural TEXT,                         -- NULL = as shown
	type    INTEGER NOT NULL,
	dots    BLOB NOT NULL,
	mtime   INTEGER NOT NULL,
	mode    INTEGER NOT NULL,             -- -1 = none
	size    INTEGER NOT NULL,
	hash    BLOB,
	caps    BLOB,
	value   BLOB,
	flags   INTEGER NOT NULL,
	isize   INTEGER NOT NULL, imtime INTEGER NOT NULL, ictime INTEGER NOT NULL,
	inode   INTEGER NOT NULL, dev INTEGER NOT NULL, imode INTEGER NOT NULL,
	PRIMARY KEY(share, dir, name)
) WITHOUT ROWID
-- table blob
CREATE TABLE blob(                       -- what is kept as bytes, and may be given to peers of this share
	share INTEGER NOT NULL,
	id    BLOB NOT NULL,
	size  INTEGER NOT NULL,
	bytes BLOB,                           -- NULL = in a file
	PRIMARY KEY(share, id)
) WITHOUT ROWID
-- table data
CREATE TABLE data(                       -- torrents of large files whose pieces are, or may be, on this machine
	n     INTEGER PRIMARY KEY AUTOINCREMENT,
	share INTEGER NOT NULL,
	info  BLOB NOT NULL,
	hash  BLOB NOT NULL,                  -- infohash: the name of a store's file
	state INTEGER NOT NULL,
	bytes INTEGER NOT NULL DEFAULT 0,     -- of a store: those of pieces in its own file
	UNIQUE(share, info)
)
-- table head
CREATE TABLE head(
	share      INTEGER NOT NULL,
	id         BLOB NOT NULL,
	epoch      INTEGER NOT NULL,
	writer     BLOB NOT NULL,
	ctx        BLOB NOT NULL,
	root       BLOB NOT NULL,
	complete   INTEGER NOT NULL,
	mine       INTEGER NOT NULL,
	merged     INTEGER NOT NULL,          -- it is in the state
	received   INTEGER NOT NULL,          -- unix seconds
	superseded INTEGER NOT NULL DEFAULT 0,-- unix seconds since when a complete head dominates it
	PRIMARY KEY(share, id)
) WITHOUT ROWID
-- table held
CREATE TABLE held(
	share INTEGER NOT NULL,
	path  TEXT NOT NULL,                  -- natural
	op    TEXT NOT NULL,
	why   TEXT NOT NULL,
	since INTEGER NOT NULL,
	PRIMARY KEY(share, path)
) WITHOUT ROWID
-- table intent
CREATE TABLE intent(
	share INTEGER NOT NULL,
	path  TEXT NOT NULL,
	body  BLOB NOT NULL,                  -- JSON
	PRIMARY KEY(share, path)
) WITHOUT ROWID
-- table invite
CREATE TABLE invite(
	id      BLOB PRIMARY KEY,             -- H(code)
	share   INTEGER NOT NULL,
	role    TEXT NOT NULL,
	label   TEXT NOT NULL,
	approve INTEGER NOT NULL,             -- a person must say yes
	added   INTEGER NOT NULL,             -- unix seconds, as all times here
	expires INTEGER NOT NULL,
	changed INTEGER NOT NULL,
	state   TEXT NOT NULL,
	pk      BLOB NOT NULL,                -- who came first; empty = nobody yet
	box     BLOB NOT NULL,
	sigj    BLOB NOT NULL,
	name    TEXT NOT NULL,
	others  INTEGER NOT NULL,             -- how often somebody else tried it
	other   BLOB NOT NULL                 -- the last of those
) WITHOUT ROWID
-- table journal
CREATE TABLE journal(                    -- own events
	share   INTEGER NOT NULL,
	writer  BLOB NOT NULL,
	counter INTEGER NOT NULL,
	meta    INTEGER NOT NULL,             -- of the tree of members and the like
	added_at TEXT NOT NULL,
	added   BLOB,                         -- the entry without refs; NULL = the event only removed
	ids     BLOB NOT NULL,                -- what its refs name
	removed_at TEXT NOT NULL,
	removed BLOB NOT NULL,
	covered INTEGER NOT NULL DEFAULT 0,   -- unix seconds since when a peer's head covers it
	PRIMARY KEY(share, writer, counter)
) WITHOUT ROWID
-- table keep
CREATE TABLE keep(                       -- promises given
	share INTEGER NOT NULL,
	unit  BLOB NOT NULL,
	until INTEGER NOT NULL,
	PRIMARY KEY(share, unit)
) WITHOUT ROWID
-- table large
CREATE TABLE large(                      -- torrents of large files: which recipe an info belongs to
	share  INTEGER NOT NULL,
	info   BLOB NOT NULL,
	recipe BLOB NOT NULL,
	size   INTEGER NOT NULL,
	PRIMARY KEY(share, info)
) WITHOUT ROWID
-- table member
CREATE TABLE member(                     -- nodes that an admin ever saw listed
	share   INTEGER NOT NULL,
	pk      BLOB NOT NULL,
	record  BLOB NOT NULL,                -- one value of its entry: there may be several
	removed INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY(share, pk, record)
) WITHOUT ROWID
-- table moved
CREATE TABLE moved(                      -- epochs that are over
	share INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	id    BLOB NOT NULL,                  -- of the MOVED that says so; '' = it has not come yet
	at    INTEGER NOT NULL,               -- since when it is known, by the clock of ages
	twice INTEGER NOT NULL DEFAULT 0,     -- another MOVED leads to the same epoch
	PRIMARY KEY(share, epoch)
) WITHOUT ROWID
-- table node
CREATE TABLE node(
	key   TEXT PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID
-- table owed
CREATE TABLE owed(                       -- own removals of entries that the present epoch does not know
	share   INTEGER NOT NULL,
	meta    INTEGER NOT NULL,
	path    TEXT NOT NULL,
	writer  BLOB NOT NULL,
	counter INTEGER NOT NULL,
	PRIMARY KEY(share, meta, path, writer, counter)
) WITHOUT ROWID
-- table peer
CREATE TABLE peer(
	share INTEGER NOT NULL,
	addr  TEXT NOT NULL,
	pk    BLOB,
	last  INTEGER NOT NULL,
	fails INTEGER NOT NULL,
	PRIMARY KEY(share, addr)
) WITHOUT ROWID
-- table piece
CREATE TABLE piece(                      -- where the pieces of a SHA-1 are
	sum  INTEGER NOT NULL,                -- its first 8 bytes; what is found is verified
	data INTEGER NOT NULL,
	i    INTEGER NOT NULL,
	PRIMARY KEY(sum, data, i)
) WITHOUT ROWID
-- table problem
CREATE TABLE problem(
	share INTEGER NOT NULL,
	path  TEXT NOT NULL,
	kind  TEXT NOT NULL,                  -- what found it: scan, read, apply
	why   TEXT NOT NULL,
	since INTEGER NOT NULL,
	PRIMARY KEY(share, path)
) WITHOUT ROWID
-- table share
CREATE TABLE share(
	n       INTEGER PRIMARY KEY,          -- what other tables call it
	id      BLOB NOT NULL UNIQUE,         -- A
	name    TEXT NOT NULL UNIQUE,
	dir     TEXT NOT NULL,                -- '' = no folder: a store, or only links
	token   TEXT NOT NULL,                -- which of the tokens in the vault
	options BLOB NOT NULL,                -- JSON
	paused  INTEGER NOT NULL DEFAULT 0,
	added   INTEGER NOT NULL,             -- unix seconds
	created INTEGER NOT NULL DEFAULT 0,   -- made here: it need not wait for a first head
	cert    BLOB NOT NULL DEFAULT x'',    -- of the epoch
	ctx     BLOB NOT NULL DEFAULT x'',
	files   BLOB NOT NULL DEFAULT x'',    -- cap of the tree of files
	meta    BLOB NOT NULL DEFAULT x'',
	writer  BLOB NOT NULL DEFAULT x'',    -- current own writer id
	counter INTEGER NOT NULL DEFAULT 0,
	walked  INTEGER NOT NULL DEFAULT 0    -- unix seconds of the last whole walk
, policy BLOB NOT NULL DEFAULT x'', moving INTEGER NOT NULL DEFAULT 0)
-- table signed
CREATE TABLE signed(                     -- heads that this node signed, also those that are no longer kept
	share INTEGER NOT NULL,
	id    BLOB NOT NULL,
	PRIMARY KEY(share, id)
) WITHOUT ROWID
-- table sqlite_sequence
CREATE TABLE sqlite_sequence(name,seq)
-- table taken
CREATE TABLE taken(                      -- what the guard counts: removed and replaced by others
	share INTEGER NOT NULL,
	path  TEXT NOT NULL,
	at    INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	PRIMARY KEY(share, path)
) WITHOUT ROWID
-- table todo
CREATE TABLE todo(                       -- natural paths where disk and state may differ
	share INTEGER NOT NULL,
	path  TEXT NOT NULL,
	PRIMARY KEY(share, path)
) WITHOUT ROWID
-- table torrent
CREATE TABLE torrent(                    -- what the node seeds or fetches beside shares
	infohash TEXT PRIMARY KEY,
	body     BLOB NOT NULL                -- JSON
) WITHOUT ROWID
-- table volume
CREATE TABLE volume(                     -- the largest size of a share on a day
	share INTEGER NOT NULL,
	day   INTEGER NOT NULL,               -- of the clock of ages
	bytes INTEGER NOT NULL,
	PRIMARY KEY(share, day)
) WITHOUT ROWID
