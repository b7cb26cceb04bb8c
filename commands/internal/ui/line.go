package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"

	"shoal/bt"
)

// Columns that the parts of a bar may take.
const (
	nameMost, nameLeast = 24, 8
	barMost, barLeast   = 30, 5
	barFrame            = len(" 100% || ") // what the bar has around it, with the space after it
)

// barLine is a download in one line of at most width columns. The numbers say most, so they stay; the bar gives way
// first, then the name.
func barLine(j *job, width int) string {
	p := j.Progress
	name, numbers := Quote(title(p)), numbers(j, "  ")
	room := width - uniseg.StringWidth(numbers)
	if !hasBar(p) {
		return shorten(join("  ", shorten(name, max(nameLeast, room-2)), numbers), width)
	}
	room -= barFrame
	nameWidth := min(uniseg.StringWidth(name), nameMost, max(nameLeast, room-barLeast))
	barWidth := min(barMost, room-nameWidth)
	if barWidth < barLeast {
		percent := fmt.Sprintf("%d%%", percent(p))
		if left := width - uniseg.StringWidth(numbers) - len(percent) - 4; left >= nameLeast/2 {
			name = shorten(name, left)
		} else {
			name = "" // a letter or two would say nothing
		}
		return shorten(join("  ", name, percent, numbers), width)
	}
	return shorten(name, nameWidth) + bar(percent(p), barWidth) + " " + numbers
}

// plainLine is a download in a line of a log.
func plainLine(j *job) string {
	said := numbers(j, ", ")
	if hasBar(j.Progress) {
		said = fmt.Sprintf("%d%% ", percent(j.Progress)) + said
	}
	return named(j, said)
}

// named puts the name of a download before what is said of it, in a line that an 80-column terminal need not break.
func named(j *job, said string) string {
	room := max(nameLeast, 79-len(": ")-uniseg.StringWidth(said))
	return shorten(Quote(title(j.Progress)), min(40, room)) + ": " + said
}

// numbers is what there is to say about a phase.
func numbers(j *job, sep string) string {
	p := j.Progress
	if j.complete() {
		took := j.last.Sub(j.began)
		rate := ""
		if got := p.Done - j.had; got > 0 && took >= time.Second {
			rate = Rate(float64(got) / took.Seconds())
		}
		return join(sep, Size(p.Total)+" in "+Took(took), rate)
	}
	peers := Count(p.Peers, "peer")
	switch p.State {
	case "metadata":
		return "looking for metadata: " + peers
	case "waiting":
		return "looking for peers: " + peers
	case "in-sync":
		return join(sep, "in sync", peers)
	case "checking", "hashing":
		if p.Down == 0 {
			return join(sep, p.State, share(p.Done, p.Total))
		}
		if p.Total == 0 { // of what comes from a pipe
			return join(sep, p.State, Size(p.Done), Rate(p.Down))
		}
		left := ""
		if p.Done < p.Total {
			left = eta(p.ETA)
		}
		return join(sep, p.State, share(p.Done, p.Total), Rate(p.Down), left)
	case "seeding":
		ratio := ""
		if p.Total > 0 {
			ratio = fmt.Sprintf("ratio %.2f", float64(p.Uploaded)/float64(p.Total))
		}
		return join(sep, "seeding", Size(p.Uploaded)+" sent", ratio, Rate(p.Up), peers)
	}
	return join(sep, share(p.Done, p.Total), Rate(p.Down), peers, eta(p.ETA))
}

func hasBar(p bt.Progress) bool {
	return p.Total > 0 && (p.State == "checking" || p.State == "hashing" || p.State == "downloading")
}

// percent is rounded down: 100 means done.
func percent(p bt.Progress) int {
	return int(max(0, min(100, float64(p.Done)/float64(p.Total)*100)))
}

func title(p bt.Progress) string {
	if p.Name != "" {
		return p.Name
	}
	return p.InfoHash
}

// bar draws "  37% |███       |", the part in the middle width columns wide. The library draws into nothing and hands
// over what it drew: when to draw, and what else is on the line, is ours to say.
func bar(percent, width int) string {
	b := progressbar.NewOptions(100,
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetWidth(width),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionUseANSICodes(false))
	if percent == 0 {
		_ = b.RenderBlank()
	}
	_ = b.Set(percent)
	return strings.TrimRight(strings.TrimPrefix(b.String(), "\r"), " ")
}
