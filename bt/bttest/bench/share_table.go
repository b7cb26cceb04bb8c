package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A shareTable is the figures of a row, in the order in which they first came.
type shareTable struct {
	whats []string
	names []string
	got   map[[2]string][]figure // by what, and the name of the program
}

func (t *shareTable) add(name string, all []figure) {
	if t.got == nil {
		t.got = map[[2]string][]figure{}
	}
	if !slices.Contains(t.names, name) {
		t.names = append(t.names, name)
	}
	for _, f := range all {
		if !slices.Contains(t.whats, f.what) {
			t.whats = append(t.whats, f.what)
		}
		key := [2]string{f.what, name}
		t.got[key] = append(t.got[key], f)
	}
}

// print shows the medians.
func (t *shareTable) print(w io.Writer) {
	for _, what := range t.whats {
		fmt.Fprintf(w, "  %-40s %9s %15s %13s %10s %6s\n", what, "seconds", "cpu-s", "RSS MB", "sent KiB", "ratio")
		ours := medianFigure(t.got[[2]string{what, "shoal"}]).seconds
		for _, name := range t.names {
			all := t.got[[2]string{what, name}]
			if len(all) == 0 {
				continue
			}
			f := medianFigure(all)
			ratio, sent := "-", "-"
			if ours > 0 && f.seconds > 0 {
				ratio = fmt.Sprintf("%.2f", f.seconds/ours)
			}
			if f.sent > 0 {
				sent = fmt.Sprint(f.sent >> 10)
			}
			cpu := fmt.Sprintf("%.2f + %.2f", f.cpu[0], f.cpu[1])
			rss := fmt.Sprintf("%d / %d", f.rss[0]/1e6, f.rss[1]/1e6)
			line := fmt.Sprintf("    %-38s %9.3f %15s %13s %10s %6s  %s", name, f.seconds, cpu, rss, sent, ratio, f.note)
			fmt.Fprintln(w, strings.TrimRight(line, " "))
		}
	}
}

// medianFigure takes the median of each number by itself, and the note of the last.
func medianFigure(all []figure) (m figure) {
	if len(all) == 0 {
		return m
	}
	m = all[len(all)-1]
	m.seconds = middle(all, func(f *figure) float64 { return f.seconds })
	m.sent = middle(all, func(f *figure) int64 { return f.sent })
	for i := range m.cpu {
		m.cpu[i] = middle(all, func(f *figure) float64 { return f.cpu[i] })
		m.rss[i] = middle(all, func(f *figure) int64 { return f.rss[i] })
	}
	return m
}

func middle[T cmp.Ordered](all []figure, get func(*figure) T) T {
	v := make([]T, len(all))
	for i := range all {
		v[i] = get(&all[i])
	}
	slices.Sort(v)
	return v[len(v)/2]
}
