package bt

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"shoal/bt/bencode"
)

// editLimits bound the tree that is made of a metainfo: there is room for the files of the largest that is accepted.
var editLimits = bencode.Limits{Depth: maxDepth, Size: maxMetainfoSize, Count: 16 << 20}

// EditOptions say what of a metainfo to change. A nil pointer leaves a thing as it is; an empty text takes it away.
type EditOptions struct {
	SetTrackers    [][]string // tiers, instead of those that are there
	NoTrackers     bool       // take all trackers away, before any are added
	AddTrackers    [][]string // tiers, after those that are there; what is there already is left out
	RemoveTrackers []string
	NoWebseeds     bool // take all webseeds away, before any are added
	AddWebseeds    []string
	Comment        *string

	// These are in the info dictionary: to change one makes another torrent of it, with another infohash.
	Name    *string
	Private *bool
	Source  *string
}

// An EditResult says what became of a metainfo.
type EditResult struct {
	Before, After *Metainfo
	Data          []byte // of the .torrent
	Changed       bool   // Data differs from what was read
}

// SameInfo reports whether it is still the same torrent.
func (r *EditResult) SameInfo() bool {
	return r.Before.InfoHash == r.After.InfoHash && r.Before.InfoHashV2 == r.After.InfoHashV2
}

// EditMetainfo reads a .torrent from r up to EOF and changes it. All that the options do not speak of stays as it is,
// byte by byte: unknown keys, their order, the whole info dictionary unless Name, Private or Source differ from what it
// says. What is no metainfo, before or after, is BadInput.
func EditMetainfo(r io.Reader, opts EditOptions) (*EditResult, error) {
	b, err := readAllMetainfo(r)
	if err != nil {
		return nil, err
	}
	before, err := ParseMetainfo(b)
	if err != nil {
		return nil, err
	}
	root, err := bencode.Parse(b, editLimits)
	if err != nil {
		return nil, errorf(BadInput, "not a metainfo file: %w", err)
	}
	if root, err = opts.trackers(root, before); err != nil {
		return nil, err
	}
	if root, err = opts.webseeds(root, before); err != nil {
		return nil, err
	}
	if opts.Comment != nil && *opts.Comment != before.Comment {
		root = setText(root.Without("comment.utf-8"), "comment", *opts.Comment)
	}
	info, err := opts.info(root.Get("info"), before)
	if err != nil {
		return nil, err
	}
	out := &EditResult{Before: before, Data: root.With("info", info).Encode()}
	out.Changed = !bytes.Equal(out.Data, b)
	if out.After, err = ParseMetainfo(out.Data); err != nil {
		return nil, fmt.Errorf("the result is %w", err)
	}
	if out.After.Dir != before.Dir {
		return nil, errorf(BadInput, "with the name %q it would be a single file", clip(out.After.Name))
	}
	return out, nil
}

// setText is the dictionary with the key set, or without it when s is empty. A repeated key is there once afterwards.
func setText(dict bencode.Value, key, s string) bencode.Value {
	dict = dict.Without(key)
	if s == "" {
		return dict
	}
	return dict.With(key, bencode.NewString(s))
}

// trackers is the root with the trackers that are wanted.
func (o *EditOptions) trackers(root bencode.Value, m *Metainfo) (bencode.Value, error) {
	tiers := m.Trackers
	if o.NoTrackers || o.SetTrackers != nil {
		tiers = nil
	}
	for _, tier := range slices.Concat(o.SetTrackers, o.AddTrackers) {
		var fresh []string
		for _, s := range tier {
			u, err := SanitizeTracker(s)
			if err != nil {
				return root, err
			}
			if !slices.Contains(fresh, u) && !slices.ContainsFunc(tiers, func(t []string) bool { return slices.ContainsFunc(t, sameTracker(u)) }) {
				fresh = append(fresh, u)
			}
		}
		if fresh != nil {
			tiers = append(tiers[:len(tiers):len(tiers)], fresh)
		}
	}
	tiers = without(tiers, o.RemoveTrackers)
	if slices.EqualFunc(tiers, m.Trackers, slices.Equal) {
		return root, nil
	}
	return setTiers(root, tiers), nil
}

// without is the tiers without those trackers, and without tiers that are empty then.
func without(tiers [][]string, urls []string) (kept [][]string) {
	for _, tier := range tiers {
		var left []string
		for _, s := range tier {
			if !slices.ContainsFunc(urls, func(u string) bool { return sameTracker(u)(s) }) {
				left = append(left, s)
			}
		}
		if left != nil {
			kept = append(kept, left)
		}
	}
	return kept
}

// sameTracker tells URLs that mean the tracker u: as they are written, or in their one form.
func sameTracker(u string) func(string) bool {
	clean := func(s string) string {
		if c, err := SanitizeTracker(s); err == nil {
			return c
		}
		return s
	}
	want := clean(u)
	return func(s string) bool { return s == u || clean(s) == want }
}

// setTiers writes trackers as [Metainfo.Bytes] does.
func setTiers(root bencode.Value, tiers [][]string) bencode.Value {
	root = root.Without("announce").Without("announce-list")
	if len(tiers) == 0 {
		return root
	}
	root = root.With("announce", bencode.NewString(tiers[0][0]))
	if len(tiers) == 1 && len(tiers[0]) == 1 {
		return root
	}
	var lists []bencode.Value
	for _, tier := range tiers {
		lists = append(lists, textList(tier))
	}
	return root.With("announce-list", bencode.NewList(lists...))
}

func textList(texts []string) bencode.Value {
	var items []bencode.Value
	for _, s := range texts {
		items = append(items, bencode.NewString(s))
	}
	return bencode.NewList(items...)
}

// webseeds is the root with the webseeds that are wanted.
func (o *EditOptions) webseeds(root bencode.Value, m *Metainfo) (bencode.Value, error) {
	seeds := slices.Clone(m.Webseeds)
	if o.NoWebseeds {
		seeds = nil
	}
	for _, s := range o.AddWebseeds {
		u, err := SanitizeWebseed(s)
		if err != nil {
			return root, err
		}
		if !slices.Contains(seeds, u) {
			seeds = append(seeds, u)
		}
	}
	if slices.Equal(seeds, m.Webseeds) {
		return root, nil
	}
	if root = root.Without("url-list"); len(seeds) == 0 {
		return root, nil
	}
	return root.With("url-list", textList(seeds)), nil
}

// info is the info dictionary with what is to differ from m.
func (o *EditOptions) info(info bencode.Value, m *Metainfo) (bencode.Value, error) {
	if o.Private != nil && *o.Private != m.Private {
		if info = info.Without("private"); *o.Private {
			info = info.With("private", bencode.NewInt(1))
		}
	}
	if o.Source != nil && *o.Source != m.Source {
		info = setText(info, "source", *o.Source)
	}
	if o.Name == nil || *o.Name == m.Name {
		return info, nil
	}
	switch name, err := (pathRules{}).component([]byte(*o.Name)); {
	case err != nil:
		return info, errorf(BadInput, "%w", err)
	case name == "" || name != *o.Name:
		return info, errorf(BadInput, "the name %q is empty, not UTF-8 or longer than %d bytes", clip(*o.Name), maxComponent)
	}
	if m.HasV2() && !m.Dir { // the one entry of the file tree has the name, too
		for _, file := range info.Get("file tree").Entries() {
			info = info.With("file tree", bencode.NewDict().With(*o.Name, file))
		}
	}
	return setText(info.Without("name.utf-8"), "name", *o.Name), nil
}
