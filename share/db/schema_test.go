package db

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"shoal/share/index"
	"shoal/share/internal/golden"
)

// earlier makes a database as a version of this program made it, with the first v migrations.
func earlier(t *testing.T, v int, fill ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "node.db")
	raw, err := sql.Open("sqlite", dsn(path, writerCache, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, q := range append(append(append([]string{}, migrations[:v]...), fill...), fmt.Sprintf("PRAGMA user_version = %d", v)) {
		if _, err := raw.Exec(q); err != nil {
			t.Fatalf("version %d: %v\n%s", v, err, q)
		}
	}
	return path
}

// schema is what a database has, as text.
func schema(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := sql.Open("sqlite", dsn(path, readerCache, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	rows, err := raw.Query("SELECT type, name, coalesce(sql, '') FROM sqlite_master ORDER BY type, name")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b bytes.Buffer
	for rows.Next() {
		var kind, name, text string
		if err := rows.Scan(&kind, &name, &text); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "-- %s %s\n%s\n", kind, name, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What a version's database looked like is frozen: there are some on people's disks.
func TestSchemasAreFrozen(t *testing.T) {
	var all bytes.Buffer
	for v := 1; v <= len(migrations); v++ {
		fmt.Fprintf(&all, "version %d: %x\n", v, sha256.Sum256([]byte(migrations[v-1])))
	}
	golden.Check(t, "migrations.txt", all.Bytes())
	golden.Check(t, "schema-1.sql", schema(t, earlier(t, 1)))
	golden.Check(t, fmt.Sprintf("schema-%d.sql", len(migrations)), schema(t, earlier(t, len(migrations))))
}

// A database of each earlier version is brought up to date with all that is in it, and is then as one that was made today.
func TestEarlier(t *testing.T) {
	t.Parallel()
	dot, root := strings.Repeat("ab", 8), strings.Repeat("cd", 64)
	fill := []string{
		"INSERT INTO node VALUES('seed', x'0102')",
		"INSERT INTO share(id, name, dir, token, options, added, created, ctx, files, writer, counter) VALUES(x'" + strings.Repeat("11", 32) +
			"', 'photos', '/photos', 'ref', '{}', 77, 1, x'" + dot + "0000000000000005', x'" + root + "', x'" + dot + "', 5)",
		"INSERT INTO base(share, dir, name, type, dots, mtime, mode, size, flags, isize, imtime, ictime, inode, dev, imode) VALUES(1, '', 'a.jpg', " +
			fmt.Sprint(int(index.File)) + ", x'" + dot + "0000000000000005', 1, 420, 3, 1, 3, 1, 2, 9, 8, 420)",
		"INSERT INTO blob VALUES(1, x'" + strings.Repeat("01", 32) + "', 3, x'616263')",
		"INSERT INTO archive(share, name, path, size, added, dots, isize, imtime, ictime, inode, dev, imode) VALUES(1, 'old~', 'old', 4, 99, x'" + dot + "0000000000000004', 4, 1, 2, 3, 8, 420)",
	}
	want := schema(t, earlier(t, len(migrations)))
	var first *Share
	for v := 1; v <= len(migrations); v++ {
		path := earlier(t, v, fill...)
		if v < len(migrations) {
			if d, err := OpenToRead(path); err == nil || !strings.Contains(err.Error(), "start a node once") {
				t.Errorf("version %d is read as it is: %v, %v", v, d, err)
			}
		}
		d, aside, err := Open(path)
		if err != nil || aside != "" {
			t.Fatalf("version %d: %q, %v", v, aside, err)
		}
		update(t, d, func(tx *Tx) error {
			all, err := tx.Shares()
			if err != nil || len(all) != 1 || all[0].Name != "photos" || all[0].State.Ctx[index.Writer([]byte("\xab\xab\xab\xab\xab\xab\xab\xab"))] != 5 || all[0].Counter != 5 {
				t.Errorf("version %d: %+v, %v", v, all, err)
				return err
			}
			if first == nil {
				first = &all[0]
			} else if !reflect.DeepEqual(all[0], *first) {
				t.Errorf("version %d: %+v, from the first it is %+v", v, all[0], first)
			}
			row, err := tx.Base(1, "a.jpg")
			if err != nil || row == nil || row.Size != 3 || row.Ident.Inode != 9 {
				t.Errorf("version %d: %+v, %v", v, row, err)
			}
			old, err := tx.Archived(1)
			if err != nil || len(old) != 1 || old[0].Row.Path != "old" || !old[0].Added.Equal(time.Unix(99, 0)) {
				t.Errorf("version %d: %+v, %v", v, old, err)
			}
			return err
		})
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if got := schema(t, path); !bytes.Equal(got, want) {
			t.Errorf("version %d became another database:\n%s", v, got)
		}
	}
}

// A database of a later version is refused, by name, and not a byte of it is touched.
func TestNewer(t *testing.T) {
	t.Parallel()
	path := earlier(t, len(migrations), "CREATE TABLE tomorrow(x)", "INSERT INTO tomorrow VALUES(1)")
	raw, err := sql.Open("sqlite", dsn(path, writerCache, ""))
	if err == nil {
		_, err = raw.Exec("PRAGMA user_version = 1000")
	}
	if err == nil {
		err = raw.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, aside, err := Open(path); err == nil || aside != "" || !strings.Contains(err.Error(), "newer shoal (version 1000") {
		t.Error(aside, err)
	}
	if _, err := OpenToRead(path); err == nil || !strings.Contains(err.Error(), "newer shoal (version 1000") {
		t.Error(err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("it was written to: %v", err)
	}
	if left, err := filepath.Glob(path + "?*"); err != nil || len(left) > 0 {
		t.Errorf("beside it is %q, %v", left, err)
	}
}
