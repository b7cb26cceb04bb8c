package rules

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseLimits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Limits{
		"":           {},
		"# nothing":  {},
		"[limits]\n": {},
		"[limits]\nup = \"500K/s\"\ndown = 2_000_000\nstorage = \"1.5G\"": {500 << 10, 2_000_000, 3 << 29},
		"limits = {up = \"1MB\", storage = 0}":                            {Up: 1_000_000},
		"limits.down = \"32K\"":                                           {Down: MinRate},
	} {
		if got, err := ParseLimits([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"[limits]\nup = 500K":          "line 2: ",
		"[limits]\nup = \"fast\"":      `up: "fast" is no rate`,
		"[limits]\nupp = \"1M\"":       "limits.upp is no limit",
		"up = \"1M\"":                  "up is no limit",
		"[limit]\nup = \"1M\"":         "limit is no limit",
		"[limits]\nstorage = \"-1\"":   "storage: ",
		"[limits]\nstorage = -1":       "storage: it is negative",
		"[limits]\ndown = true":        "down: want a number",
		"[limits]\ndown = 1.5":         "down: want a number",
		"[limits]\ndown = \"1K\"":      "down: 1024 bytes a second are too few",
		"[limits]\nup = \"9999P\"":     "",
		"[[limits]]\nup = 1":           "",
		"\xff":                         "",
		strings.Repeat(" ", MaxFile+1): "more than",
	} {
		got, err := ParseLimits([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || got != (Limits{}) {
			t.Errorf("%.40q is %+v, %v; want an error with %q", text, got, err, want)
		}
	}
}

// What is read are limits that can be written and read again.
func FuzzParseLimits(f *testing.F) {
	for _, text := range []string{"", "[limits]\nup = \"500K/s\"\ndown = 40000\nstorage = \"1.5G\"", "limits = {up = \"1MB\"}", "[limits]\nup = 1979-05-27"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := ParseLimits(text)
		if err != nil {
			if l != (Limits{}) {
				t.Fatalf("%+v with %v", l, err)
			}
			return
		}
		again, err := ParseLimits(fmt.Appendf(nil, "[limits]\nup = %d\ndown = %d\nstorage = %d\n", l.Up, l.Down, l.Storage))
		if err != nil || again != l {
			t.Fatalf("%+v is %+v, %v", l, again, err)
		}
	})
}
