package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A DB is the database of a node. One writer at a time; readers do not wait for it. Methods may be called concurrently.
type DB struct {
	path string
	w, r *sql.DB

	writing chan struct{} // holds one value while a transaction may write
	reading chan struct{} // one for each that reads

	mu       sync.Mutex // guards prepared
	prepared map[prepared]*sql.Stmt

	touched touches
}

// prepared names a statement: each is parsed once a connection.
type prepared struct {
	on    *sql.DB
	query string
}

// maxReaders is how many transactions read at once. Statements are parsed on connections beside theirs.
const maxReaders = 4

// suspect is the mark that a database was found corrupt while it was open: the next Open moves it aside.
const suspect = ".suspect"

// Open opens or makes the database, and brings its tables up to date. One that is corrupt is moved aside to
// PATH.corrupt-TIME, and a new one made: Corrupt then says where it is. A newer version's is an error.
func Open(path string) (d *DB, aside string, err error) {
	if _, err := os.Stat(path + suspect); err == nil {
		if aside, err = moveAside(path); err != nil {
			return nil, "", err
		}
	}
	d, err = open(path)
	if err != nil && isCorrupt(err) {
		if aside, err = moveAside(path); err != nil {
			return nil, "", err
		}
		d, err = open(path)
	}
	if err != nil {
		return nil, "", fmt.Errorf("opening the database %s: %w", path, err)
	}
	return d, aside, nil
}

// OpenToRead opens a database that another process may be writing, for View alone. os.ErrNotExist when there is none.
func OpenToRead(path string) (*DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	d := newDB(path)
	var err error
	if d.r, err = sql.Open("sqlite", dsn(path, readerCache, "&_pragma=query_only(1)")); err != nil {
		return nil, err
	}
	var v int
	if err = d.r.QueryRow("PRAGMA user_version").Scan(&v); err == nil && v > len(migrations) {
		err = errNewer(v)
	} else if err == nil && v != len(migrations) {
		err = fmt.Errorf("it is of another version (%d, this one knows %d): start a node once to bring it up to date", v, len(migrations))
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("opening the database %s: %w", path, err)
	}
	return d, nil
}

func newDB(path string) *DB {
	return &DB{path: path, prepared: map[prepared]*sql.Stmt{}, writing: make(chan struct{}, 1), reading: make(chan struct{}, maxReaders)}
}

var errReadOnly = errors.New("the database was opened to be read")

func open(path string) (_ *DB, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite would follow umask; keys of files are in there
	if err != nil {
		return nil, err
	}
	f.Close()
	d := newDB(path)
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if d.w, err = sql.Open("sqlite", dsn(path, writerCache, "&_txlock=immediate")); err != nil {
		return nil, err
	}
	d.w.SetMaxIdleConns(idleWriters)
	if err := d.migrate(); err != nil {
		return nil, err
	}
	if d.r, err = sql.Open("sqlite", dsn(path, readerCache, "&_pragma=query_only(1)")); err != nil {
		return nil, err
	}
	d.r.SetMaxIdleConns(idleReaders)
	return d, nil
}

// Connections that are kept while nobody uses them: those of transactions, and one beside them to parse statements.
const idleWriters, idleReaders = 2, maxReaders + 1

// Rest closes the connections that nobody uses now, with their page caches. They are opened again when they are needed.
func (d *DB) Rest() {
	if d.w == nil {
		return
	}
	d.w.SetMaxIdleConns(0)
	d.w.SetMaxIdleConns(idleWriters)
	d.r.SetMaxIdleConns(0)
	d.r.SetMaxIdleConns(idleReaders)
}

// Page caches of a connection in KiB. There are many that read; the system caches the file for them.
const writerCache, readerCache = 16_000, 4_000

func dsn(path string, cache int, more string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return u.String() + fmt.Sprintf("?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-%d)&_pragma=temp_store(MEMORY)", cache) + more
}

