package commands

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"shoal/bt"
)

// A request is a source and what is asked of it.
type request struct {
	source string
	dir    string
	out    string
	picks  []bt.IndexRange
}

// Bounds of an input file: a magnet is some hundred bytes long.
const (
	inputLineMax = 64 << 10
	inputMax     = 64 << 20
)

// readInputFile reads the file of -i. Each request begins as base.
func readInputFile(g *globals, name string, base request) ([]request, error) {
	f, err := g.open(name)
	if err != nil {
		return nil, &bt.Error{Code: bt.BadInput, Err: err}
	}
	defer f.Close()
	requests, err := parseInput(io.LimitReader(f, inputMax), base)
	if err != nil {
		return nil, &bt.Error{Code: bt.BadInput, Err: fmt.Errorf("reading sources from %s: %w", name, err)}
	}
	return requests, nil
}

// parseInput reads a source a line. Indented lines below a source say more about it: dir=, out= or select=. Empty
// lines and those that begin with # are skipped.
func parseInput(r io.Reader, base request) ([]request, error) {
	var requests []request
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, inputLineMax)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#':
		case line[0] != ' ' && line[0] != '\t':
			one := base
			one.source = text
			requests = append(requests, one)
		case len(requests) == 0:
			return nil, fmt.Errorf("line %d: an option without a source above it", n)
		default:
			if err := requests[len(requests)-1].option(text); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
	}
	return requests, lines.Err()
}

// option reads an indented line of an input file.
func (r *request) option(text string) (err error) {
	key, value, _ := strings.Cut(text, "=")
	switch key {
	case "dir":
		r.dir = value
	case "out":
		if value == "-" {
			return fmt.Errorf("only -o on the command line writes to standard output")
		}
		r.out = value
	case "select":
		r.picks, err = bt.ParseIndexes(value)
	default:
		err = fmt.Errorf("unknown option %q: want dir=, out= or select=", text)
	}
	return err
}
