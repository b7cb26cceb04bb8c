package backend

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/bt"
	"shoal/share/blob"
)

// converse is what a backend answers to lines.
func converse(t testing.TB, b Backend, lines ...string) (string, error) {
	t.Helper()
	r, w := io.Pipe()
	var out bytes.Buffer
	go func() {
		_, _ = io.WriteString(w, strings.Join(lines, "\n")+"\n")
		// Serve takes a line when it has answered the one before: this one comes after all.
		_, _ = io.WriteString(w, "GETVERSION\n")
		w.Close()
	}()
	err := b.Serve(t.Context(), r, &out)
	return strings.TrimSuffix(out.String(), "VERSION 1\n"), err
}

// TestConversation has every request of the protocol answered.
func TestConversation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, other, empty := filepath.Join(dir, "a file"), filepath.Join(dir, "other"), filepath.Join(dir, "empty")
	content := bytes.Repeat([]byte("content "), 50_000)
	for name, b := range map[string][]byte{path: content, other: content[1:], empty: nil} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sums := map[string]func() ([32]byte, error){
		"XBTV2": func() (h [32]byte, err error) {
			h, _, err = bt.PiecesRoot(t.Context(), bytes.NewReader(content), nil)
			return h, err
		},
		"XSHOAL": func() ([32]byte, error) {
			return blob.Sum(t.Context(), bytes.NewReader(content), int64(len(content)), 1)
		},
	}
	for _, b := range All {
		hash, err := sums[b.Name]()
		if err != nil {
			t.Fatal(err)
		}
		key := b.Key(int64(len(content)), hash)
		got, err := converse(t, b, "GETVERSION", "CANVERIFY", "ISSTABLE", "ISCRYPTOGRAPHICALLYSECURE",
			"GENKEY "+path, "GENKEY "+empty, "GENKEY "+dir, "GENKEY "+filepath.Join(dir, "none"),
			"VERIFYKEYCONTENT "+key+" "+path, "VERIFYKEYCONTENT "+key+" "+other, "VERIFYKEYCONTENT "+key+" none",
			"VERIFYKEYCONTENT "+b.Key(0, [32]byte{})+" "+empty, "VERIFYKEYCONTENT "+strings.ToUpper(key)+" "+path, "DEBUG", "GETVERSION")
		want := "VERSION 1\nCANVERIFY-YES\nISSTABLE-YES\nISCRYPTOGRAPHICALLYSECURE-YES\nGENKEY-SUCCESS " + key +
			"\nGENKEY-SUCCESS " + b.Name + "-s0--" + strings.Repeat("0", 64) + "\nGENKEY-FAILURE " + dir + " is no file\nGENKEY-FAILURE open " +
			filepath.Join(dir, "none") + ": no such file or directory\nVERIFYKEYCONTENT-SUCCESS\nVERIFYKEYCONTENT-FAILURE\nVERIFYKEYCONTENT-FAILURE\n" +
			"VERIFYKEYCONTENT-SUCCESS\nVERIFYKEYCONTENT-FAILURE\nERROR what is DEBUG?\n"
		if got != want || err == nil {
			t.Errorf("%s answers\n%s, not\n%s and %v", b.Name, got, want, err)
		}
		if _, err := converse(t, b, "ERROR no"); err == nil || !strings.Contains(err.Error(), "git-annex says: no") {
			t.Errorf("it ends by %v", err)
		}
		if strings.HasSuffix(b.Name, "E") || b.Name[0] != 'X' {
			t.Errorf("git-annex does not know %s for an external backend", b.Name)
		}
	}
}

// endless is a file system's worth of content.
type endless struct{ done func() }

func (e endless) Read(b []byte) (int, error) { e.done(); return len(b), nil }

// TestEnds: when git-annex goes, hashing ends.
func TestEnds(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	b := Backend{"XTEST", func(ctx context.Context, _ io.Reader, _ int64, p func(int64)) ([32]byte, error) {
		root, _, err := bt.PiecesRoot(ctx, endless{func() { _ = w.Close() }}, p)
		return root, err
	}}
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(w, "GENKEY "+path+"\n") }()
	if err := b.Serve(t.Context(), r, io.Discard); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if err := b.Serve(ctx, strings.NewReader(""), io.Discard); !errors.Is(err, stop) && err != nil {
		t.Errorf("it ends by %v", err)
	}
}

// FuzzBackend: each line has one line for an answer, which is of the protocol; and a key that parses is the one it parses
// to.
func FuzzBackend(f *testing.F) {
	for _, s := range []string{"GETVERSION", "GENKEY /none", "VERIFYKEYCONTENT XBTV2-s1--ab /none", "ISSTABLE\r", "X\x00Y", "ERROR",
		XBTV2.Key(7, [32]byte{1}), XSHOAL.Key(1<<62, [32]byte{})} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, b := range All {
			if size, hash, err := b.Parse(s); err == nil && b.Key(size, hash) != s {
				t.Errorf("%q is %q", s, b.Key(size, hash))
			}
		}
		if strings.ContainsAny(s, "\n/") || strings.HasPrefix(s, "GENKEY") || strings.HasPrefix(s, "VERIFY") {
			return // a file that the fuzzer names may be a device
		}
		var out bytes.Buffer
		_ = XBTV2.answer(t.Context(), s, &out)
		got := out.String()
		word, _, _ := strings.Cut(strings.TrimSuffix(got, "\n"), " ")
		if got != "" && (strings.Count(got, "\n") != 1 || !strings.Contains(" VERSION CANVERIFY-YES ISSTABLE-YES ISCRYPTOGRAPHICALLYSECURE-YES ERROR ", " "+word+" ")) {
			t.Errorf("%q is answered by %q", s, got)
		}
	})
}
