package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rooms in the order of the arrows: a room may import those after it.
var rooms = []string{"shoal/cmd/shoal", "shoal/commands", "shoal/annex", "shoal/share", "shoal/bt"}

// onlyHere says which packages may import a module directly.
var onlyHere = map[string]string{
	"github.com/anacrolix/":           "shoal/bt",
	"github.com/spf13/cobra":          "shoal/commands",
	"github.com/spf13/pflag":          "shoal/commands",
	"github.com/schollz/progressbar/": "shoal/commands/internal/ui",
	"github.com/mattn/go-isatty":      "shoal/commands/internal/ui",
}

type listed struct {
	ImportPath string
	Imports    []string
}

// TestArrows checks that engines do not import what calls them, and that libraries stay in their room.
func TestArrows(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "shoal/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		for _, imported := range p.Imports {
			if from, to := room(p.ImportPath), room(imported); to >= 0 && to < from {
				t.Errorf("%s imports %s: an engine does not know what calls it", p.ImportPath, imported)
			}
			for module, home := range onlyHere {
				if strings.HasPrefix(imported+"/", module) && !within(p.ImportPath, home) {
					t.Errorf("%s imports %s, which only %s may", p.ImportPath, imported, home)
				}
			}
		}
	}
}

func room(path string) int {
	return slices.IndexFunc(rooms, func(r string) bool { return within(path, r) })
}

func within(path, parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

// onlyIn says in which folder names of the os package may stand.
var onlyIn = map[string]string{
	"Stdout": "commands/internal/ui", "Stderr": "commands/internal/ui", "Stdin": "commands/internal/ui",
	"Exit": "cmd/shoal", "Args": "cmd/shoal",
}

// TestStandardStreams checks that nothing prints, reads arguments or exits behind the back of its caller. Programs of
// the tests are programs of their own.
func TestStandardStreams(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "bt/bttest" || d.Name() == "testdata" || d.Name() == ".git"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := s.X.(*ast.Ident)
			if home := onlyIn[s.Sel.Name]; ok && pkg.Name == "os" && home != "" && !within(name, home) {
				t.Errorf("%s names os.%s, which only %s may", name, s.Sel.Name, home)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTopLevel checks that nothing has strayed into the repository: its top level is fixed, and it has no symlinks.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("../../.git"); err != nil {
		t.Skip("this is no clone")
	}
	out, err := exec.Command("git", "-C", "../..", "ls-files", "-s", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	top := strings.Fields(".ci .gitignore cmd commands bt share annex completions docs testdata go.mod go.sum Makefile README.md")
	for file := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		mode, path, _ := strings.Cut(file, "\t")
		if first, _, _ := strings.Cut(path, "/"); !slices.Contains(top, first) {
			t.Errorf("%s does not belong at the top", path)
		}
		if strings.HasPrefix(mode, "120000") {
			t.Errorf("%s is a symlink", path)
		}
	}
}
