package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"

	"shoal/bt"
	"shoal/commands/internal/ui"
)

func TestParseInput(t *testing.T) {
	text := "# films\r\nfilm.torrent\r\n  dir=films\r\n\tout=film.mkv\n\nmagnet:?xt=urn:btih:00&dn=a=b\n dir=x\n"
	got, err := parseInput(strings.NewReader(text), request{dir: "base"})
	if err != nil {
		t.Fatal(err)
	}
	want := []request{{source: "film.torrent", dir: "films", out: "film.mkv"}, {source: "magnet:?xt=urn:btih:00&dn=a=b", dir: "x"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := parseInput(strings.NewReader(strings.Repeat("x", inputLineMax+1)), request{}); err == nil {
		t.Error("a line without end was accepted")
	}
}

func FuzzParseInput(f *testing.F) {
	f.Add("a\n dir=x\n#\n\nb\n\tout=y\n")
	f.Fuzz(func(t *testing.T, text string) {
		requests, err := parseInput(strings.NewReader(text), request{})
		if err != nil {
			return
		}
		for _, r := range requests {
			if r.source == "" || r.source[0] == '#' || strings.ContainsAny(r.source+r.dir+r.out, "\n") || r.out == "-" {
				t.Fatalf("accepted %+v", r)
			}
		}
	})
}

func TestSplitTrackers(t *testing.T) {
	got := splitTrackers([]string{"http://a/x,y,udp://b:1, wss://c", "http://d"})
	if want := []string{"http://a/x,y", "udp://b:1", "wss://c", "http://d"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"select", "seed", "seed-time"}
	for in, want := range map[string]string{"selct": "select", "sed": "seed", "seedtime": "seed-time", "completely-different": ""} {
		if got := nearest(in, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestExitCode(t *testing.T) {
	stopped, stop := context.WithCancelCause(t.Context())
	stop(Interrupted{syscall.SIGINT})
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		want int
		code bt.Code
	}{
		"done":        {stopped, nil, 0, "ok"},
		"plain":       {t.Context(), errors.New("x"), 1, "failed"},
		"usage":       {t.Context(), usageErrorf("x"), 2, "usage"},
		"wrapped":     {t.Context(), fmt.Errorf("x: %w", &bt.Error{Code: bt.NoMetadata, Err: io.EOF}), 4, "no-metadata"},
		"permission":  {t.Context(), fmt.Errorf("x: %w", &fs.PathError{Err: fs.ErrPermission}), 8, "permission"},
		"disk full":   {t.Context(), fmt.Errorf("x: %w", syscall.ENOSPC), 8, "no-space"},
		"interrupted": {stopped, context.Canceled, 130, "interrupted"},
		"terminated":  {t.Context(), Interrupted{syscall.SIGTERM}, 143, "interrupted"},
		"broken pipe": {t.Context(), ui.ErrClosed, 141, "failed"},
	} {
		if got := exitCode(c.ctx, c.err); got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
		if got := failureOf(c.ctx, c.err).Code; got != c.code {
			t.Errorf("%s: code %s, want %s", name, got, c.code)
		}
	}
}

func TestTree(t *testing.T) {
	var b strings.Builder
	writeTree(&b, &torrentInfo{Name: "al\x1bbum", Folder: true, Files: []fileInfo{
		{1, "z.txt", 1}, {2, "sub/b", 1024}, {3, "sub/a", 1024}, {4, "sub/deep/c", 0}}})
	want := "al\\x1bbum  2.00 KiB\n" +
		"├── sub  2.00 KiB\n" +
		"│   ├── a  1.00 KiB\n" +
		"│   ├── b  1.00 KiB\n" +
		"│   └── deep  0 B\n" +
		"│       └── c  0 B\n" +
		"└── z.txt  1 B\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}
