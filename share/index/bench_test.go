package index

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"shoal/share/blob"
)

// benchSets are n files, 1000 to a directory, or all in one.
func benchSets(n int, flat bool) func(func(PathSet, error) bool) {
	return func(yield func(PathSet, error) bool) {
		for i := range n {
			name := fmt.Sprintf("IMG_%08d.jpeg", i)
			path := name
			if !flat {
				path = fmt.Sprintf("photos %04d/%s", i/1000, name)
			}
			if !yield(PathSet{path, []Entry{benchFile(name, uint64(i+1))}}, nil) {
				return
			}
		}
	}
}

// benchFile is a small file with a hash, id and key of its own.
func benchFile(name string, i uint64) Entry {
	var b [32]byte
	for j := range 4 {
		binary.BigEndian.PutUint64(b[8*j:], (i+uint64(j))*0x9e3779b97f4a7c15)
	}
	e := Entry{
		Name: name, Type: File, Dot: dotOf(1, i), MTime: 1_700_000_000_123_456_789 + int64(i), Mode: 0o644, HasMode: true,
		Size: 1 + int64(i%blob.Small), Hash: b, Caps: []blob.Cap{{ID: b, Key: b}},
	}
	e.Caps[0].ID[0] = byte(blob.Data)
	return e
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		for _, flat := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/flat=%v", n, flat), func(b *testing.B) {
				for b.Loop() {
					m := newMemory()
					f := NewForest(testConv, m)
					if _, err := f.ApplySeq(blob.Cap{}, benchSets(n, flat)); err != nil {
						b.Fatal(err)
					}
					report(b, m, n)
				}
			})
		}
	}
}

// report says what a tree takes, and how much of the heap is in use beside its blobs.
func report(b *testing.B, m *memory, files int) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	b.ReportMetric(float64(m.bytes())/float64(files), "B/file")
	b.ReportMetric(float64(len(m.all)), "nodes")
	b.ReportMetric(float64(mem.Sys>>20), "MiB-sys")
}

func benchTree(b *testing.B, n int, flat bool) (*Forest, *memory, blob.Cap) {
	m := newMemory()
	f := NewForest(testConv, m)
	tree, err := f.ApplySeq(blob.Cap{}, benchSets(n, flat))
	if err != nil {
		b.Fatal(err)
	}
	return f, m, tree
}

func BenchmarkOneChange(b *testing.B) {
	for _, flat := range []bool{false, true} {
		b.Run(fmt.Sprintf("flat=%v", flat), func(b *testing.B) {
			f, m, tree := benchTree(b, 100_000, flat)
			path := "photos 0077/IMG_00077777.jpeg"
			if flat {
				path = base(path)
			}
			i := uint64(1 << 40)
			puts, size := m.puts, 0
			m.onPut = func(b []byte) { size += len(b) }
			for b.Loop() {
				i++
				var err error
				if tree, err = f.Apply(tree, []PathSet{{path, []Entry{benchFile(base(path), i)}}}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(m.puts-puts)/float64(b.N), "nodes/op")
			b.ReportMetric(float64(size)/float64(b.N), "B-put/op")
		})
	}
}

func BenchmarkDiff100(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f, m, tree := benchTree(b, n, false)
			var sets []PathSet
			for i := range 100 {
				at := i * (n / 100)
				name := fmt.Sprintf("IMG_%08d.jpeg", at)
				sets = append(sets, PathSet{fmt.Sprintf("photos %04d/%s", at/1000, name), []Entry{benchFile(name, uint64(at)+1<<40)}})
			}
			size, puts := 0, m.puts
			m.onPut = func(b []byte) { size += len(b) }
			now, err := f.Apply(tree, sets)
			if err != nil {
				b.Fatal(err)
			}
			puts = m.puts - puts
			for b.Loop() {
				changes := 0
				for _, err := range NewForest(testConv, m).Diff(b.Context(), tree, now) { // nothing is cached
					if err != nil {
						b.Fatal(err)
					}
					changes++
				}
				if changes != 100 {
					b.Fatal(changes)
				}
			}
			b.ReportMetric(float64(puts), "nodes")
			b.ReportMetric(float64(size), "B-new")
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	f, m, tree := benchTree(b, 100_000, false)
	root, err := f.PutRoot(Root{Files: tree})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := NewForest(testConv, m).Check(b.Context(), root, false, Root{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWalk(b *testing.B) {
	_, m, tree := benchTree(b, 100_000, false)
	for b.Loop() {
		n := 0
		for _, err := range NewForest(testConv, m).Walk(tree, "") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 100_100 {
			b.Fatal(n)
		}
	}
}

func BenchmarkEntry(b *testing.B) {
	e := benchFile("IMG_00000001.jpeg", 1)
	raw, ids := e.Raw(), e.IDs()
	b.Run("raw", func(b *testing.B) {
		for b.Loop() {
			e.Raw()
		}
	})
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := ParseEntry(raw, ids); err != nil {
				b.Fatal(err)
			}
		}
	})
}
