package ui

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"plain name.iso":   "plain name.iso",
		"日本 語 naïve":       "日本 語 naïve",
		"a\x1b[31mb\r\n\t": `a\x1b[31mb\x0d\x0a\x09`,
		"exe\u202egnp.jpg": `exe\u202egnp.jpg`,
		"bad\xffutf8":      `bad\xffutf8`,
		"\u0085\u2028":     `\u0085\u2028`,
		"\U000e0001":       `\U000e0001`,
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a", "\x1b[2J", "\u202e\xff", "日本"} {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, s string, width int) {
		q := Quote(s)
		if !utf8.ValidString(q) || strings.ContainsFunc(q, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			t.Fatalf("Quote(%q) = %q is not safe", s, q)
		}
		if Quote(q) != q {
			t.Fatalf("Quote(%q) is not stable", s)
		}
		if width %= 100; width >= 0 {
			if got := uniseg.StringWidth(shorten(q, width)); got > width {
				t.Fatalf("shorten(%q, %d) takes %d columns", q, width, got)
			}
		}
	})
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  string
	}{{"album", 5, "album"}, {"album", 4, "al…m"}, {"album", 1, "…"}, {"album", 0, ""}, {"日本語", 4, "日…"}, {"日本語x", 5, "日…x"}} {
		if got := shorten(c.in, c.width); got != c.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", c.in, c.width, got, c.want)
		}
	}
}

func TestFormat(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "0.98 KiB", 1536: "1.50 KiB", 1 << 20: "1.00 MiB",
		999 << 20: "999 MiB", 1023 << 20: "1.00 GiB", 5 << 30: "5.00 GiB", 1<<63 - 1: "8.00 EiB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 59 * time.Second: "59s", 90 * time.Second: "1m30s", 59*time.Minute + 59600*time.Millisecond: "1h00m",
		125 * time.Minute: "2h05m", 76 * time.Hour: "3d04h"} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %s, want %s", d, got, want)
		}
	}
}
