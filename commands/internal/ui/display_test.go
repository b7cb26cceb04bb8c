package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rivo/uniseg"
	"go.uber.org/goleak"

	"shoal/bt"
)

const mib = 1 << 20

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var running = bt.Progress{State: "downloading", Name: "album.iso", InfoHash: "aa", Done: 120 * mib, Total: 456 * mib,
	Down: 12.3 * mib, Up: 4096, Peers: 5, Seeds: 2, ETA: 90 * time.Second}

var start = time.Unix(1e9, 0)

func TestBarLine(t *testing.T) {
	with := func(change func(*bt.Progress)) bt.Progress {
		p := running
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		p     bt.Progress
		width int
		want  string
	}{
		"downloading": {running, 79, "album.iso  26% |████              | 120/456 MiB  12.3 MiB/s  5 peers  ETA 1m30s"},
		"start":       {with(func(p *bt.Progress) { p.Done, p.Down, p.ETA = 0, 0, -1 }), 79, "album.iso   0% |                            | 0/456 MiB  0 B/s  5 peers  ETA --"},
		"end":         {with(func(p *bt.Progress) { p.Done, p.ETA = p.Total, 0 }), 79, "album.iso 100% |██████████████████████████████| 456 MiB in 1m30s  5.07 MiB/s"},
		"almost":      {with(func(p *bt.Progress) { p.Done = p.Total - 1 }), 79, "album.iso  99% |█████████████████ | 456/456 MiB  12.3 MiB/s  5 peers  ETA 1m30s"},
		"long name": {with(func(p *bt.Progress) { p.Name = strings.Repeat("long ", 20) }), 79,
			"long long l…long long   26% |█    | 120/456 MiB  12.3 MiB/s  5 peers  ETA 1m30s"},
		"control characters": {with(func(p *bt.Progress) { p.Name = "a\x1b[2J\u202eb" }), 79, `a\x1b[2J\u202eb  26% |███         | 120/456 MiB  12.3 MiB/s  5 peers  ETA 1m30s`},
		"narrow":             {running, 50, "26%  120/456 MiB  12.3 MiB/s  5 peers  ETA 1m30s"},
		"metadata":           {bt.Progress{State: "metadata", InfoHash: strings.Repeat("a", 40), Peers: 3}, 79, strings.Repeat("a", 40) + "  looking for metadata: 3 peers"},
		"checking":           {bt.Progress{State: "checking", Name: "x", Done: mib, Total: 2 * mib}, 79, "x  50% |███████████████               | checking  1.00/2.00 MiB"},
		"seeding":            {bt.Progress{State: "seeding", Name: "x", Total: 2 * mib, Uploaded: mib, Up: 1000, Peers: 1}, 79, "x  seeding  1.00 MiB sent  ratio 0.50  0.98 KiB/s  1 peer"},
	} {
		t.Run(name, func(t *testing.T) {
			got := barLine(&job{Progress: c.p, began: start, last: start.Add(90 * time.Second)}, c.width)
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if w := uniseg.StringWidth(got); w > c.width {
				t.Errorf("%d columns wide, more than %d", w, c.width)
			}
		})
	}
}

// display makes an Output of a mode with a clock that stands still until it is moved.
func display(mode string) (*Output, *bytes.Buffer, *time.Time) {
	var errw bytes.Buffer
	clock := start
	o := New(&bytes.Buffer{}, &errw, Options{Progress: mode})
	o.now = func() time.Time { return clock }
	o.width = func() int { return 80 }
	return o, &errw, &clock
}