func (d *DB) migrate() error {
	var v int
	if err := d.w.QueryRow("PRAGMA user_version").Scan(&v); err != nil {
		return err
	}
	if v > len(migrations) {
		return errNewer(v)
	}
	for ; v < len(migrations); v++ {
		tx, err := d.w.Begin()
		if err != nil {
			return err
		}
		if _, err = tx.Exec(migrations[v]); err == nil {
			_, err = tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", v+1))
		}
		if err != nil {
			_ = tx.Rollback()
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	// A page that is no page shows when each table's first is read.
	for _, table := range []string{"node", "share", "base", "todo", "journal", "head", "blob", "archive"} {
		row := d.w.QueryRow("SELECT 1 FROM " + table + " LIMIT 1")
		var one int
		if err := row.Scan(&one); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return nil
}

// errNewer says that a database is of a later version; it stays as it is.
func errNewer(v int) error {
	return fmt.Errorf("it is of a newer shoal (version %d, this one knows %d)", v, len(migrations))
}

func moveAside(path string) (string, error) {
	aside := path + ".corrupt-" + time.Now().UTC().Format("20060102-150405")
	if err := os.Rename(path, aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+end, aside+end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	if err := os.Remove(path + suspect); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return aside, nil
}

func isCorrupt(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// Path is where the database is.
func (d *DB) Path() string { return d.path }

// Close writes everything back and closes. It may be called twice.
func (d *DB) Close() error {
	var errs []error
	for _, p := range []*sql.DB{d.r, d.w} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(errs...)
}

// Scrub writes the file anew, without what was overwritten or removed.
func (d *DB) Scrub(ctx context.Context) error {
	if d.w == nil {
		return errReadOnly
	}
	for _, q := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := d.w.ExecContext(ctx, q); err != nil {
			return d.note(err)
		}
	}
	return nil
}

// A Tx is one transaction: all of it happens, durably, or nothing. It is good only inside the function it was given to.
type Tx struct {
	ctx context.Context
	db  *DB
	on  *sql.DB
	tx  *sql.Tx
	st  map[string]*sql.Stmt
}

// Update runs f in a transaction that may write. Only one runs at a time. When f fails nothing has happened.
func (d *DB) Update(ctx context.Context, f func(*Tx) error) error {
	if d.w == nil {
		return errReadOnly
	}
	return d.run(ctx, d.w, d.writing, f)
}

// View runs f in a transaction that only reads, on one state of the database.
func (d *DB) View(ctx context.Context, f func(*Tx) error) error { return d.run(ctx, d.r, d.reading, f) }

func (d *DB) run(ctx context.Context, on *sql.DB, turn chan struct{}, f func(*Tx) error) (err error) {
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	tx, err := on.BeginTx(ctx, nil)
	if err != nil {
		return d.note(err)
	}
	defer func() {
		if p := recover(); p != nil {
			_ = tx.Rollback()
			panic(p)
		}
	}()
	if err := f(&Tx{ctx, d, on, tx, map[string]*sql.Stmt{}}); err != nil {
		_ = tx.Rollback()
		return d.note(err)
	}
	return d.note(tx.Commit())
}

// note remembers that the file is corrupt for the next start: it can be made anew, but not under those who use it.
func (d *DB) note(err error) error {
	if err != nil && isCorrupt(err) {
		_ = os.WriteFile(d.path+suspect, nil, 0o600)
		return fmt.Errorf("the database %s is corrupt and will be moved aside at the next start: %w", d.path, err)
	}
	return err
}

// stmt is a prepared statement.
func (t *Tx) stmt(q string) (*sql.Stmt, error) {
	if s := t.st[q]; s != nil {
		return s, nil
	}
	s, err := t.db.prepare(t.ctx, t.on, q)
	if err != nil {
		return nil, err
	}
	s = t.tx.StmtContext(t.ctx, s)
	t.st[q] = s
	return s, nil
}

// prepare parses a statement that was not met before. Where there is one connection, the transaction has it: then the
// statement is parsed by that alone.
func (d *DB) prepare(ctx context.Context, on *sql.DB, q string) (*sql.Stmt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.prepared[prepared{on, q}]; s != nil {
		return s, nil
	}
	s, err := on.PrepareContext(ctx, q)
	if err == nil {
		d.prepared[prepared{on, q}] = s
	}
	return s, err
}

func (t *Tx) exec(q string, args ...any) error {
	s, err := t.stmt(q)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(t.ctx, args...)
	return err
}

// one scans the only row of a query; false without a row.
func (t *Tx) one(q string, args []any, dst ...any) (bool, error) {
	s, err := t.stmt(q)
	if err != nil {
		return false, err
	}
	err = s.QueryRowContext(t.ctx, args...).Scan(dst...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// each calls f for every row of a query.
func (t *Tx) each(q string, args []any, f func(*sql.Rows) error) error {
	s, err := t.stmt(q)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(t.ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
