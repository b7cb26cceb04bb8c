package vault

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"shoal/bt"
	"shoal/share/api"
)

// TestFormatsComeBack writes each format and reads it.
func TestFormatsComeBack(t *testing.T) {
	t.Parallel()
	all := some(t)
	for _, f := range []Format{Age, KDBX, JSON, CSV} {
		b, err := encode(f, all, password, 4)
		if err != nil {
			t.Fatal(err)
		}
		if FormatOf(b) != f || FormatNamed("x."+string(f)) != f {
			t.Errorf("%s is not known by its content, or name", f)
		}
		got, err := Decode(b, password)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		want := all
		if !reflect.DeepEqual(fmt.Sprintf("%q", got), fmt.Sprintf("%q", want)) {
			t.Errorf("%s: got %q\nwant %q", f, got, want)
		}
		for i := range want {
			if got[i].Secret != want[i].Secret {
				t.Errorf("%s: the secret of %s is another", f, want[i].Label)
			}
		}
		if !f.Sealed() {
			continue
		}
		_, err = Decode(b, "wrong")
		wantCode(t, err, api.Denied)
		stride := 37
		if f == KDBX {
			stride = len(b) / 5 // each takes its time
		}
		for i := 0; i < len(b); i += stride { // whatever is damaged is noticed
			bad := bytes.Clone(b)
			bad[i] ^= 0x40
			if f == KDBX && i > 40 && i < 250 {
				continue // parameters of the password: slow
			}
			if got, err := Decode(bad, password); err == nil && len(got) > 0 {
				t.Errorf("%s: byte %d is damaged, and %d secrets were read", f, i, len(got))
			}
		}
	}
}

// TestForeignFiles checks what is no list of secrets, or more than that.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	text := some(t)[0].Secret.Text()
	for in, want := range map[string]bt.Code{
		"":                                     bt.BadInput,
		"[]":                                   bt.OK,
		"[1]":                                  bt.BadInput,
		`[{"token":"` + text + `x"}]`:          bt.BadInput,
		"Title,Password\nmail,hunter2\n":       bt.OK,
		"Title,Secret\nmail,hunter2\n":         bt.BadInput,
		"password\n" + text[:50] + "\n":        bt.BadInput,
		"age-encryption.org/v1\nx":             bt.BadInput,
		string(kdbxMagic) + "\x00\x00\x03\x00": bt.BadInput,
	} {
		list, err := Decode([]byte(in), password)
		wantCode(t, err, want)
		if len(list) > 0 {
			t.Error(list)
		}
		if err != nil && (strings.Contains(err.Error(), text[:20]) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("the error shows what it is about: %v", err)
		}
	}
}

// need is the path of a program of other people.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("SHOAL_REQUIRE_PEERS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// TestKeePassXC opens a kdbx file with keepassxc-cli, which then writes it anew.
func TestKeePassXC(t *testing.T) {
	t.Parallel()
	cli := need(t, "keepassxc-cli")
	all := some(t)
	b, err := encodeKDBX(all, password)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x.kdbx")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), cli, args...)
		cmd.Env = append(os.Environ(), "HOME="+filepath.Dir(file), "QT_QPA_PLATFORM=offscreen")
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("keepassxc-cli %q: %v: %s", args, err, err.(*exec.ExitError).Stderr)
		}
		return strings.TrimSuffix(string(out), "\n")
	}
	show := func(field, entry string) string {
		return run(password+"\n", "show", "-q", "-s", "-a", field, file, entry)
	}
	for _, e := range all[2:4] {
		if got := show("Password", groupOf(e.Secret.Kind)+"/"+e.Label); got != e.Secret.Text() {
			t.Errorf("the password of %s is another", e.Label)
		}
	}
	if got := show("Notes", "Shares/photos"); got != all[0].Note {
		t.Errorf("the note is %q", got)
	}
	if got := show("UserName", "Shares/photos"); got != "admin" {
		t.Errorf("the user is %q", got)
	}
	// An edit makes an older version of the entry, and a secret of another program is none of ours.
	run(password+"\n", "edit", "-q", "-t", "pictures", "--notes", "edited", file, "Shares/photos")
	run(password+"\nhunter2\n", "add", "-q", "-p", file, "mail")
	again, err := os.ReadFile(file)
	if err != nil || bytes.Equal(again, b) {
		t.Fatal("it was not written", err)
	}
	got, err := Decode(again, password)
	if err != nil {
		t.Fatal(err)
	}
	list, done, err := Merge(some(t), got)
	if err != nil || len(list) != len(all) || len(done) != len(all) {
		t.Fatalf("%d secrets, of %d read: %v", len(list), len(done), err)
	}
	if e, err := Find(got, "pictures"); err != nil || e.Note != "edited" || e.Secret != all[0].Secret || !e.Added.Equal(all[0].Added) {
		t.Errorf("%q, %v", e, err)
	}
}

