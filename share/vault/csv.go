package vault

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

// csvHead are the columns, called as other managers of passwords call them.
var csvHead = []string{"Group", "Title", "Username", "Password", "Notes", "Tags", "Created"}

// encodeCSV is a list in plain text, as a table with a head.
func encodeCSV(list []Entry) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{csvHead}
	for _, e := range list {
		rows = append(rows, []string{groupOf(e.Secret.Kind), e.Label, e.Secret.Role(), e.Secret.Text(), e.Note, strings.Join(e.Tags, ";"), e.Added.Format(time.RFC3339)})
	}
	err := w.WriteAll(rows)
	return b.Bytes(), err
}

// decodeCSV reads a table by its head: columns may stand in any order, all but Password may be missing. Rows whose password is
// no secret of shoal are passed over: they are something else.
func decodeCSV(b []byte) ([]Entry, error) {
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, api.Errorf(bt.BadInput, "reading secrets: it is no table of secrets")
	}
	column := func(row []string, name string) string {
		i := slices.IndexFunc(rows[0], func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), name) })
		if i < 0 || i >= len(row) {
			return ""
		}
		return row[i]
	}
	if column(rows[0], "Password") == "" {
		return nil, api.Errorf(bt.BadInput, "reading secrets: the table has no column Password")
	}
	var all []plain
	for _, row := range rows[1:] {
		text := column(row, "Password")
		if _, err := Parse(text); err != nil && !meant(text) {
			continue
		}
		added, _ := time.Parse(time.RFC3339, column(row, "Created")) // of another manager: not known
		all = append(all, plain{Label: column(row, "Title"), Token: text, Added: added, Note: column(row, "Notes"), Tags: splitTags(column(row, "Tags"))})
	}
	return entries(all)
}

// meant reports whether a text means to be a secret of shoal.
func meant(text string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "shoal")
}

func splitTags(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == ',' })
}

// groupOf is the group that secrets of a kind stand in.
func groupOf(k Kind) string {
	switch k {
	case Invite:
		return "Invites"
	case Node:
		return "Node"
	}
	return "Shares"
}
