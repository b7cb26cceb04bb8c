package share_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWhoSeesWhat checks that docs/shares.md §10 names tests that are there, in the rooms that it says.
func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	_, text, _ := strings.Cut(page(t), "| who | tests |")
	text, _, _ = strings.Cut(text, "\n\n")
	names, room := 0, ""
	for _, m := range regexp.MustCompile(`([a-z]+): |(Test\w+)`).FindAllStringSubmatch(text, -1) {
		if m[1] != "" {
			room = m[1]
			continue
		}
		names++
		dir := rooms[room]
		if room == "shoal" { // cmd/shoal
			dir = "../cmd/shoal"
		}
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(b), "func "+m[2]+"(t *testing.T)")
		}
		if !found {
			t.Errorf("room %q has no %s", room, m[2])
		}
	}
	if names < 40 {
		t.Errorf("only %d tests are named", names)
	}
}
