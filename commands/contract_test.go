package commands

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/bt"
	"shoal/share/api"
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
	for _, aliases := range []map[string]string{networkAliases, downloadAliases, shareAliases} {
		for alias := range aliases {
			check(alias, "")
		}
	}
}

// TestFieldsAreDocumented checks that docs/json.md has each field of each result in its section.
func TestFieldsAreDocumented(t *testing.T) {
	sections := map[string]string{}
	for section := range strings.SplitSeq(textOf(t, "../docs", "json.md"), "\n## ") {
		title, text, _ := strings.Cut(section, "\n")
		sections[title] = text
	}
	for title, doc := range map[string]any{
		"Errors": errorDoc{}, "download": downloadDoc{}, "metainfo, and download --list": metainfoDoc{},
		"create": createDoc{}, "edit": editDoc{}, "verify": verifyDoc{}, "scrape": scrapeDoc{}, "serve": serveLine{},
		"serve, the node": nodeLine{}, "serve add, list, rm": listDoc[torrentItem]{},
		"share create, add, list": listDoc[api.ShareInfo]{}, "share status, and share sync": syncDoc{},
		"share peers": listDoc[api.PeerInfo]{}, "share members": listDoc[api.MemberInfo]{}, "share token": tokenDoc{}, "share rekey, compact": rekeyDoc{}, "share invite": listDoc[api.InviteInfo]{},
		"share ls": listDoc[api.FileInfo]{}, "share get, drop, restore, revert": filesDoc{},
		"share conflicts, and share history": listDoc[conflictItem]{}, "share check": shareCheckDoc{}, "share link": linkDoc{},
		"share accept, admit, pause, reject, resolve, resume, rm, unlink": shareDoc{},
		"secrets list": listDoc[secretItem]{}, "secrets show, add, rm": secretDoc{}, "secrets export": exportDoc{},
		"secrets import": listDoc[importedItem]{}, "secrets passwd, unlock": passwdDoc{},
		"annex add, and annex register": annexDoc{}, "annex seed": listDoc[annexSeedItem]{}, "annex install": installDoc{}, "annex doctor": doctorDoc{},
		"bencode diff": diffDoc{}, "bencode check": checkDoc{},
		"demo": demoDoc{}, "version": versionInfo{},
	} {
		for name := range fieldNames(reflect.TypeOf(doc)) {
			if !strings.Contains(sections[title], "`"+name+"`") {
				t.Errorf("docs/json.md does not explain %s in its section %q", name, title)
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
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
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

// unused are codes of commands that are yet to come.
var unused = []bt.Code{}

// TestCodesAreSpecified checks that the table of statuses in docs/json.md holds each code, and that a script shows a
// command which ends with it: "status N" of a command that writes JSON, and "code CODE" of its result.
func TestCodesAreSpecified(t *testing.T) {
	all := maps.Clone(statuses)
	all[bt.Failed] = 1
	text := textOf(t, "../docs", "json.md")
	for code, status := range all {
		row := regexp.MustCompile(fmt.Sprintf("(?m)^\\| %d \\|[^|]*`%s`", status, code))
		if !row.MatchString(text) {
			t.Errorf("docs/json.md does not explain the code %s of status %d", code, status)
		}
	}
	if !regexp.MustCompile("(?m)^\\| 130, 143 \\| `interrupted`").MatchString(text) {
		t.Error("docs/json.md does not explain the code interrupted")
	}
	shown := shownPairs(textOf(t, "../testdata/script", ".txtar"))
	for code, status := range all {
		if !shown[fmt.Sprint(status, " ", code)] && !slices.Contains(unused, code) {
			t.Errorf("no script shows the status %d with the code %s", status, code)
		}
	}
	for _, pair := range []string{"130 interrupted", "143 interrupted"} {
		if !shown[pair] {
			t.Errorf("no script shows %s", pair)
		}
	}
}

// shownPairs are the statuses and codes that scripts show together, as "STATUS CODE".
func shownPairs(scripts string) map[string]bool {
	shown, status := map[string]bool{}, ""
	for line := range strings.Lines(scripts) {
		words := append(strings.Fields(line), "", "")
		switch words[0] {
		case "status":
			status = words[1]
		case "exec":
			status = "0"
		case "code":
			shown[status+" "+words[1]] = true
		}
	}
	return shown
}
