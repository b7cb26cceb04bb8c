package commands

import (
	"fmt"
	"io"
	"math"
	"strings"

	"shoal/bt"
	"shoal/commands/internal/ui"
)

// writeVerified writes a line for each file, or only for those that are not good.
func writeVerified(w io.Writer, r *bt.VerifyResult, onlyBad bool) error {
	for i := range r.Files {
		f := &r.Files[i]
		if f.State == bt.FileOK && onlyBad {
			continue
		}
		fmt.Fprintf(w, "%-10s  %s%s\n", f.State, ui.Quote(f.Path), ui.Quote(whatIsWrong(f)))
	}
	if onlyBad {
		return nil
	}
	said := fmt.Sprintf("all %s good", ui.Size(r.Bytes))
	if r.Err() != nil {
		said = fmt.Sprintf("%s of %s good (%s), %d of %s damaged or missing", ui.Size(r.GoodBytes), ui.Size(r.Bytes),
			percent(r.GoodBytes, r.Bytes), r.Pieces-r.GoodPieces, ui.Count(r.Pieces, "piece"))
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", ui.Quote(r.Name), said)
	return err
}

// percent is rounded down: 100 % is all of it.
func percent(part, whole int64) string {
	return fmt.Sprintf("%.2f%%", math.Floor(float64(part)/float64(max(whole, 1))*1e4)/100)
}

// whatIsWrong says what is to be known about a file beside its state.
func whatIsWrong(f *bt.VerifiedFile) string {
	var parts []string
	if f.State == bt.FileWrongSize {
		parts = append(parts, fmt.Sprintf("%d bytes, not %d", f.FoundBytes, f.Bytes))
	}
	if f.Message != "" {
		parts = append(parts, f.Message)
	}
	if len(f.DamagedPieces) > 0 && f.State != bt.FileMissing {
		said := fmt.Sprintf("%s in %s", ui.Size(f.DamagedBytes), pieceList(f.DamagedPieces))
		if len(f.SharedPieces) > 0 {
			said += fmt.Sprintf(", of which others share %s", pieceList(f.SharedPieces))
		}
		parts = append(parts, said)
	}
	if f.UnverifiedBytes > 0 {
		parts = append(parts, fmt.Sprintf("%s share a piece with a file that is not whole", ui.Size(f.UnverifiedBytes)))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, "; ")
}

// mostRanges is how many ranges of pieces a line names.
const mostRanges = 8

// pieceList names pieces: "pieces 3-5 9".
func pieceList(ranges []bt.PieceRange) string {
	list := "pieces"
	if len(ranges) == 1 && ranges[0][0] == ranges[0][1] {
		list = "piece"
	}
	for i, r := range ranges {
		switch {
		case i == mostRanges:
			return fmt.Sprintf("%s and %d more places", list, len(ranges)-i)
		case r[0] == r[1]:
			list += fmt.Sprintf(" %d", r[0])
		default:
			list += fmt.Sprintf(" %d-%d", r[0], r[1])
		}
	}
	return list
}
