package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A shareBench measures programs that keep two folders equal, two nodes of each on loopback.
type shareBench struct {
	shoal   string
	dir     string
	runs    int
	timeout time.Duration // of one run of a row
	amounts
}

// amounts are how much the rows move.
type amounts struct {
	files, manyFiles, millionFiles int
	large                          int64         // bytes of the large file
	news                           int           // new small files, one after the other
	idle                           time.Duration // how long nothing is done
	quiet                          time.Duration // nodes that did nothing for so long are quiet
}

var (
	fullAmounts  = amounts{files: 10_000, manyFiles: 100_000, millionFiles: 1_000_000, large: 2 << 30, news: 5, idle: time.Minute, quiet: time.Second}
	quickAmounts = amounts{files: 100, manyFiles: 300, millionFiles: 1000, large: 16 << 20, news: 1, idle: time.Second, quiet: 200 * time.Millisecond}
)

// A figure is what one program took for one thing.
type figure struct {
	what    string
	seconds float64
	cpu     [2]float64 // seconds of each node, up to when both were quiet again
	rss     [2]int64   // bytes, the most resident at a time
	sent    int64      // bytes of the first node to the second; 0 = not known
	note    string
}

// A shareRow is a run of things that are measured one after the other with the same two nodes.
type shareRow struct {
	name  string
	about func(amounts) string
	asked bool // only when it is named
	run   func(b *shareBench, ctx context.Context, p pair) ([]figure, error)
}

func runShare(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("share", flag.ContinueOnError)
	b := &shareBench{amounts: fullAmounts}
	flags.StringVar(&b.shoal, "shoal", "", "the shoal to measure; without it only the others are")
	quick := flags.Bool("quick", false, "little of everything, and one run unless told otherwise")
	flags.IntVar(&b.runs, "runs", 3, "how often each is measured; the medians are shown")
	names := flags.String("programs", "shoal,syncthing,rsync", "in this order")
	only := flags.String("rows", "", "only these, separated by commas: "+strings.Join(shareRowNames(), " ")+" (million only when it is named)")
	flags.StringVar(&b.dir, "disk", os.TempDir(), "folder on a disk")
	flags.DurationVar(&b.timeout, "timeout", 10*time.Minute, "of one run of a row")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if os.Getenv(insideVar) == "" {
		return inNamespace(ctx)
	}
	if *quick {
		b.amounts = quickAmounts
		given := false
		flags.Visit(func(f *flag.Flag) { given = given || f.Name == "runs" })
		if !given {
			b.runs = 1
		}
	}
	if err := openLoopback(); err != nil {
		return err
	}
	fmt.Printf("%s, %d cores, %s, %s, load %s, medians of %d; the ratio is shoal's speed to theirs\n", kernel(), runtime.NumCPU(), runtime.Version(), congestion, load(), b.runs)
	return b.all(ctx, installedPrograms(b.shoal, strings.Split(*names, ",")), *only)
}

// load is how busy the machine was in the last minute.
func load() string {
	all, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(all), " ")
	return first
}

// all measures the rows, the programs in turn, and fails when one of the runs did.
func (b *shareBench) all(ctx context.Context, programs []program, only string) error {
	failed := 0
	for _, r := range shareRows {
		if only == "" && r.asked || only != "" && !slices.Contains(strings.Split(only, ","), r.name) {
			continue
		}
		fmt.Printf("\n%s: %s\n", r.name, r.about(b.amounts))
		t := shareTable{}
		for range b.runs {
			for _, p := range programs {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				all, err := b.once(ctx, r, p)
				if err != nil && !errors.Is(err, errNotIts) {
					failed++
					fmt.Fprintf(os.Stderr, "bench: %s: %s: %v\n", r.name, p.name, err)
				}
				t.add(p.name, all)
			}
		}
		t.print(os.Stdout)
	}
	if failed > 0 {
		return fmt.Errorf("%d runs failed", failed)
	}
	return nil
}

// once runs a row once, in folders of its own.
func (b *shareBench) once(ctx context.Context, r shareRow, p program) ([]figure, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	dir, err := os.MkdirTemp(b.dir, "shoal-bench-"+p.name+"-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	places, err := newPlaces(dir)
	if err != nil {
		return nil, err
	}
	nodes := p.open(places)
	defer nodes.stop()
	return r.run(b, ctx, nodes)
}
