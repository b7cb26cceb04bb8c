package vault

import (
	"fmt"
	"slices"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/secret"
)

// A Merged is what became of an entry that was to be added to a store.
type Merged struct {
	Entry Entry // as it stands in the store, or would have
	What  Outcome
}

// An Outcome is what became of one entry.
type Outcome string

// The outcomes.
const (
	Added   Outcome = "added"
	Known   Outcome = "known"    // the same secret is there
	Refused Outcome = "refused"  // another secret claims to be the same thing
	LeftOut Outcome = "left-out" // the key of another node
)

// Merge adds to a list what it lacks, by secret: labels that are taken get a number, what is there stays as it is. The key of
// another node is left out.
func Merge(list []Entry, more []Entry) ([]Entry, []Merged, error) {
	var done []Merged
	at := map[Secret]int{}
	labels := map[string]bool{}
	for i, e := range list {
		at[e.Secret.same()] = i
		labels[e.Label] = true
	}
	for _, e := range more {
		if e = tidy(e); e.Secret.Text() == "" {
			return nil, nil, api.Errorf(bt.BadInput, "%s is no secret", e.Label)
		}
		if i, ok := at[e.Secret.same()]; ok {
			// An admin token opens all epochs; where it was last is worth knowing.
			if t := &list[i].Secret.Token; e.Secret.Token.Role == secret.Admin && e.Secret.Token.Epoch > t.Epoch {
				t.Epoch = e.Secret.Token.Epoch
			}
			done = append(done, Merged{list[i], Known})
			continue
		}
		if e.Secret.Kind == Node && slices.ContainsFunc(list, func(o Entry) bool { return o.Secret.Kind == Node }) {
			done = append(done, Merged{e, LeftOut})
			continue
		}
		if slices.ContainsFunc(list, func(o Entry) bool { return o.Secret.rivals(e.Secret) }) {
			done = append(done, Merged{e, Refused})
			continue
		}
		if len(list) >= maxEntries {
			return nil, nil, api.Errorf(bt.BadInput, "a store has at most %d secrets", maxEntries)
		}
		e.Label = free(labels, e.Label)
		labels[e.Label] = true
		at[e.Secret.same()] = len(list)
		list = append(list, e)
		done = append(done, Merged{e, Added})
	}
	return list, done, nil
}

// free is a label that is not taken: itself, or with a number.
func free(taken map[string]bool, label string) string {
	try := label
	for n := 2; taken[try]; n++ {
		end := fmt.Sprintf(" (%d)", n)
		try = cut(label, maxLabel-len(end)) + end
	}
	return try
}
