package bt

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// A Selection picks files of a torrent. The zero value picks all. Indexes, globs and exclusions combine: a file is
// picked when it is in Indexes or matches an Include (or neither is given) and matches no Exclude.
type Selection struct {
	Indexes []IndexRange // 1-based, in the order of the torrent's files, pads not counted
	Include []string     // doublestar globs over the path below Name, or over the base name when they have no slash
	Exclude []string
}

// An IndexRange is the files First to Last, both included.
type IndexRange struct{ First, Last int }

// String is the range as ParseIndexes reads it.
func (r IndexRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// ParseIndexes reads a list of file numbers and ranges such as "1-3,8". Numbers start at 1. The error's code is Usage.
func ParseIndexes(s string) ([]IndexRange, error) {
	var ranges []IndexRange
	for field := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(field), "-")
		if !isRange {
			last = first
		}
		lo, okLo := parseIndex(first)
		hi, okHi := parseIndex(last)
		if !okLo || !okHi || hi < lo {
			return nil, errorf(Usage, "parsing file numbers %q: %q is neither a number from 1 nor a range like 1-3", s, field)
		}
		ranges = append(ranges, IndexRange{lo, hi})
	}
	return ranges, nil
}

// parseIndex reads a positive number of nothing but digits: Atoi alone would take a sign.
func parseIndex(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil && n > 0
}

// Match says for each file of m whether it is picked. An index that the torrent does not have, or a selection that
// picks nothing, is an error of code NotFound; a malformed glob is one of code Usage.
func (sel Selection) Match(m *Metainfo) ([]bool, error) {
	picked := make([]bool, len(m.Files))
	for _, r := range sel.Indexes {
		if r.First < 1 || r.Last < r.First || r.Last > len(m.Files) {
			return nil, errorf(NotFound, "selecting files %s: the torrent has %s", r, count(len(m.Files), "file")).withHint(hintList)
		}
		for i := r.First; i <= r.Last; i++ {
			picked[i-1] = true
		}
	}
	for _, g := range append(append([]string(nil), sel.Include...), sel.Exclude...) {
		if !doublestar.ValidatePattern(g) {
			return nil, errorf(Usage, "selecting files: malformed pattern %q", g)
		}
	}
	all := len(sel.Indexes) == 0 && len(sel.Include) == 0
	any := false
	name := ""
	if m.Dir {
		name = m.Name
	}
	for i, f := range m.Files {
		picked[i] = (all || picked[i] || matchGlobs(sel.Include, name, f.Path)) && !matchGlobs(sel.Exclude, name, f.Path)
		any = any || picked[i]
	}
	if !any {
		return nil, errorf(NotFound, "selecting files: none of %s is picked", count(len(m.Files), "file")).withHint(hintList)
	}
	return picked, nil
}

const hintList = "--list shows what is in the torrent"

// matchGlobs reports whether one of the globs, which are well-formed, matches the path p of a file below the folder
// name; name is "" for a torrent of one file.
func matchGlobs(globs []string, name, p string) bool {
	for _, g := range globs {
		if strings.HasSuffix(g, "/") { // a folder: all that is in it
			g += "**"
		}
		if !strings.Contains(g, "/") {
			if doublestar.MatchUnvalidated(g, path.Base(p)) {
				return true
			}
			continue
		}
		if doublestar.MatchUnvalidated(g, p) || name != "" && doublestar.MatchUnvalidated(g, name+"/"+p) {
			return true
		}
	}
	return false
}

// count is a number with its noun: "1 file", "2 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
