package share_test

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/share/secret"
	"shoal/share/wire"
)

// rooms are where the constants of docs/shares.md live, by the name that the page gives them.
var rooms = map[string]string{
	"bt": "../bt", "blob": "blob", "disk": "disk", "index": "index", "node": "node", "secret": "secret", "vault": "vault", "wire": "wire",
}

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "shares.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestConstants checks that the tables of constants in docs/shares.md say what the code does, and that no limit of the
// format and the protocol is missing there.
func TestConstants(t *testing.T) {
	t.Parallel()
	said := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| `([a-z]+\\.[A-Za-z]+)` \\| ([^|]+) \\|")
	for _, m := range row.FindAllStringSubmatch(page(t), -1) {
		said[m[1]] = m[2]
	}
	r := reader{fset: token.NewFileSet(), known: map[string]*types.Package{}}
	code := map[string]*types.Const{}
	for name := range rooms {
		scope := r.room(t, name).Scope()
		for _, n := range scope.Names() {
			if c, ok := scope.Lookup(n).(*types.Const); ok {
				code[name+"."+n] = c
			}
		}
	}
	for name, text := range said {
		want, err := valueOf(text)
		got, ok := elsewhere[name]
		if c := code[name]; c != nil && !ok {
			got, ok = constant.Int64Val(constant.ToInt(c.Val()))
		}
		switch {
		case err != nil:
			t.Errorf("docs/shares.md: the value of %s: %v", name, err)
		case code[name] == nil || !ok:
			t.Errorf("docs/shares.md names the constant %s, which is not there", name)
		case got != want:
			t.Errorf("docs/shares.md says that %s is %s, and it is %d", name, text, got)
		}
	}
	for name, c := range code {
		room, short, _ := strings.Cut(name, ".")
		format := room == "blob" || room == "index" || room == "wire"
		if format && ast.IsExported(short) && isNumber(c.Type()) && said[name] == "" {
			t.Errorf("the tables of docs/shares.md lack %s", name)
		}
	}
}

// elsewhere are constants whose values come from other modules, which the reader of constants does not read.
var elsewhere = map[string]int64{
	"secret.Overhead": secret.Overhead, "secret.BoxOverhead": secret.BoxOverhead, "secret.SignatureSize": secret.SignatureSize,
}

// isNumber leaves out what is one of a list: kinds, types, causes.
func isNumber(typ types.Type) bool {
	b, ok := typ.(*types.Basic)
	return ok && b.Info()&types.IsNumeric != 0 || typ.String() == "time.Duration"
}

var units = map[string]int64{
	"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	"s": int64(time.Second), "h": int64(time.Hour), "d": 24 * int64(time.Hour),
}

// valueOf is a number and its unit: bytes, or nanoseconds.
func valueOf(text string) (int64, error) {
	number, unit, _ := strings.Cut(text, " ")
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || units[unit] == 0 {
		return 0, fmt.Errorf("%q is no number with a unit", text)
	}
	return int64(f * float64(units[unit])), nil
}

// A reader reads the constants of rooms from their source, without what rooms import from elsewhere.
type reader struct {
	fset  *token.FileSet
	known map[string]*types.Package
}

func (r *reader) room(t *testing.T, name string) *types.Package {
	t.Helper()
	if p := r.known[name]; p != nil {
		return p
	}
	dir, err := build.Default.ImportDir(rooms[name], 0)
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, f := range dir.GoFiles {
		file, err := parser.ParseFile(r.fset, filepath.Join(dir.Dir, f), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	conf := types.Config{IgnoreFuncBodies: true, Error: func(error) {}, Importer: importer(func(path string) (*types.Package, error) {
		if path == "time" {
			return clock(), nil
		}
		if room := filepath.Base(path); rooms[room] != "" && strings.HasPrefix(path, "shoal/") {
			return r.room(t, room), nil
		}
		return nil, fmt.Errorf("%s is not needed", path)
	})}
	p, _ := conf.Check("shoal/"+name, r.fset, files, nil) // what is missing are types, and no matter here
	r.known[name] = p
	return p
}

type importer func(path string) (*types.Package, error)

func (f importer) Import(path string) (*types.Package, error) { return f(path) }

// clock is as much of package time as constants need.
func clock() *types.Package {
	p := types.NewPackage("time", "time")
	name := types.NewTypeName(token.NoPos, p, "Duration", nil)
	typ := types.NewNamed(name, types.Typ[types.Int64], nil)
	p.Scope().Insert(name)
	for n, d := range map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour} {
		p.Scope().Insert(types.NewConst(token.NoPos, p, n, typ, constant.MakeInt64(int64(d))))
	}
	p.MarkComplete()
	return p
}

// TestLabels checks that docs/shares.md names every label, field and purpose, and every message.
func TestLabels(t *testing.T) {
	t.Parallel()
	text := page(t)
	names := map[string]bool{}
	r := reader{fset: token.NewFileSet(), known: map[string]*types.Package{}}
	scope := r.room(t, "secret").Scope()
	for _, n := range scope.Names() {
		c, ok := scope.Lookup(n).(*types.Const)
		if ok && (strings.HasSuffix(c.Type().String(), ".label") || strings.HasSuffix(c.Type().String(), ".Field") || strings.HasPrefix(n, "prefix")) {
			names[constant.StringVal(c.Val())] = true
		}
	}
	for p := secret.SignEpoch; p.String() != ""; p++ {
		names[p.String()] = true
	}
	for m := wire.TypeHello; m.String() != wire.Other.String(); m++ {
		names[m.String()] = true
	}
	if len(names) < 40 {
		t.Errorf("found only %d names", len(names))
	}
	for name := range names {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/shares.md does not name `%s`", name)
		}
	}
}
