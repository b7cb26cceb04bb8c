package secret

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is how many light modules the standard wants around a symbol.
const quiet = 4

// QR draws a text form (of a token, an invite or a URL) as a QR symbol of error correction level M: lines of half
// blocks, each ending in a newline. Light modules are drawn, as a terminal of light text on dark ground needs it; for
// dark text on light ground, inverted draws the dark ones.
//
// Tokens and invites are drawn in capitals, which QR packs more densely: 37 by 37 modules for a token.
func QR(text string, inverted bool) (string, error) {
	if !strings.Contains(text, ":") {
		text = strings.ToUpper(text)
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("drawing a QR symbol: %w", err)
	}
	drawn := func(x, y int) bool { return code.Black(x-quiet, y-quiet) == inverted }
	side := code.Size + 2*quiet
	var b strings.Builder
	for y := 0; y < side; y += 2 {
		for x := range side {
			upper, lower := drawn(x, y), y+1 < side && drawn(x, y+1)
			switch {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}
