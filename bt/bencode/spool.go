package bencode

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
)

// spoolMemory is how many bytes a spool keeps in memory.
const spoolMemory = 4 << 20

// A spool keeps what is written to it until it is read: the first bytes go to a temporary file once there are too many
// for memory. The file has no name while it is in use, so that nothing stays behind, where the system allows that. An
// error of the file is kept, and given by what reads.
type spool struct {
	all      bool // keep all of it in memory
	file     *os.File
	name     string // of file, when it could not be removed yet
	inFile   int64  // bytes that the file holds
	tail     []byte // what comes after them
	inserted []insertion
	err      error
}

// An insertion is bytes that belong before those that the file has at an offset.
type insertion struct {
	at   int64
	text []byte
}

func (s *spool) Write(p []byte) (int, error) {
	s.tail = append(s.tail, p...)
	s.settle()
	return len(p), nil
}

// settle moves to the file what is too much for memory. Who appends to tail calls it once in a while.
func (s *spool) settle() {
	if len(s.tail) >= spoolMemory && !s.all {
		s.spill()
	}
}

func (s *spool) spill() {
	if s.file == nil && s.err == nil {
		s.open()
	}
	if s.err == nil {
		_, s.err = s.file.WriteAt(s.tail, s.inFile)
	}
	s.inFile += int64(len(s.tail)) // after an error too: sizes stay right, and memory small
	s.tail = s.tail[:0]
}

func (s *spool) open() {
	if s.file, s.err = os.CreateTemp("", "shoal-"); s.err != nil {
		return
	}
	if s.name = s.file.Name(); runtime.GOOS != "windows" && os.Remove(s.name) == nil {
		s.name = ""
	}
}

// size is how many bytes were written, insertions apart.
func (s *spool) size() int64 { return s.inFile + int64(len(s.tail)) }

// insert puts text before what was written at an offset. Nothing that was written before may be inserted later.
func (s *spool) insert(at int64, text []byte) {
	if at >= s.inFile {
		s.tail = slices.Insert(s.tail, int(at-s.inFile), text...)
		return
	}
	s.inserted = append(s.inserted, insertion{at, text})
}

// reader reads what was written at an offset and after it, insertions included.
func (s *spool) reader(from int64) io.Reader {
	var parts []io.Reader
	for _, ins := range s.inserted {
		if ins.at >= from {
			parts = append(parts, io.NewSectionReader(s.file, from, ins.at-from), bytes.NewReader(ins.text))
			from = ins.at
		}
	}
	if from < s.inFile {
		parts = append(parts, io.NewSectionReader(s.file, from, s.inFile-from))
		from = s.inFile
	}
	return io.MultiReader(append(parts, bytes.NewReader(s.tail[from-s.inFile:]))...)
}

// ReadAt reads what was written, of which nothing was inserted.
func (s *spool) ReadAt(p []byte, off int64) (n int, err error) {
	if s.err != nil {
		return 0, s.err
	}
	if off < s.inFile {
		n, err = s.file.ReadAt(p[:min(int64(len(p)), s.inFile-off)], off)
		if err != nil || n == len(p) {
			return n, err
		}
	}
	if at := off + int64(n) - s.inFile; at < int64(len(s.tail)) {
		n += copy(p[n:], s.tail[at:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// cut removes what was written at an offset and after it, and returns it.
func (s *spool) cut(from int64) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	b, err := io.ReadAll(s.reader(from))
	if err != nil {
		return nil, err
	}
	s.inserted = slices.DeleteFunc(s.inserted, func(ins insertion) bool { return ins.at >= from })
	s.tail = s.tail[:max(from-s.inFile, 0)]
	s.inFile = min(s.inFile, from)
	return b, nil
}

// reset forgets all, for the next use.
func (s *spool) reset() { s.inFile, s.tail, s.inserted = 0, s.tail[:0], nil }

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
	}
	s.file = nil
	return err
}
