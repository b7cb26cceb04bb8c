package ui

import (
	"io"
	"strings"

	"github.com/rivo/uniseg"
)

// Table writes rows of cells in columns, two spaces apart. Cells are quoted; those that begin with a tab are flushed
// right. The last cell of a row may be as wide as it likes.
func Table(w io.Writer, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if text, _ := strings.CutPrefix(cell, "\t"); i < len(row)-1 || text != cell {
				widths[i] = max(widths[i], uniseg.StringWidth(Quote(text)))
			}
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			text, right := strings.CutPrefix(cell, "\t")
			text = Quote(text)
			pad := strings.Repeat(" ", max(0, widths[i]-uniseg.StringWidth(text)))
			if right {
				text = pad + text
			} else {
				text += pad
			}
			line.WriteString(text + "  ")
		}
		if _, err := io.WriteString(w, strings.TrimRight(line.String(), " ")+"\n"); err != nil {
			return err
		}
	}
	return nil
}
