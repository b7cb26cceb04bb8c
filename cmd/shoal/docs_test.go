package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"shoal/bt/bttest"
	"shoal/commands"
)

const root = "../.."

// guidePort is a port that guides use.
var guidePort = regexp.MustCompile(`\b268[0-9][0-9]\b`)

// otherPorts replaces the ports of a guide by as many that are free, with the same distances: another guide, and what else
// runs on this machine, may use them at the same time.
func otherPorts(t bttest.T, text string) string {
	for {
		shift, free := bttest.FreePort(t)-26800, true
		moved := guidePort.ReplaceAllStringFunc(text, func(s string) string {
			n, _ := strconv.Atoi(s)
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n+shift)))
			if err != nil {
				free = false
				return s
			}
			l.Close()
			return strconv.Itoa(n + shift)
		})
		if free {
			return moved
		}
	}
}

// tourCmd is "tour FILE GUIDE [SECTION]": it writes the commands that a guide shows, or a section of it, to a file, with
// ports that nobody uses.
func tourCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: tour FILE GUIDE [SECTION]")
	}
	rest, err := os.ReadFile(filepath.Join(root, args[1]))
	ts.Check(err)
	if len(args) == 3 {
		_, section, _ := strings.Cut(string(rest), "\n## "+args[2]+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		rest = []byte(section)
	}
	var tour strings.Builder
	for i, block := range strings.Split(string(rest), "```sh\n") {
		commands, _, closed := strings.Cut(block, "```")
		if i > 0 && closed {
			tour.WriteString(commands)
		}
	}
	if tour.Len() == 0 {
		ts.Fatalf("%s has no commands between ```sh and ```", args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(otherPorts(scriptT{ts}, tour.String())), 0o644))
}

// guides are the texts that people read, by path.
func guides(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, name := range append(names, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

// TestLinks checks that what guides link to is there.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)]+)\)`)
	for name, text := range guides(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", filepath.Base(name), m[1])
			}
		}
	}
}

// TestArchitectureNamesEachFile checks that docs/architecture.md says what each file of bt, and of the rooms of share, is
// for.
func TestArchitectureNamesEachFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []string{"bt", "share/*", "share/*/*"} {
		files, err := filepath.Glob(filepath.Join(root, room, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files: %v", room, len(files), err)
		}
		for _, file := range files {
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			name = filepath.ToSlash(name)
			if !strings.HasSuffix(name, "_test.go") && !strings.Contains(string(text), "(../"+name+")") {
				t.Errorf("docs/architecture.md does not say what %s is for", name)
			}
		}
	}
}

// TestREADMENamesEachCommand checks the table of commands.
func TestREADMENamesEachCommand(t *testing.T) {
	t.Parallel()
	readme := guides(t)[filepath.Join(root, "README.md")]
	for _, c := range commands.Root().Commands() {
		if !strings.Contains(readme, "| `shoal "+c.Name()) {
			t.Errorf("the table of commands in README.md lacks %s", c.Name())
		}
	}
}
