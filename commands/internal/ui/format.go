package ui

import (
	"fmt"
	"strings"
	"time"
)

var units = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

// Size shows bytes with three digits: 999 B, 1.50 KiB, 12.3 MiB.
func Size(n int64) string {
	value, unit := scale(float64(n), float64(n))
	return value + " " + unit
}

// Rate shows bytes a second.
func Rate(bps float64) string {
	value, unit := scale(bps, bps)
	return value + " " + unit + "/s"
}

// share shows done of total in the unit of total: 1.20/4.56 GiB.
func share(done, total int64) string {
	whole, unit := scale(float64(total), float64(total))
	part, _ := scale(float64(done), float64(total))
	return part + "/" + whole + " " + unit
}

// scale shows n in the unit that suits like.
func scale(n, like float64) (value, unit string) {
	i := 0
	// 999.5 of a unit would be shown as 1000, which is one digit more.
	for ; like >= 999.5 && i < len(units)-1; i++ {
		n, like = n/1024, like/1024
	}
	switch {
	case i == 0 || n == 0:
		return fmt.Sprintf("%.0f", n), units[i]
	case n < 9.995:
		return fmt.Sprintf("%.2f", n), units[i]
	case n < 99.95:
		return fmt.Sprintf("%.1f", n), units[i]
	}
	return fmt.Sprintf("%.0f", n), units[i]
}

// Duration shows the two largest units of d: 42s, 1m30s, 2h05m, 3d04h.
func Duration(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// Took shows how long something took: like Duration, but what took no time at all is still told apart.
func Took(d time.Duration) string {
	switch {
	case d < 995*time.Millisecond:
		return fmt.Sprintf("%.2fs", d.Seconds())
	case d < 9950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return Duration(d)
}

// Count shows a number with its noun: 1 peer, 2 peers.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// eta shows the time left, which is unknown when negative.
func eta(d time.Duration) string {
	if d < 0 {
		return "ETA --"
	}
	return "ETA " + Duration(d)
}

// join puts the parts that are not empty side by side.
func join(sep string, parts ...string) string {
	kept := parts[:0:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, sep)
}
