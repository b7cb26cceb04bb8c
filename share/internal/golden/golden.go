// Package golden compares what tests of the formats make with the files that froze it.
package golden

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of testdata; what is frozen must not change")

// Check compares got with a file of the package under test, testdata/NAME, line by line. With -update it writes the file.
func Check(t testing.TB, name string, got []byte) {
	t.Helper()
	name = "testdata/" + name
	if *update {
		if err := os.WriteFile(name, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			t.Fatalf("the format has changed, and other versions cannot read this one: line %d of %s is now %s", i+1, name, g[i])
		}
	}
	if len(g) != len(w) {
		t.Fatalf("the format has changed: %s has %d lines, and now there are %d", name, len(w), len(g))
	}
}
