package commands

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/bt"
)

// textOf is the text of all files below a folder with a suffix.
func textOf(t *testing.T, dir, suffix string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestFlagsAreSpecified checks that each flag of each command, and each other spelling of one, is used in a script and
// explained in a guide.
func TestFlagsAreSpecified(t *testing.T) {
	scripts, guides := textOf(t, "../testdata/script", ".txtar"), textOf(t, "../docs", ".md")
	check := func(name, short string) {
		typed := `--` + regexp.QuoteMeta(name) + `\b`
		if short != "" {
			typed += `| -` + short + `\b`
		}
		if !regexp.MustCompile(typed).MatchString(scripts) {
			t.Errorf("no script uses --%s", name)
		}
		if !strings.Contains(guides, "--"+name) {
			t.Errorf("no guide explains --%s", name)
		}
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) { check(f.Name, f.Shorthand) })
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(Root())
	for _, aliases := range []map[string]string{networkAliases, downloadAliases} {
		for alias := range aliases {
			check(alias, "")
		}
	}
}

// TestFieldsAreDocumented checks that each field of each result is in docs/json.md.
func TestFieldsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range []any{downloadDoc{}, metainfoDoc{}, versionInfo{}, errorDoc{}, bt.DemoResult{}, bt.TrackerStatus{}} {
		for name := range fieldNames(reflect.TypeOf(doc)) {
			if !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("docs/json.md does not explain %s of %T", name, doc)
			}
		}
	}
}

// fieldNames are the names of all fields of a type in JSON, those of what it holds included.
func fieldNames(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return fieldNames(t.Elem())
	case reflect.Struct:
	default:
		return names
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names[name] = true
		}
		for name := range fieldNames(f.Type) {
			names[name] = true
		}
	}
	return names
}

// TestCommandsHaveExamples checks what help is made of.
func TestCommandsHaveExamples(t *testing.T) {
	for _, c := range Root().Commands() {
		if c.Short == "" || c.Example == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: wants a Short without full stop, and an Example", c.Name())
		}
	}
}

// TestCodesAreDocumented checks that the table of statuses holds each code.
func TestCodesAreDocumented(t *testing.T) {
	text := textOf(t, "../docs", "json.md")
	for code := range statuses {
		if !strings.Contains(text, "`"+string(code)+"`") {
			t.Errorf("docs/json.md does not explain the code %s", code)
		}
	}
}
