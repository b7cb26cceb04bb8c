package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"shoal/bt"
	"shoal/bt/bencode"
	"shoal/commands/internal/ui"
)

// bencodeLimits are what is accepted.
var bencodeLimits = bencode.Limits{Depth: 256, Size: min(1<<40, math.MaxInt)}

// fileArg is the FILE among arguments of which there is at most one; "-" when there is none.
func fileArg(args []string) (string, error) {
	if len(args) > 1 {
		return "", usageErrorf("got %d files, want one", len(args))
	}
	if len(args) == 0 {
		return "-", nil
	}
	return args[0], nil
}

// A bencodeInput is a file that is read, or standard input.
type bencodeInput struct {
	io.Reader
	name string // as messages call it
	file *os.File
}

// openBencode opens a file; what can be read twice shows that as bencode.NewDecoder wants it. Reading ends with ctx.
func openBencode(ctx context.Context, g *globals, name string) (*bencodeInput, error) {
	if name == "-" {
		in := &bencodeInput{name: "standard input"}
		in.Reader = streamOf(ctx, g.in)
		return in, nil
	}
	f, err := os.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &bt.Error{Code: bt.BadInput, Err: err}
	case err != nil:
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(&bt.Error{Code: bt.BadInput, Err: fmt.Errorf("reading %s: it is a folder", name)}, f.Close())
	}
	in := &bencodeInput{name: name, file: f}
	in.Reader = streamOf(ctx, f)
	return in, nil
}

// streamOf is what is left of r; a plain file can be read twice.
func streamOf(ctx context.Context, r io.Reader) io.Reader {
	f, ok := r.(*os.File)
	if !ok {
		return untilDone(ctx, r)
	}
	info, err := f.Stat()
	at, serr := f.Seek(0, io.SeekCurrent)
	// Files of the kernel's own making have no size, and may be read all the same.
	if cmp.Or(err, serr) != nil || !info.Mode().IsRegular() || info.Size() <= at {
		return untilDone(ctx, r)
	}
	return stoppable{io.NewSectionReader(f, at, info.Size()-at), ctx}
}

// untilDone reads r until ctx ends, even while nothing comes. Then one reading of r may go on: nothing can end it but
// the process.
func untilDone(ctx context.Context, r io.Reader) io.Reader {
	pr, pw := io.Pipe()
	context.AfterFunc(ctx, func() { pw.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(pw, r)
		pw.CloseWithError(err)
	}()
	return pr
}

func (in *bencodeInput) Close() error {
	if c, ok := in.Reader.(io.Closer); ok {
		_ = c.Close() // a pipe of ours: who writes to it shall stop
	}
	if in.file == nil {
		return nil
	}
	return in.file.Close()
}

// openDocument opens a file that is one value, to look into it.
func openDocument(ctx context.Context, g *globals, name string) (*bencode.Document, *bencodeInput, error) {
	in, err := openBencode(ctx, g, name)
	if err != nil {
		return nil, nil, err
	}
	doc, err := bencode.NewDocument(in.Reader, bencodeLimits)
	if err != nil {
		_ = in.Close() // it was only read
		return nil, nil, in.wrong(err)
	}
	return doc, in, nil
}

// wrong says of which input an error is.
func (in *bencodeInput) wrong(err error) error {
	wrapped := fmt.Errorf("reading %s: %w", in.name, err)
	if bencode.IsSyntax(err) {
		return &bt.Error{Code: bt.BadInput, Err: wrapped}
	}
	return wrapped
}

// trailing is for what follows the value.
func (in *bencodeInput) trailing(err error) error {
	wrapped := in.wrong(err)
	var e *bt.Error
	if errors.As(wrapped, &e) {
		return withHint(e, "--seq reads several values in a row")
	}
	return wrapped
}

// A stoppable file reads until ctx ends.
type stoppable struct {
	*io.SectionReader
	ctx context.Context
}

func (s stoppable) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.SectionReader.Read(p)
}

func (s stoppable) ReadAt(p []byte, off int64) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.SectionReader.ReadAt(p, off)
}

// resultBytes is where bencode goes: as it is, or, on a terminal, so that it does no harm there, with a line break.
func resultBytes(out *ui.Output) (w io.Writer, end func() error) {
	if !out.OnTerminal() {
		return out.Bytes(), func() error { return nil }
	}
	w = quoting{out.Bytes()}
	return w, func() error {
		_, err := io.WriteString(out.Bytes(), "\n")
		return err
	}
}

// quoting writes what a terminal bears.
type quoting struct{ w io.Writer }

func (q quoting) Write(p []byte) (int, error) {
	_, err := io.WriteString(q.w, ui.Quote(string(p)))
	return len(p), err
}