// TestKDBXKinds reads files that keepassxc-cli makes in other ways.
func TestKDBXKinds(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"is not of version 4": "\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\x01\x00\x03\x00"} {
		if _, err := Decode([]byte(want), password); err == nil || !strings.Contains(err.Error(), in) {
			t.Error(err)
		}
	}
	p := argonParams(make([]byte, 32))
	for _, change := range []func(*kdfParams){
		func(p *kdfParams) { p.memory = 1 << 40 },
		func(p *kdfParams) { p.iterations = 1 << 40 },
		func(p *kdfParams) { p.memory, p.iterations = 1<<30, 1000 },
		func(p *kdfParams) { p.parallelism = 0 },
		func(p *kdfParams) { p.parallelism = 256 },
		func(p *kdfParams) { p.salt = nil },
		func(p *kdfParams) { p.id = make([]byte, 16) },
	} {
		bad := p
		change(&bad)
		_, err := parseKDF(bad.encode())
		wantCode(t, err, bt.BadInput)
	}
	if got, err := parseKDF(p.encode()); err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("%+v, %v", got, err)
	}
	aes := kdfParams{id: kdfAES, salt: make([]byte, 32), rounds: 1000}
	if err := aes.check(); err != nil {
		t.Error(err)
	}
	if key, err := aes.transform(password); err != nil || len(key) != 32 {
		t.Error(err)
	}
}

// FuzzDecode checks that what is read from a file of a stranger can be written, and is the same then.
func FuzzDecode(f *testing.F) {
	all := some(f)
	for _, format := range []Format{JSON, CSV} {
		b, err := encode(format, all, "", 4)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("Title,Password\n\"a\nb\"," + all[0].Secret.Text()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if FormatOf(b).Sealed() {
			return
		}
		list, err := Decode(b, "")
		if err != nil {
			return
		}
		for _, format := range []Format{JSON, CSV} {
			out, err := encode(format, list, "", 4)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Decode(out, "")
			if err != nil || fmt.Sprintf("%q", again) != fmt.Sprintf("%q", list) {
				t.Fatalf("%s: %q became %q: %v", format, list, again, err)
			}
		}
	})
}

// FuzzKDBX reads what is inside of a database, and what stands in front.
func FuzzKDBX(f *testing.F) {
	stream := make([]byte, 64)
	text, err := kdbxXML(some(f), stream)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	whole, err := encodeKDBX(some(f), password)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte("<a><Entry><History><Entry/></History></Entry></a>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if list, err := parseKDBX(b, stream); err == nil {
			for _, e := range list {
				if e.Secret.Text() == "" || e.Label == "" {
					t.Fatalf("%q is no entry", e)
				}
			}
		}
		if h, rest, err := readHeader(b); err == nil && (len(h.raw)+32+len(rest) != len(b) || h.kdf.check() != nil) {
			t.Fatal("the header does not add up")
		}
		if _, err := openBlocks(kdbxKeys{mac: make([]byte, 64)}, b); err == nil && len(b) < 36 {
			t.Fatal("there is no last block")
		}
	})
}

// TestAge opens an export with age itself, which asks its terminal for the password.
func TestAge(t *testing.T) {
	t.Parallel()
	age, script := need(t, "age"), need(t, "script")
	all := some(t)
	b, err := encode(Age, all, password, 10)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.age"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), script, "-qec", age+" -d -o plain x.age", "/dev/null")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(password+"\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	plain, err := os.ReadFile(filepath.Join(dir, "plain"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(plain, ""); err != nil || labels(got) != labels(all) {
		t.Error(labels(got), err)
	}
}
