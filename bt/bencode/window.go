package bencode

import "io"

// A window is the part of a stream that is looked at: read, and not yet forgotten.
type window struct {
	r     io.Reader
	least int // bytes to read at a time; 0 = 4 KiB
	buf   []byte
	start int   // in buf, of what must be kept
	pos   int   // in buf, of what comes next
	off   int64 // of buf[0] in the stream
	err   error // of r, given once buf is used up

	tee  *spool // gets a copy of what is dropped from buf; nil = nobody wants it
	teed int    // in buf, of what tee does not have yet
}

func (w *window) offset() int64 { return w.off + int64(w.pos) }

// forget drops what is before pos.
func (w *window) forget() { w.start = w.pos }

// copyTo has tee get what comes from here on.
func (w *window) copyTo(tee *spool) { w.tee, w.teed = tee, w.pos }

// copied gives tee what came up to here, and ends that.
func (w *window) copied() {
	if w.tee != nil {
		w.tee.Write(w.buf[w.teed:w.pos])
		w.tee = nil
	}
}

// fill reads at least one more byte. It never more than doubles what is held, however many bytes a length prefix
// promises.
func (w *window) fill() error {
	if w.err != nil {
		return w.err
	}
	least := w.least
	if least == 0 {
		least = 4 << 10
	}
	if cap(w.buf)-len(w.buf) < least {
		w.makeRoom(least)
	}
	for range 100 {
		n, err := w.r.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		w.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	w.err = io.ErrNoProgress
	return w.err
}

// makeRoom moves what is held to the front, of a buffer of a fitting size.
func (w *window) makeRoom(least int) {
	if w.tee != nil {
		w.tee.Write(w.buf[w.teed:w.start])
		w.teed = 0
	}
	held := w.buf[w.start:]
	next := w.buf[:0]
	if size := 2*len(held) + 2*least; cap(w.buf)-len(held) < least || cap(w.buf) > 4*size {
		next = make([]byte, 0, size)
	}
	w.buf = append(next, held...)
	w.off += int64(w.start)
	w.pos -= w.start
	w.start = 0
}

// end is nil when nothing follows, else a *SyntaxError with the offset of what does, or the error of the stream.
func (w *window) end() error {
	w.forget()
	if w.pos == len(w.buf) {
		if err := w.fill(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
	e := wanted(w.buf, w.pos, endOfInput)
	e.Offset += w.off
	return e
}
