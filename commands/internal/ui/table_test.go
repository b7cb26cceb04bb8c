package ui

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	var b strings.Builder
	rows := [][]string{{"name", "\tsize", "path"}, {"ü漢", "\t1 B", "a\x1b[2Jb"}, {"long name", "\t12 KiB"}, {"x", "\t-", ""}}
	if err := Table(&b, rows); err != nil {
		t.Fatal(err)
	}
	want := "name         size  path\nü漢           1 B  a\\x1b[2Jb\nlong name  12 KiB\nx               -\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}
