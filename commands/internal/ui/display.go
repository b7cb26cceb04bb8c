package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"shoal/bt"
)

// plainEvery is how often a download is mentioned in a log.
const plainEvery = 10 * time.Second

// A Display shows how downloads go on: as a bar for their sum, as lines, as JSON, or not at all. It lives from Updates
// alone and starts nothing of its own. Its methods may be called concurrently.
type Display struct {
	out  *Output
	jobs map[string]*job // guarded by out.mu
}

// A job is a download as last seen.
type job struct {
	bt.Progress
	began, last time.Time // of what is known about it
	had         int64     // bytes that were there when it began
	said        time.Time // when it was last mentioned in plain lines
}

// complete reports whether all data is there. (What is downloading has a known Total, which may be 0.)
func (j *job) complete() bool {
	return j.State == "downloading" && j.Done >= j.Total
}

// NewDisplay starts a display; Close ends it.
func (o *Output) NewDisplay() *Display { return &Display{out: o, jobs: map[string]*job{}} }

// Update shows the state of the download that id (its source) names.
func (d *Display) Update(id string, p bt.Progress) {
	d.out.mu.Lock()
	defer d.out.mu.Unlock()
	j := d.job(id)
	was, wasComplete := j.State, j.complete()
	if p.State == "downloading" && was != p.State {
		j.had = p.Done
	}
	j.Progress, j.last = p, d.out.now()
	changed := was != p.State || wasComplete != j.complete()
	if p.Name == "" && p.InfoHash == "" {
		j.Name = id
	}
	switch d.out.mode {
	case "bar":
		d.out.draw(barLine(d.sum(), d.out.width()-len("^C")-1))
	case "plain":
		if changed || j.last.Sub(j.said) >= plainEvery {
			j.said = j.last
			fmt.Fprintln(d.out.err, plainLine(j))
		}
	case "json":
		d.writeJSON("progress", j.Progress, nil)
	}
}

// Event shows what happened to the download that id names.
func (d *Display) Event(id string, e bt.Event) {
	d.out.mu.Lock()
	defer d.out.mu.Unlock()
	j := d.job(id)
	if e.Kind == "metadata" {
		j.Name, j.InfoHash = e.Name, e.InfoHash
	}
	switch d.out.mode {
	case "bar", "plain":
		if e.Kind == "stalled" {
			d.out.erase()
			fmt.Fprintln(d.out.err, named(j, "stalled: nothing came for a while, still trying"))
			d.out.redraw()
		}
	case "json":
		d.writeJSON(e.Kind, j.Progress, &e)
	}
}

// Close takes the bar off the terminal.
func (d *Display) Close() {
	d.out.mu.Lock()
	defer d.out.mu.Unlock()
	d.out.draw("")
}

func (d *Display) job(id string) *job {
	j := d.jobs[id]
	if j == nil {
		j = &job{Progress: bt.Progress{Name: id, ETA: -1}, began: d.out.now()}
		d.jobs[id] = j
	}
	return j
}

// sum is all downloads as one.
func (d *Display) sum() *job {
	sum := &job{Progress: bt.Progress{Name: fmt.Sprintf("%d downloads", len(d.jobs)), State: "seeding", ETA: -1}, last: d.out.now()}
	for _, j := range d.jobs {
		if len(d.jobs) == 1 {
			return j
		}
		if sum.began.IsZero() || j.began.Before(sum.began) {
			sum.began = j.began
		}
		sum.had += j.had
		sum.Done += j.Done
		sum.Total += j.Total
		sum.Down += j.Down
		sum.Up += j.Up
		sum.Uploaded += j.Uploaded
		sum.Peers += j.Peers
		if urgency(j.State) > urgency(sum.State) {
			sum.State = j.State
		}
	}
	if sum.Down >= 1 {
		sum.ETA = time.Duration(float64(sum.Total-sum.Done) / sum.Down * float64(time.Second))
	}
	return sum
}

// urgency orders states: of several downloads the bar shows the phase that says most.
func urgency(state string) int {
	switch state {
	case "downloading":
		return 3
	case "checking", "hashing":
		return 2
	case "metadata":
		return 1
	}
	return 0
}

// A progressLine is a line of --progress json.
type progressLine struct {
	Event    string  `json:"event"`
	InfoHash string  `json:"infohash,omitempty"`
	Name     string  `json:"name,omitempty"`
	State    string  `json:"state,omitempty"`
	Done     int64   `json:"done"`
	Total    int64   `json:"total"`
	Down     int64   `json:"down_bps"`
	Up       int64   `json:"up_bps"`
	Uploaded int64   `json:"uploaded"`
	Peers    int     `json:"peers"`
	Seeds    int     `json:"seeds"`
	ETA      *int64  `json:"eta_s"`
	Path     *string `json:"path,omitempty"`
	Bytes    *int64  `json:"bytes,omitempty"`
}

// writeJSON writes one event of p; d.out.mu is held.
func (d *Display) writeJSON(event string, p bt.Progress, e *bt.Event) {
	line := progressLine{Event: event, InfoHash: p.InfoHash, Name: p.Name, State: p.State, Done: p.Done, Total: p.Total,
		Down: int64(p.Down), Up: int64(p.Up), Uploaded: p.Uploaded, Peers: p.Peers, Seeds: p.Seeds}
	if p.ETA >= 0 {
		seconds := int64(p.ETA.Round(time.Second) / time.Second)
		line.ETA = &seconds
	}
	if e != nil && e.InfoHash != "" {
		line.InfoHash = e.InfoHash
	}
	switch {
	case e == nil:
	case e.Kind == "file":
		line.Path, line.Bytes = &e.Name, &e.Size
	case e.Name != "":
		line.Name = e.Name
	}
	encode(d.out.err, line)
}

func encode(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // that nobody reads the progress is no reason to stop
}
