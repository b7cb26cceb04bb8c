package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
)

// interrupted is the code of what a signal ended.
const interrupted bt.Code = "interrupted"

// statuses are the exit statuses that codes lead to. What is not here is 1.
var statuses = map[bt.Code]int{
	bt.OK:       0,
	bt.Usage:    2,
	bt.BadInput: 3,
	bt.NoPeers:  4, bt.NoMetadata: 4, bt.Stalled: 4, bt.Timeout: 4,
	bt.Damaged: 5, bt.Mismatch: 5, bt.Differs: 5, bt.NotFound: 5, bt.UnknownHash: 5,
	api.NotInSync: 5, api.Held: 5, api.Denied: 5,
	bt.Exists: 6, bt.Busy: 6,
	bt.Network: 7,
	bt.NoSpace: 8, bt.Permission: 8, bt.IO: 8,
}

// exitCode is the exit status for the error that a command ended with.
func exitCode(ctx context.Context, err error) int {
	var i Interrupted
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ui.ErrClosed):
		return Interrupted{syscall.SIGPIPE}.Status()
	case errors.As(err, &i), errors.As(context.Cause(ctx), &i):
		return i.Status()
	}
	if status, ok := statuses[bt.CodeOf(err)]; ok {
		return status
	}
	return 1
}

// A failure is an error as programs see it; Code is "ok" and the rest empty where there is none.
type failure struct {
	Code    bt.Code `json:"code"`
	Message string  `json:"message,omitempty"`
	Hint    string  `json:"hint,omitempty"`
}

// An errorDoc is the result of a command that reached none of its sources.
type errorDoc struct {
	Error failure `json:"error"`
}

// advice is the hint for errors that bring none of their own.
var advice = map[bt.Code]string{
	bt.NoSpace:    "free some space: the same command goes on from there",
	bt.Permission: "you need the right to write there; another folder may do",
}

// failureOf classes an error.
func failureOf(ctx context.Context, err error) failure {
	if err == nil {
		return failure{Code: bt.OK}
	}
	f := failure{Code: bt.CodeOf(err), Message: err.Error()}
	var i Interrupted
	if errors.As(err, &i) || errors.As(context.Cause(ctx), &i) {
		f.Code, f.Message = interrupted, i.Error()
	}
	var hinter interface{ Hint() string }
	if errors.As(err, &hinter) {
		f.Hint = hinter.Hint()
	}
	if f.Hint == "" {
		f.Hint = advice[f.Code]
	}
	return f
}

// A shownError is what is left when every failure was shown already: the highest status of all.
type shownError struct{ status int }

func (e *shownError) Error() string { return fmt.Sprintf("failed with status %d", e.status) }

// shownStatus is the error for the highest status of failures that were shown; nil for 0.
func shownStatus(status int) error {
	if status == 0 {
		return nil
	}
	return &shownError{status}
}

// usageErrorf is an error in the command line.
func usageErrorf(format string, args ...any) *bt.Error {
	return &bt.Error{Code: bt.Usage, Err: fmt.Errorf(format, args...)}
}

// withHint returns e with advice.
func withHint(e *bt.Error, format string, args ...any) *bt.Error {
	e.Advice = fmt.Sprintf(format, args...)
	return e
}

// tell shows the failure of one source among several, and returns it with its status. The source is named unless it
// is the only one, or the error names it.
func (g *globals) tell(ctx context.Context, source string, several bool, err error) (failure, int) {
	f := failureOf(ctx, err)
	if (f.Code == bt.NoPeers || f.Code == bt.NoMetadata) && cutMagnet(source) {
		f.Hint += "; if the magnet went on after an \"&\", quote it: the shell ends a command there"
	}
	switch {
	case err == nil:
	case several && !strings.Contains(f.Message, source):
		g.output().Error(source+": "+f.Message, f.Hint)
	default:
		g.output().Error(f.Message, f.Hint)
	}
	return f, exitCode(ctx, err)
}

// cutMagnet reports whether a source may be what the shell left of a magnet that was not quoted.
func cutMagnet(source string) bool {
	return strings.HasPrefix(strings.ToLower(source), "magnet:") && !strings.Contains(source, "&")
}
