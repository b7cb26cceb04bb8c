package secret

import (
	"strings"
	"testing"
)

// TestNodeSeedText checks the text form of a node's seed, and that it is taken for nothing else.
func TestNodeSeedText(t *testing.T) {
	t.Parallel()
	seed := NodeSeed([]byte(strings.Repeat("n", 32)))
	text := seed.Text()
	if len(text) != 66 || !IsNodeSeed(text) || !IsNodeSeed(" "+strings.ToUpper(text)) || IsInvite(text) || IsURL(text) {
		t.Errorf("%d characters", len(text))
	}
	if got, err := ParseNodeSeed(strings.ToUpper(text) + "\n"); err != nil || got != seed {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := ParseToken(text); err == nil {
		t.Error("it is taken for a token")
	}
	for _, bad := range []string{"", "shoaln1", text[:65], text + "q", strings.Replace(text, "n1", "r1", 1)} {
		if _, err := ParseNodeSeed(bad); err == nil || !strings.Contains(err.Error(), "not a valid node key") || len(bad) > 20 && strings.Contains(err.Error(), bad[10:20]) {
			t.Errorf("%d characters: %v", len(bad), err)
		}
	}
}
