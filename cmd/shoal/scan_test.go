package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// scanCmd is "scan DRAWING TEXT": zbarimg reads the QR symbol that was drawn for a terminal, light on dark, and TEXT is what
// it says.
func scanCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: scan DRAWING TEXT")
	}
	dir, err := os.MkdirTemp("", "qr")
	ts.Check(err)
	defer os.RemoveAll(dir)
	picture := filepath.Join(dir, "qr.pgm")
	ts.Check(os.WriteFile(picture, drawn(ts.ReadFile(args[0])), 0o600))
	out, err := exec.Command("zbarimg", "-q", "--raw", picture).Output()
	if err != nil {
		ts.Fatalf("zbarimg: %v", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out, 0o600))
}

// drawn is a drawing of half blocks as a picture: a module of 4 by 4 points.
func drawn(text string) []byte {
	const points = 4
	var rows [][]byte
	for line := range strings.Lines(text) {
		var upper, lower []byte
		for _, r := range strings.TrimRight(line, "\n") {
			light := map[rune][2]byte{'█': {255, 255}, '▀': {255, 0}, '▄': {0, 255}}[r]
			upper, lower = append(upper, bytes.Repeat(light[:1], points)...), append(lower, bytes.Repeat(light[1:], points)...)
		}
		for range points {
			rows = append(rows, upper)
		}
		for range points {
			rows = append(rows, lower)
		}
	}
	out := fmt.Appendf(nil, "P5 %d %d 255\n", len(rows[0]), len(rows))
	for _, row := range rows {
		out = append(out, row...)
	}
	return out
}
