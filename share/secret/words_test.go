package secret

import (
	"slices"
	"strings"
	"testing"
)

func TestWordList(t *testing.T) {
	t.Parallel()
	list := wordList()
	if len(list) != 1<<wordBits || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Errorf("%d words, sorted: %t", len(list), slices.IsSorted(list))
	}
	for _, w := range list {
		if len(w) < 3 || len(w) > 8 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("%q is no plain word", w)
		}
	}
}

// The words are a part of the format: two versions of the program must show the same.
func TestWords(t *testing.T) {
	t.Parallel()
	var share ShareID
	var pk [32]byte
	copy(share[:], pattern(0x20, 32))
	copy(pk[:], pattern(0x60, 32))
	if got, want := Words(share, pk), "almond burlap cart monarch"; got != want {
		t.Errorf("the words are %q, want %q", got, want)
	}
	seen := map[string]bool{Words(share, pk): true}
	for i := range 8 {
		pk[i]++
		if w := Words(share, pk); seen[w] || len(strings.Fields(w)) != wordCount {
			t.Errorf("%q for a second key", w)
		} else {
			seen[w] = true
		}
	}
	share[0]++
	if seen[Words(share, pk)] {
		t.Error("a key has the same words in two shares")
	}
}
