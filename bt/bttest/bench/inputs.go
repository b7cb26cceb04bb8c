package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"shoal/bt/bencode"
)

const (
	largeName    = "large-file"
	manyFiles    = 20_000
	manySize     = 16 << 10
	listedFiles  = 100_000
	listedPieces = 1_000_000
	itemBytes    = 200 << 20
)

// inputs are what works are done on, each made when it is first asked for.
type inputs struct {
	dir  string
	file int64 // bytes of the large file
	made map[string]bool
}

// once has a file or folder of that name made, the first time.
func (in *inputs) once(name string, make func(path string) error) (string, error) {
	path := filepath.Join(in.dir, name)
	if in.made[name] {
		return path, nil
	}
	err := make(path)
	in.made[name] = err == nil
	return path, err
}

func (in *inputs) large() (string, int64, error) {
	path, err := in.once(largeName, func(path string) error { return writePattern(path, in.file) })
	return path, in.file, err
}

func (in *inputs) torrentOfLarge() (string, int64, error) {
	if _, _, err := in.large(); err != nil {
		return "", 0, err
	}
	path, err := in.once(largeName+".torrent", func(path string) error {
		return os.WriteFile(path, makeTorrent(largeName, in.file, 1<<20), 0o644)
	})
	return path, in.file, err
}

func (in *inputs) many() (string, int64, error) {
	path, err := in.once("many", func(path string) error {
		data := bytes.Clone(newPattern()[:manySize])
		for i := range manyFiles {
			name := filepath.Join(path, fmt.Sprintf("d%03d", i/100), fmt.Sprintf("f%05d", i))
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
			binary.BigEndian.PutUint32(data, uint32(i))
			if err := os.WriteFile(name, data, 0o644); err != nil {
				return err
			}
		}
		return nil
	})
	return path, manyFiles * manySize, err
}

// files is a .torrent of many files.
func (in *inputs) files() (string, int64, error) {
	return in.torrent("files.torrent", listedFiles*manySize, func(b []byte) []byte {
		b = append(bencode.AppendString(b, "files"), 'l')
		for i := range listedFiles {
			b = bencode.AppendInt(bencode.AppendString(append(b, 'd'), "length"), manySize)
			b = append(bencode.AppendString(b, "path"), 'l')
			b = bencode.AppendString(b, fmt.Sprintf("d%03d", i/100))
			b = append(bencode.AppendString(b, fmt.Sprintf("f%06d", i)), "ee"...)
		}
		return append(b, 'e')
	})
}

// pieces is a .torrent of many pieces.
func (in *inputs) pieces() (string, int64, error) {
	return in.torrent("pieces.torrent", listedPieces<<20, func(b []byte) []byte {
		return bencode.AppendInt(bencode.AppendString(b, "length"), listedPieces<<20)
	})
}

// torrent is a .torrent of some bytes of content, in pieces of 1 MiB that have no data.
func (in *inputs) torrent(name string, size int64, content func(b []byte) []byte) (string, int64, error) {
	bytes := int64(0)
	path, err := in.once(name, func(path string) error {
		b := content([]byte("d4:infod"))
		b = bencode.AppendString(bencode.AppendString(b, "name"), "listed")
		b = bencode.AppendInt(bencode.AppendString(b, "piece length"), 1<<20)
		pieces := make([]byte, (size+1<<20-1)>>20*sha1.Size)
		_, _ = io.ReadFull(&patternReader{newPattern(), 0}, pieces)
		b = append(bencode.AppendString(bencode.AppendString(b, "pieces"), pieces), "ee"...)
		bytes = int64(len(b))
		return os.WriteFile(path, b, 0o644)
	})
	return path, bytes, err
}

// An item of the large lists, in bencode and in JSON.
type item struct{ name, bencode, json string }

var (
	fileItem  = item{"files", "d6:lengthi16384e4:pathl4:d0127:f012345ee", `{"length":16384,"path":["d012","f012345"]}`}
	smallItem = item{"small", "d1:ai1e1:b2:xye4:spamli1ei2eei-7e", `{"a":1,"b":"xy"},"spam",[1,2],-7`}
)

func (i item) asBencode(in *inputs) (string, int64, error) {
	return in.items(i.name+".bencode", "l", i.bencode, "", "e", itemBytes/len(i.bencode), len(i.bencode))
}

func (i item) asJSON(in *inputs) (string, int64, error) {
	return in.items(i.name+".json", "[", i.json, ",", "]\n", itemBytes/len(i.bencode), len(i.bencode))
}

// items is a list of so many items. The bytes that it says are those of bencode.
func (in *inputs) items(name, head, item, between, tail string, items, size int) (string, int64, error) {
	path, err := in.once(name, func(path string) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		w := bufio.NewWriterSize(f, 1<<20)
		w.WriteString(head)
		for i := range items {
			if i > 0 {
				w.WriteString(between)
			}
			w.WriteString(item)
		}
		w.WriteString(tail)
		if err := w.Flush(); err != nil {
			return err
		}
		return f.Close()
	})
	return path, int64(items * size), err
}

// sha1OfMemory is the limit of the machine: two cores hash what lies in the processor's cache.
func sha1OfMemory(size int64) (usage, error) {
	return twice(func(buf []byte, _ int64) {
		for left := size / 2; left > 0; left -= int64(len(buf)) {
			_ = sha1.Sum(buf[:min(left, int64(len(buf)))])
		}
	}), nil
}

// sha1OfFile is the limit of programs that read a file: each core reads and hashes half of it.
func sha1OfFile(path string) (usage, error) {
	f, err := os.Open(path)
	if err != nil {
		return usage{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return usage{}, err
	}
	return twice(func(buf []byte, half int64) {
		for off := half * int64(len(buf)); off < fi.Size(); off += 2 * int64(len(buf)) {
			n, _ := f.ReadAt(buf, off)
			_ = sha1.Sum(buf[:n])
		}
	}), nil
}

// twice measures do on two cores, each with a buffer that suits their caches.
func twice(do func(buf []byte, half int64)) usage {
	began, before := time.Now(), cpuOfSelf()
	var wait sync.WaitGroup
	for half := range int64(2) {
		wait.Go(func() { do(make([]byte, 256<<10), half) })
	}
	wait.Wait()
	return usage{seconds: time.Since(began).Seconds(), cpu: cpuOfSelf() - before}
}

// cpuOfSelf is the processor time of this process, in seconds.
func cpuOfSelf() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	of := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return of(u.Utime) + of(u.Stime)
}
