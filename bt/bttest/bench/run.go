package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"shoal/bt/bttest/internal/netns"
)

const insideVar = "SHOAL_BENCH_INSIDE"

// congestion is the control that loopback is measured under: bbr, the default of some machines, stalls flows that the
// application limits.
const congestion = "reno"

// A bench holds what all rows share.
type bench struct {
	shoal   string
	clients []client
	size    int64
	file    int64 // bytes of the file that is hashed
	runs    int
	mem     string // folder on tmpfs
	disk    string // folder on a disk
	timeout time.Duration
}

// A row of the table: what one client does, once.
type row struct {
	name, about string
	run         func(b *bench, ctx context.Context, c client) (usage, error)
	bytes       func(b *bench) int64
}

func runRun(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	b := &bench{}
	flags.StringVar(&b.shoal, "shoal", "", "the shoal to measure; without it only the others are")
	size := sizeFlag(flags, "size", 2<<30, "bytes of the large torrent (K, M, G allowed)")
	file := sizeFlag(flags, "file", 4<<30, "bytes of the file to make torrents of")
	quick := flags.Bool("quick", false, "256 MiB and one run, unless told otherwise")
	flags.IntVar(&b.runs, "runs", 3, "how often each is measured; the medians are shown")
	names := flags.String("clients", "shoal,serve,libtorrent,aria2", "in this order; serve is shoal serve, which only seeds; there is also transmission, which is slow")
	only := flags.String("rows", "", "only these, separated by commas: "+strings.Join(rowNames(), " "))
	flags.StringVar(&b.mem, "tmpfs", "/dev/shm", "folder in memory")
	flags.StringVar(&b.disk, "disk", os.TempDir(), "folder on a disk")
	flags.DurationVar(&b.timeout, "timeout", 2*time.Minute, "of one measurement")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if os.Getenv(insideVar) == "" {
		return inNamespace(ctx)
	}
	b.size, b.file = *size, *file
	if *quick {
		given := map[string]bool{}
		flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
		if !given["size"] {
			b.size = 256 << 20
		}
		if !given["file"] {
			b.file = 256 << 20
		}
		if !given["runs"] {
			b.runs = 1
		}
	}
	b.clients = installed(b.shoal, strings.Split(*names, ","))
	return b.all(ctx, *only)
}

// inNamespace runs the same command again in a network that has only lo, where nothing else disturbs or is disturbed.
func inNamespace(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), insideVar+"=1")
	cmd.SysProcAttr = netns.SysProcAttr()
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// openLoopback makes lo of a new network ready.
func openLoopback() error {
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("bringing lo up: %v %s", err, out)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/tcp_congestion_control", []byte(congestion), 0); err != nil {
		return fmt.Errorf("choosing %s: %w", congestion, err)
	}
	return nil
}

