package vault

import (
	"encoding/json"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

// plain is an entry in JSON and, by the names of its fields, in CSV (docs/shares.md §1.2).
type plain struct {
	Label string    `json:"label"`
	Token string    `json:"token"`
	Added time.Time `json:"added"`
	Note  string    `json:"note,omitempty"`
	Tags  []string  `json:"tags,omitempty"`
}

// encodeJSON is a list in plain text.
func encodeJSON(list []Entry) ([]byte, error) {
	all := make([]plain, 0, len(list))
	for _, e := range list {
		all = append(all, plain{e.Label, e.Secret.Text(), e.Added, e.Note, e.Tags})
	}
	b, err := json.MarshalIndent(all, "", "  ")
	return append(b, '\n'), err
}

// decodeJSON reads a list. Errors show nothing of it: those of the decoder could.
func decodeJSON(b []byte) ([]Entry, error) {
	var all []plain
	if json.Unmarshal(b, &all) != nil {
		return nil, api.Errorf(bt.BadInput, "reading secrets: it is no list of secrets in JSON")
	}
	return entries(all)
}

// entries reads the secrets of what a file holds.
func entries(all []plain) ([]Entry, error) {
	if len(all) > maxEntries {
		return nil, api.Errorf(bt.BadInput, "reading secrets: more than %d", maxEntries)
	}
	list := make([]Entry, 0, len(all))
	for i, p := range all {
		s, err := Parse(p.Token)
		if err != nil {
			return nil, api.Errorf(bt.BadInput, "reading secret %d: %w", i+1, err)
		}
		list = append(list, tidy(Entry{Label: p.Label, Secret: s, Added: p.Added, Note: p.Note, Tags: p.Tags}))
	}
	return list, nil
}
