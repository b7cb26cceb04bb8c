package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"shoal/bt/bttest/internal/libtorrent"
)

// A work is a row of programs that end by themselves, over input that is made once.
type work struct {
	name, about string
	input       func(in *inputs) (path string, bytes int64, err error)
	tools       func(b *bench, path string) []tool
}

// A tool is a program at a work.
type tool struct {
	name string
	args func(out string) []string // writes to out, where nothing is, or to standard output
	run  func() (usage, error)     // this instead of a program
}

// pieceFlag is 1 MiB, as shoal and mktorrent want it.
var shoalMiB, mktorrentMiB = []string{"--piece-size", "1M"}, []string{"-l", "20"}

var works = []work{
	{"create", "a v1 torrent of one large file, pieces of 1 MiB", (*inputs).large, func(b *bench, path string) []tool {
		return []tool{
			b.create("v1", path, shoalMiB...), mktorrent(path, mktorrentMiB...), libtorrentMaker("v1", 1<<20, path),
			{name: "SHA-1, two cores, memory", run: func() (usage, error) { return sha1OfMemory(b.file) }},
			{name: "SHA-1, two cores, read", run: func() (usage, error) { return sha1OfFile(path) }},
		}
	}},
	{"create-v2", "the same, v2", (*inputs).large, func(b *bench, path string) []tool {
		return []tool{b.create("v2", path, shoalMiB...), libtorrentMaker("v2", 1<<20, path)}
	}},
	{"create-hybrid", "the same, hybrid", (*inputs).large, func(b *bench, path string) []tool {
		return []tool{b.create("hybrid", path, shoalMiB...), libtorrentMaker("hybrid", 1<<20, path)}
	}},
	{"verify", "that file, by its v1 torrent", (*inputs).torrentOfLarge, func(b *bench, path string) []tool {
		large := filepath.Join(filepath.Dir(path), largeName)
		return []tool{
			b.tool("verify", "-q", "-d", filepath.Dir(path), path),
			{name: "SHA-1, two cores, memory", run: func() (usage, error) { return sha1OfMemory(b.file) }},
			{name: "SHA-1, two cores, read", run: func() (usage, error) { return sha1OfFile(large) }},
		}
	}},
	{"many", fmt.Sprintf("a v1 torrent of %d files of %d KiB, pieces of 256 KiB", manyFiles, manySize>>10), (*inputs).many, func(b *bench, path string) []tool {
		return []tool{b.create("v1", path, "--piece-size", "256K"), mktorrent(path, "-l", "18"), libtorrentMaker("v1", 256<<10, path)}
	}},
	{"many-hybrid", "the same, hybrid, with the pieces that each chooses; and libtorrent with shoal's", (*inputs).many, func(b *bench, path string) []tool {
		small := libtorrentMaker("hybrid", 16<<10, path)
		small.name += ", 16 KiB"
		return []tool{b.create("hybrid", path), libtorrentMaker("hybrid", 0, path), small}
	}},
	{"files", fmt.Sprintf("a .torrent of %d files, listed", listedFiles), (*inputs).files, showers},
	{"pieces", fmt.Sprintf("a .torrent of %d pieces", listedPieces), (*inputs).pieces, showers},
	{"decode", "bencode of file entries to JSON; bytes are the bencode's", fileItem.asBencode, decoder},
	{"encode", "and back", fileItem.asJSON, encoder},
	{"decode-small", "the same of items of 3 bytes", smallItem.asBencode, decoder},
	{"encode-small", "and back", smallItem.asJSON, encoder},
}

func decoder(b *bench, path string) []tool { return []tool{b.tool("bencode", "decode", path)} }

func encoder(b *bench, path string) []tool { return []tool{b.tool("bencode", "encode", path)} }

func showers(b *bench, path string) []tool {
	return []tool{
		b.tool("metainfo", "--files", path),
		python("show", path),
		{name: "transmission-show", args: func(string) []string { return []string{"transmission-show", path} }},
	}
}

// tool is shoal.
func (b *bench) tool(args ...string) tool {
	return tool{name: "shoal", args: func(string) []string {
		return append([]string{"env", "SHOAL_HOME=" + filepath.Join(b.mem, "home"), b.shoal}, args...)
	}}
}

func (b *bench) create(format, path string, more ...string) tool {
	t := b.tool(append([]string{"create", "-q", "--format", format, path}, more...)...)
	args := t.args
	t.args = func(out string) []string { return append(args(out), "-o", out) }
	return t
}

func mktorrent(path string, more ...string) tool {
	return tool{name: "mktorrent -t 2", args: func(out string) []string {
		return append([]string{"mktorrent", "-t", "2", "-o", out, path}, more...)
	}}
}

func libtorrentMaker(format string, pieceLength int, path string) tool {
	return tool{name: "libtorrent", args: func(out string) []string {
		return libtorrent.Command("make", format, fmt.Sprint(pieceLength), "", out, path).Args
	}}
}

// python is libtorrent's parser with Python around it.
func python(args ...string) tool {
	return tool{name: "libtorrent", args: func(string) []string { return libtorrent.Command(args...).Args }}
}

// work measures one row, the programs in turn.
func (b *bench) work(ctx context.Context, w work, in *inputs) {
	fmt.Printf("\n%s: %s\n", w.name, w.about)
	path, bytes, err := w.input(in)
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s: %v\n", w.name, err)
		return
	}
	var t table
	for run := range b.runs {
		for i, tool := range w.tools(b, path) {
			t.measure(w.name, tool.name, func() (usage, error) {
				if tool.run != nil {
					return tool.run()
				}
				out := filepath.Join(b.mem, fmt.Sprintf("out-%d-%d", run, i))
				defer os.Remove(out)
				args := tool.args(out)
				if _, err := exec.LookPath(args[0]); err != nil || args[0] == "env" && b.shoal == "" {
					return usage{}, errNotIts
				}
				ctx, cancel := context.WithTimeout(ctx, b.timeout)
				defer cancel()
				return measureStart(ctx, args)
			})
		}
	}
	t.print(bytes)
}
