package commands

import (
	"reflect"
	"regexp"
	"testing"

	"shoal/bt"
)

// TestPieceSizeTable checks the table of docs/create.md.
func TestPieceSizeTable(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| (?:up to (\S+ \S+)|above) \| (\S+ \S+) \|$`)
	rows := row.FindAllStringSubmatch(textOf(t, "../docs", "create.md"), -1)
	if len(rows) != 11 {
		t.Fatalf("%d rows", len(rows))
	}
	size := func(s string) int64 {
		n, err := bt.ParseSize(regexp.MustCompile(` `).ReplaceAllString(s, ""))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	last := int64(0)
	for _, r := range rows {
		data := last + 1
		if r[1] != "" {
			last = size(r[1])
			data = last
		}
		if got := bt.AutoPieceLength(data, 1, bt.FormatV1); got != size(r[2]) {
			t.Errorf("%s: %d", r[0], got)
		}
		if r[1] != "" && bt.AutoPieceLength(last+1, 1, bt.FormatV1) == size(r[2]) {
			t.Errorf("%s: more has the same size", r[0])
		}
	}
}

func TestSplitTier(t *testing.T) {
	for s, want := range map[string][]string{
		"http://a/":                     {"http://a/"},
		"http://a/,udp://b:1":           {"http://a/", "udp://b:1"},
		"http://a/?x=1,2,http://b/?y=,": {"http://a/?x=1,2", "http://b/?y=,"},
		"nonsense":                      {"nonsense"},
		"":                              {""},
	} {
		if got := splitTier(s); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q", s, got)
		}
	}
}
