package secret

import "strings"

// prefixNode begins the text form of a node's seed (docs/shares.md §1.1).
const prefixNode = "shoaln"

const formNode = "node key"

// Text is the text form of s: a secret.
func (s NodeSeed) Text() string { return encode32(prefixNode, append([]byte{textVersion}, s[:]...)) }

// ParseNodeSeed reads the text form of a node's seed, as [ParseToken] does that of a token.
func ParseNodeSeed(s string) (NodeSeed, error) {
	_, b, err := parseText(formNode, s, map[string][]int{prefixNode: {33}})
	if err != nil {
		return NodeSeed{}, err
	}
	return NodeSeed(b[1:]), nil
}

// IsNodeSeed, IsInvite and IsURL report what a text means to be, by how it begins.
func IsNodeSeed(s string) bool { return begins(s, prefixNode+"1") }

// IsInvite reports whether a text means to be an invite.
func IsInvite(s string) bool { return begins(s, prefixInvite+"1") }

// IsURL reports whether a text means to be the URL form of a token.
func IsURL(s string) bool { return begins(s, scheme) }

func begins(s, prefix string) bool {
	s = strings.TrimSpace(s)
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
