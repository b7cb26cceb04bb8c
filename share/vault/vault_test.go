package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/secret"
)

const password = "correct horse"

// token is an admin token made of a letter.
func token(t testing.TB, letter string) secret.Token {
	t.Helper()
	a, err := secret.NewAdmin(strings.NewReader(strings.Repeat(letter, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func weak(t testing.TB, a secret.Token, to secret.Role) secret.Token {
	t.Helper()
	w, err := a.Weaken(to)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// some are entries of each kind.
func some(t testing.TB) []Entry {
	a, b := token(t, "a"), token(t, "b")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return []Entry{
		{"photos", OfToken(a), at, "made here\nkeep it", []string{"family", "2 words"}},
		{`films; "and" <more>, é`, OfToken(weak(t, b, secret.Read)), at, "", nil},
		{"keep", OfToken(weak(t, b, secret.Store)), time.Time{}, "", nil},
		{"for Ben", OfInvite(secret.Invite{Code: [16]byte{1, 2, 3}}), at, "", nil},
		{"node key", OfSeed(secret.NodeSeed([]byte(strings.Repeat("n", 32)))), at, "", nil},
	}
}

func newVault(t testing.TB) *Vault {
	return AtCost(filepath.Join(t.TempDir(), "home"), 4)
}

func fill(t testing.TB, v *Vault, list []Entry) {
	t.Helper()
	if err := v.Keep(t.Context(), "", list...); err != nil {
		t.Fatal(err)
	}
}

// labels are the labels of a list, in order.
func labels(list []Entry) string {
	var all []string
	for _, e := range list {
		all = append(all, e.Label)
	}
	slices.Sort(all)
	return strings.Join(all, "|")
}

func wantRead(t *testing.T, v *Vault, password string, want []Entry) {
	t.Helper()
	list, err := v.Read(password)
	if err != nil || labels(list) != labels(want) {
		t.Fatalf("read %s, want %s: %v", labels(list), labels(want), err)
	}
}

func wantCode(t *testing.T, err error, code bt.Code) {
	t.Helper()
	if bt.CodeOf(err) != code {
		t.Fatalf("got %v (%s), want code %s", err, bt.CodeOf(err), code)
	}
}

// TestForms walks a store through all its forms.
func TestForms(t *testing.T) {
	t.Parallel()
	ctx, v, all := t.Context(), newVault(t), some(t)
	if list, err := v.Needed(); err != nil || list != nil {
		t.Fatal(list, err)
	}
	wantCode(t, v.Secure(ctx, Change{}), bt.Usage)
	fill(t, v, all[:2])
	wantRead(t, v, "", all[:2])

	// a password, lock off: what is used stays open, and the rest is not
	photos := func(s Secret) bool { return s.Is(all[0].Secret) }
	if err := v.Secure(ctx, Change{New: password, Used: photos}); err != nil {
		t.Fatal(err)
	}
	if needed, err := v.Needed(); err != nil || labels(needed) != "photos" {
		t.Fatal(needed, err)
	}
	wantRead(t, v, password, all[:2])
	before := readAll(t, v.dir)
	_, err := v.Read("wrong")
	wantCode(t, err, api.Denied)
	wantCode(t, v.Secure(ctx, Change{Old: "wrong", New: "other", Used: photos}), api.Denied)
	wantCode(t, v.Update(ctx, "", func(l []Entry) ([]Entry, error) { return nil, nil }), api.Denied)
	if after := readAll(t, v.dir); after != before {
		t.Error("a wrong password changed something")
	}

	// what a link brings comes and goes
	linked := Entry{Label: "linked", Secret: OfToken(token(t, "l")), Tags: []string{TagNode}}
	fill(t, v, []Entry{linked})
	if err := v.Secure(ctx, Change{Old: password, Used: photos}); err != nil {
		t.Fatal(err)
	}
	if needed, err := v.Needed(); err != nil || labels(needed) != "linked|photos" {
		t.Fatal(labels(needed), err)
	}
	if err := v.Drop(ctx, "", linked.Secret); err != nil {
		t.Fatal(err)
	}
	if needed, err := v.Needed(); err != nil || labels(needed) != "photos" {
		t.Fatal(labels(needed), err)
	}
	if err := v.Update(ctx, password, func(l []Entry) ([]Entry, error) { return l[:2], nil }); err != nil {
		t.Fatal(err)
	}

	// the node adds without the password, and the store has it all the same
	fill(t, v, all[2:3])
	wantRead(t, v, password, all[:3])
	if err := v.Secure(ctx, Change{Old: password, New: "other", Lock: true, Used: photos}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Needed(); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	wantRead(t, v, "other", all[:3])
	wantCode(t, v.Keep(ctx, "", all[3]), api.Denied)
	if err := v.Keep(ctx, "other", all[3]); err != nil {
		t.Fatal(err)
	}
	drop := func(l []Entry) ([]Entry, error) { return l[:3], nil }
	if err := v.Update(ctx, "other", drop); err != nil {
		t.Fatal(err)
	}
	wantRead(t, v, "other", all[:3])

	// off again, with the password as it is
	if err := v.Secure(ctx, Change{Old: "other", Used: photos}); err != nil {
		t.Fatal(err)
	}
	if form, err := v.Form(); form != Cached || err != nil {
		t.Fatal(form, err)
	}
	// what is removed is in neither file
	if err := v.Update(ctx, "other", func(l []Entry) ([]Entry, error) { return l[1:], nil }); err != nil {
		t.Fatal(err)
	}
	wantRead(t, v, "other", all[1:3])
	if needed, err := v.Needed(); err != nil || len(needed) > 0 {
		t.Fatal(needed, err)
	}
}

// readAll is the content of all files below a directory.
func readAll(t testing.TB, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s\n%s\n", path, b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestMerge checks what becomes of secrets that are there, of labels that are taken, of forgeries, and of other nodes.
func TestMerge(t *testing.T) {
	t.Parallel()
	all := some(t)
	late, err := all[0].Secret.Token.AtEpoch(3)
	if err != nil {
		t.Fatal(err)
	}
	forged := weak(t, token(t, "b"), secret.Read)
	forged.Secret[0] ^= 1
	list, done, err := Merge(all, []Entry{
		{Label: "other name", Secret: OfToken(late)},
		{Label: "photos", Secret: OfToken(token(t, "c"))},
		{Label: "photos", Secret: OfToken(token(t, "d"))},
		{Label: "forged", Secret: OfToken(forged)},
		{Label: "node key", Secret: OfSeed(secret.NodeSeed{1})},
		{Label: " \x00\n ", Secret: OfToken(token(t, "e")), Note: "a\x00b\xff", Tags: []string{" a;b ", "", "a b"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range done {
		got = append(got, string(m.What)+" "+m.Entry.Label)
	}
	e := token(t, "e")
	want := []string{"known photos", "added photos (2)", "added photos (3)", "refused forged", "left-out node key", "added __"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if last := list[len(list)-1]; last.Secret.Token != e || last.Note != "ab�" || !slices.Equal(last.Tags, []string{"a b"}) {
		t.Errorf("got %+q", last)
	}
	if list[0].Secret.Token.Epoch != 3 {
		t.Error("the later epoch of an admin token is not known")
	}
}

// TestPlainTextIsGone looks for secrets in every byte that is left once a password guards them.
func TestPlainTextIsGone(t *testing.T) {
	t.Parallel()
	v, all := newVault(t), some(t)
	fill(t, v, all)
	if err := v.Secure(t.Context(), Change{New: password, Lock: true}); err != nil {
		t.Fatal(err)
	}
	text := readAll(t, v.dir)
	for _, e := range all {
		if s := e.Secret.Text(); strings.Contains(strings.ToLower(text), s) {
			t.Errorf("the text of %s is in the clear", e.Label)
		}
	}
	for _, raw := range []string{strings.Repeat("a", 32), strings.Repeat("n", 32), hex.EncodeToString([]byte(strings.Repeat("a", 32))), password} {
		if strings.Contains(text, raw) {
			t.Errorf("%q is in the clear", raw)
		}
	}
	wantPrivate(t, v.dir)
}

// TestManyAtOnce checks that changes by several wait for each other.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	var wg sync.WaitGroup
	for _, letter := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		wg.Go(func() {
			if err := At(v.dir).Keep(context.Background(), "", Entry{Label: letter, Secret: OfToken(token(t, letter))}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list, err := v.Read(""); err != nil || labels(list) != "a|b|c|d|e|f|g|h" {
		t.Error(labels(list), err)
	}
}

// TestWriteFile checks that an export replaces nothing unasked, and leaves nothing else.
func TestWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	for i, c := range []struct {
		replace bool
		code    bt.Code
		want    string
	}{{false, bt.OK, "0"}, {false, bt.Exists, "0"}, {true, bt.OK, "2"}} {
		wantCode(t, WriteFile(path, fmt.Appendf(nil, "%d", i), c.replace), c.code)
		if b, err := os.ReadFile(path); err != nil || string(b) != c.want {
			t.Errorf("%q, %v", b, err)
		}
	}
	wantPrivate(t, path)
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Error(names, err)
	}
	if err := WriteFile(filepath.Join(dir, "no", "x"), nil, false); err == nil {
		t.Error("there is no such folder")
	}
}

// TestEntriesDoNotPrint checks every way in which an entry may end in a log.
func TestEntriesDoNotPrint(t *testing.T) {
	t.Parallel()
	for _, e := range some(t) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			for _, v := range []any{e, &e, []Entry{e}, e.Secret, Merged{e, Added}} {
				said := strings.ToLower(fmt.Sprintf(verb, v))
				if strings.Contains(said, e.Secret.Text()) || strings.Contains(said, "616161") || strings.Contains(said, "97 97") || strings.Contains(said, "6e6e6e") {
					t.Errorf("%s of %T shows %s", verb, v, said)
				}
			}
		}
	}
}