func TestPlain(t *testing.T) {
	o, errw, clock := display("auto") // a buffer is no terminal
	d := o.NewDisplay()
	meta := bt.Progress{State: "metadata", InfoHash: "aa", Peers: 1, ETA: -1}
	d.Update("s", meta)
	d.Update("s", meta)
	*clock = clock.Add(9 * time.Second)
	d.Update("s", meta)
	d.Update("s", running) // another phase is said at once
	*clock = clock.Add(9 * time.Second)
	d.Update("s", running)
	*clock = clock.Add(time.Second)
	d.Update("s", running)
	d.Event("s", bt.Event{Kind: "stalled"})
	*clock = clock.Add(time.Second)
	done := running
	done.Done, done.Down, done.Peers, done.ETA = done.Total, 0, 0, 0
	d.Update("s", done) // so is the end
	d.Event("s", bt.Event{Kind: "file", Name: "quiet"})
	d.Close()
	want := "aa: looking for metadata: 1 peer\n" +
		"album.iso: 26% 120/456 MiB, 12.3 MiB/s, 5 peers, ETA 1m30s\n" +
		"album.iso: 26% 120/456 MiB, 12.3 MiB/s, 5 peers, ETA 1m30s\n" +
		"album.iso: stalled: nothing came for a while, still trying\n" +
		"album.iso: 100% 456 MiB in 20s, 16.8 MiB/s\n"
	if got := errw.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestPlainLinesFit(t *testing.T) {
	p := running
	p.Name = strings.Repeat("long \x1b", 20)
	want := `long \x1blong \… \x1blong \x1b: 26% 120/456 MiB, 12.3 MiB/s, 5 peers, ETA 1m30s`
	if got := plainLine(&job{Progress: p}); got != want || uniseg.StringWidth(got) > 79 {
		t.Errorf("got %q, %d columns", got, uniseg.StringWidth(got))
	}
}

func TestBarStaysWhole(t *testing.T) {
	o, errw, _ := display("bar")
	d := o.NewDisplay()
	d.Update("s", running)
	line := barLine(&job{Progress: running}, 77) // a terminal adds "^C" when that is typed
	o.Note("hello\x07")
	o.Error("bad \x1b[0m", "try")
	d.Close()
	clear := "\r\x1b[K"
	want := line + clear + "shoal: hello\\x07\n" + line + clear + "shoal: bad \\x1b[0m\n" + line + clear + "shoal: hint: try\n" + line + clear
	if got := errw.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestSum(t *testing.T) {
	o, errw, _ := display("bar")
	d := o.NewDisplay()
	d.Update("1", bt.Progress{State: "downloading", Done: mib, Total: 4 * mib, Down: mib, Peers: 1})
	d.Update("2", bt.Progress{State: "seeding", Done: 4 * mib, Total: 4 * mib, Peers: 2})
	if got := errw.String(); !strings.HasSuffix(got, "2 downloads  62% |█████████      | 5.00/8.00 MiB  1.00 MiB/s  3 peers  ETA 3s") {
		t.Errorf("got %q", got)
	}
}

func TestJSONLines(t *testing.T) {
	o, errw, _ := display("json")
	d := o.NewDisplay()
	d.Update("s", running)
	d.Update("s", bt.Progress{State: "metadata", InfoHash: "aa", ETA: -1})
	d.Event("s", bt.Event{Kind: "file", Name: "a\x1b/b", Size: 3})
	want := `{"event":"progress","infohash":"aa","name":"album.iso","state":"downloading","done":125829120,"total":478150656,"down_bps":12897484,"up_bps":4096,"uploaded":0,"peers":5,"seeds":2,"eta_s":90}
{"event":"progress","infohash":"aa","state":"metadata","done":0,"total":0,"down_bps":0,"up_bps":0,"uploaded":0,"peers":0,"seeds":0,"eta_s":null}
{"event":"file","infohash":"aa","state":"metadata","done":0,"total":0,"down_bps":0,"up_bps":0,"uploaded":0,"peers":0,"seeds":0,"eta_s":null,"path":"a\u001b/b","bytes":3}
`
	if got := errw.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for line := range strings.Lines(errw.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// What a download is called is known from its metadata on, not only from the first progress.
func TestEventsBearTheName(t *testing.T) {
	o, errw, _ := display("json")
	d := o.NewDisplay()
	d.Event("a/film.torrent", bt.Event{Kind: "metadata", InfoHash: "aa", Name: "film"})
	d.Event("a/film.torrent", bt.Event{Kind: "file", InfoHash: "aa", Name: "film", Size: 3})
	if got := errw.String(); strings.Count(got, `"name":"film"`) != 2 {
		t.Errorf("got %s", got)
	}
}

func TestQuietShowsErrorsOnly(t *testing.T) {
	var errw bytes.Buffer
	o := New(&bytes.Buffer{}, &errw, Options{Quiet: true, Progress: "auto"})
	d := o.NewDisplay()
	d.Update("s", running)
	o.Note("hello")
	o.Error("bad", "")
	if got := errw.String(); got != "shoal: bad\n" {
		t.Errorf("got %q", got)
	}
}

func TestColor(t *testing.T) {
	for color, want := range map[string]string{"auto": "shoal: bad\n", "always": "\x1b[1;31mshoal:\x1b[0m bad\n", "never": "shoal: bad\n"} {
		var errw bytes.Buffer
		New(&bytes.Buffer{}, &errw, Options{Color: color}).Error("bad", "")
		if got := errw.String(); got != want {
			t.Errorf("%s: got %q", color, got)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestClosedPipe(t *testing.T) {
	o := New(brokenPipe{}, &bytes.Buffer{}, Options{JSON: true})
	if err := o.Result(1, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Result: %v", err)
	}
	if _, err := o.Bytes().Write(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Bytes: %v", err)
	}
}

func TestProgressLinesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	line := reflect.TypeFor[progressLine]()
	for i := range line.NumField() {
		name, _, _ := strings.Cut(line.Field(i).Tag.Get("json"), ",")
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/json.md does not explain %s", name)
		}
	}
}
