package bt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// A Code classes an error for scripts. The same words stand in JSON results; exit statuses follow from them.
type Code string

// The codes that this package gives.
const (
	OK         Code = "ok"
	Failed     Code = "failed"      // anything not below
	BadInput   Code = "bad-input"   // a source is unreadable or invalid
	NoPeers    Code = "no-peers"    // gave up: nobody to fetch from
	NoMetadata Code = "no-metadata" // gave up: nobody sent the info dictionary
	Stalled    Code = "stalled"     // gave up: no byte for a while
	Timeout    Code = "timeout"     // gave up: the time allowed is over
	Damaged    Code = "damaged"     // data does not match its hashes
	Mismatch   Code = "mismatch"    // data does not match what the caller expected
	Differs    Code = "differs"     // two things that were compared are not the same
	NotFound   Code = "not-found"   // what was selected is not in the torrent
	Exists     Code = "exists"      // would overwrite something
	Busy       Code = "busy"        // another process holds the target
	Network    Code = "network"     // a tracker, proxy, listener or interface failed
	NoSpace    Code = "no-space"    // the disk is full
	Permission Code = "permission"  // the disk said: not yours
	IO         Code = "io"          // the disk failed otherwise
	Usage      Code = "usage"       // options that exclude each other

	UnknownHash Code = "unknown-hash" // no tracker knows the torrent
)

// An Error is an error with its class, and perhaps advice.
type Error struct {
	Code   Code
	Err    error
	Advice string // what the user may do about it; "" when there is nothing
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Hint is advice for the user, "" when there is none.
func (e *Error) Hint() string { return e.Advice }

// errorf makes an Error of a class, its text as by fmt.Errorf.
func errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// withHint returns e with advice.
func (e *Error) withHint(advice string) *Error {
	e.Advice = advice
	return e
}

// CodeOf is the class of err: that of the outermost Error in its chain, else what the operating system's error
// implies, else Failed; OK for nil.
func CodeOf(err error) Code {
	var e *Error
	var pathErr *fs.PathError
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return NoSpace
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return Permission
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.As(err, &pathErr):
		return IO
	}
	return Failed
}
