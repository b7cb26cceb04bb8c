package vault

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"shoal/share/api"
	"shoal/share/secret"
)

// Limits of what a store takes; files of strangers have to keep to them too.
const (
	maxEntries = 10_000
	maxLabel   = 255  // bytes
	maxNote    = 4096 // bytes
	maxTags    = 32
	maxTag     = 64 // bytes
)

// A Kind is what a secret is for.
type Kind uint8

// The kinds.
const (
	Share  Kind = 1 + iota // a token
	Invite                 // one that is outstanding
	Node                   // the seed of this node
)

var kindNames = [...]string{Share: "share", Invite: "invite", Node: "node"}

// String is the word for k: share, invite or node.
func (k Kind) String() string {
	if k >= Share && k <= Node {
		return kindNames[k]
	}
	return "none"
}

// A Secret is one secret: the field of its Kind is set. It does not print itself; [Secret.Text] is its text.
type Secret struct {
	Kind   Kind
	Token  secret.Token
	Invite secret.Invite
	Seed   secret.NodeSeed
}

// OfToken, OfInvite and OfSeed make secrets.
func OfToken(t secret.Token) Secret { return Secret{Kind: Share, Token: t} }

// OfInvite is an invite as a secret.
func OfInvite(v secret.Invite) Secret { return Secret{Kind: Invite, Invite: v} }

// OfSeed is the seed of a node as a secret.
func OfSeed(s secret.NodeSeed) Secret { return Secret{Kind: Node, Seed: s} }

// Parse reads the text form of a token, its URL form, an invite or a node's key. Errors show nothing of it.
func Parse(text string) (s Secret, err error) {
	switch {
	case secret.IsNodeSeed(text):
		s.Kind = Node
		s.Seed, err = secret.ParseNodeSeed(text)
	case secret.IsInvite(text):
		s.Kind = Invite
		s.Invite, err = secret.ParseInvite(text)
	case secret.IsURL(text):
		var u secret.URL
		u, err = secret.ParseURL(text)
		s = OfToken(u.Token)
	default:
		s.Kind = Share
		s.Token, err = secret.ParseToken(text)
	}
	if err != nil {
		return Secret{}, err
	}
	return s, nil
}

// Text is the text form of s: what is secret.
func (s Secret) Text() string {
	switch s.Kind {
	case Share:
		return s.Token.Text()
	case Invite:
		return s.Invite.Text()
	case Node:
		return s.Seed.Text()
	}
	return ""
}

// Role is the role of a token, else the kind: what people tell secrets apart by.
func (s Secret) Role() string {
	if s.Kind == Share {
		return s.Token.Role.String()
	}
	return s.Kind.String()
}

// same is s without what may differ between two texts of one secret: hints.
func (s Secret) same() Secret {
	if s.Kind == Share && s.Token.Role == secret.Admin {
		s.Token.Epoch = 0
	}
	if s.Kind == Invite {
		s.Invite = secret.Invite{Code: s.Invite.Code}
	}
	return s
}

// Is reports whether two are the same secret.
func (s Secret) Is(other Secret) bool { return s.same() == other.same() }

// rivals reports whether two secrets claim to be the same thing, and are not: one is a forgery.
func (s Secret) rivals(other Secret) bool {
	a, b := s.Token, other.Token
	return s.Kind == Share && other.Kind == Share && a.Share == b.Share && a.Role == b.Role && a.Epoch == b.Epoch && !s.Is(other)
}

// String tells what s is, and nothing that is secret.
func (s Secret) String() string {
	if s.Kind == Share {
		return s.Token.String()
	}
	return s.Kind.String()
}

// Format writes [Secret.String], whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue is [Secret.String].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText fails: the text of a secret comes from [Secret.Text] alone.
func (s Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("a secret does not write itself")
}

// An Entry is a secret with what people know it by. Label is unique in a store.
type Entry struct {
	Label  string
	Secret Secret
	Added  time.Time
	Note   string
	Tags   []string
}

// tidy is e with a label, note and tags that every format can hold.
func tidy(e Entry) Entry {
	e.Label = strings.TrimSpace(line(e.Label, maxLabel))
	if e.Label == "" {
		e.Label = e.Secret.Role()
		if e.Secret.Kind == Share {
			e.Label += " " + e.Secret.Token.Share.Short()
		}
	}
	note := strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(e.Note, "�"))
	e.Note = cut(note, maxNote)
	var tags []string
	for _, tag := range e.Tags {
		tag = strings.TrimSpace(strings.Map(func(r rune) rune {
			if r == ';' || r == ',' {
				return ' '
			}
			return r
		}, line(tag, maxTag)))
		if tag != "" && !slices.Contains(tags, tag) && len(tags) < maxTags {
			tags = append(tags, tag)
		}
	}
	e.Tags = tags
	e.Added = e.Added.UTC().Truncate(time.Second)
	return e
}

// line is s without what cannot be seen in a line, and at most n bytes of it.
func line(s string, n int) string {
	return cut(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(s, "�")), n)
}

// cut is at most n bytes of s, of whole characters.
func cut(s string, n int) string {
	for len(s) > n {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// Find is the entry of a label.
func Find(list []Entry, label string) (*Entry, error) {
	for i := range list {
		if list[i].Label == label {
			return &list[i], nil
		}
	}
	e := api.Errorf("not-found", "there is no secret %q", label)
	e.Advice = "\"shoal secrets list\" lists them"
	return nil, e
}

// Sort sorts entries by kind and label.
func Sort(list []Entry) {
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Secret.Kind, b.Secret.Kind), cmp.Compare(a.Label, b.Label))
	})
}