func (b *bench) all(ctx context.Context, only string) error {
	if err := openLoopback(); err != nil {
		return err
	}
	for _, dir := range []*string{&b.mem, &b.disk} {
		made, err := os.MkdirTemp(*dir, "shoal-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(made)
		*dir = made
	}
	wanted := func(name string) bool { return only == "" || slices.Contains(strings.Split(only, ","), name) }
	if err := b.prepare(slices.ContainsFunc(rows, func(r row) bool { return r.run != nil && wanted(r.name) })); err != nil {
		return err
	}
	fmt.Printf("%s, %d cores, %s, %s, %d MiB, medians of %d; the ratio is shoal's speed to theirs\n", kernel(), runtime.NumCPU(), runtime.Version(), congestion, b.size>>20, b.runs)
	for _, r := range rows {
		if ctx.Err() == nil && wanted(r.name) {
			b.row(ctx, r)
		}
	}
	in := inputs{dir: b.mem, file: b.file, made: map[string]bool{}}
	for _, w := range works {
		if ctx.Err() == nil && wanted(w.name) {
			b.work(ctx, w, &in)
		}
	}
	return ctx.Err()
}

func kernel() string {
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return "Linux " + strings.TrimSpace(string(b))
}

// prepare writes the torrents, and before transfers touches the memory that they will use, which a virtual machine may
// not have yet.
func (b *bench) prepare(transfers bool) error {
	for name, size := range map[string]int64{"large": b.size, "small": smallSize, "part": b.partSize()} {
		path := b.torrent(name)
		if err := os.WriteFile(path, makeTorrent("payload", size, pieceLength(size)), 0o644); err != nil {
			return err
		}
	}
	if !transfers {
		return nil
	}
	touch := filepath.Join(b.mem, "touch")
	return errors.Join(writePattern(touch, 2*b.size), os.Remove(touch))
}

const smallSize = 64 << 20

func (b *bench) partSize() int64 { return min(256<<20, b.size) }

func pieceLength(size int64) int64 {
	if size >= 1<<30 {
		return 1 << 20
	}
	return 256 << 10
}

func (b *bench) torrent(name string) string { return filepath.Join(b.mem, name+".torrent") }

// row measures one row: the clients in turn, again and again, so that what disturbs the machine disturbs all alike.
func (b *bench) row(ctx context.Context, r row) {
	fmt.Printf("\n%s: %s\n", r.name, r.about)
	if r.run == nil {
		b.startRow(ctx)
		return
	}
	clients := b.clients
	if r.name == "check" {
		clients = append(clients[:len(clients):len(clients)], client{name: twoCores})
	}
	var t table
	for range b.runs {
		for _, c := range clients {
			t.measure(r.name, c.name, func() (usage, error) {
				ctx, cancel := context.WithTimeout(ctx, b.timeout)
				defer cancel()
				return r.run(b, ctx, c)
			})
		}
	}
	var bytes int64
	if r.bytes != nil {
		bytes = r.bytes(b)
	}
	t.print(bytes)
}

// A table is what each program took, in the order in which they were first measured.
type table struct {
	names  []string
	got    map[string][]usage
	failed map[string]int
}

// measure adds a measurement, unless it says that the program has no part in the row.
func (t *table) measure(row, name string, run func() (usage, error)) {
	if t.got == nil {
		t.got, t.failed = map[string][]usage{}, map[string]int{}
	}
	u, err := run()
	switch {
	case errors.Is(err, errNotIts):
		return
	case err != nil:
		t.failed[name]++
		fmt.Fprintf(os.Stderr, "bench: %s: %s: %v\n", row, name, err)
	default:
		t.got[name] = append(t.got[name], u)
	}
	if !slices.Contains(t.names, name) {
		t.names = append(t.names, name)
	}
}

// print shows the medians, and with bytes the rates.
func (t *table) print(bytes int64) {
	fmt.Printf("  %-24s %9s %8s %10s %8s %11s %7s %s\n", "", "seconds", "MB/s", "cpu-s/GiB", "RSS MB", "private MB", "ratio", "failed")
	ours := median(t.got["shoal"]).seconds
	for _, name := range t.names {
		u := median(t.got[name])
		speed, cpu, ratio := "-", fmt.Sprintf("%.3f s", u.cpu), "-"
		if bytes > 0 && u.seconds > 0 {
			speed = fmt.Sprintf("%.0f", float64(bytes)/u.seconds/1e6)
			cpu = fmt.Sprintf("%.2f", u.cpu/(float64(bytes)/(1<<30)))
		}
		if ours > 0 && u.seconds > 0 {
			ratio = fmt.Sprintf("%.2f", u.seconds/ours)
		}
		fmt.Printf("  %-24s %9.4f %8s %10s %8.1f %11.1f %7s %d\n", name, u.seconds, speed, cpu, float64(u.rss)/1e6, float64(u.private)/1e6, ratio, t.failed[name])
	}
}

// median takes the median of each figure by itself.
func median(all []usage) usage {
	if len(all) == 0 {
		return usage{}
	}
	of := func(get func(usage) float64) float64 {
		v := make([]float64, len(all))
		for i, u := range all {
			v[i] = get(u)
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return usage{
		seconds: of(func(u usage) float64 { return u.seconds }), cpu: of(func(u usage) float64 { return u.cpu }),
		rss: int64(of(func(u usage) float64 { return float64(u.rss) })), private: int64(of(func(u usage) float64 { return float64(u.private) })),
	}
}
