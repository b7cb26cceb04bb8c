package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"shoal/bt"
)

// The codes of errors that shares have beside those of package bt.
const (
	NotInSync bt.Code = "not-in-sync" // time was over before a share was in sync with a peer
	Held      bt.Code = "held"        // something waits for a person, or for room
	Denied    bt.Code = "denied"      // the role, or a rule, does not allow it
)

// Errorf makes an error of a class, its text as by fmt.Errorf.
func Errorf(code bt.Code, format string, args ...any) *bt.Error {
	return &bt.Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// maxName is how long the name of a share may be, in bytes.
const maxName = 255

// CheckName checks that a text can be the name of a share on this node: a line of up to 255 bytes that can stand before
// the ":" of NAME:PATH and in a URL.
func CheckName(name string) error {
	switch {
	case name == "":
		return Errorf(bt.Usage, "a share needs a name")
	case len(name) > maxName:
		return Errorf(bt.Usage, "the name of a share has at most %d bytes", maxName)
	case name == ".", name == "..", strings.ContainsAny(name, ":/\\"), strings.HasPrefix(name, "-"):
		return Errorf(bt.Usage, "a share cannot be called %q: no colon, slash or backslash, no dash in front", name)
	case !utf8.ValidString(name), strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return Errorf(bt.Usage, "a share cannot be called %q: it has characters that cannot be seen", name)
	}
	return nil
}

// failure is an error as it travels.
type failure struct {
	Code    bt.Code `json:"code"`
	Message string  `json:"message"`
	Hint    string  `json:"hint,omitempty"`
}

// errStopping ends what takes long when the node ends.
var errStopping = &bt.Error{Code: bt.Failed, Err: errors.New("the node is stopping"), Advice: "the same command goes on from there"}

// failureOf is what is told of the error that a call ended with.
func failureOf(ctx context.Context, err error) failure {
	if cause := context.Cause(ctx); cause == error(errStopping) && errors.Is(err, ctx.Err()) {
		err = cause
	}
	f := failure{Code: bt.CodeOf(err), Message: err.Error()}
	var hinter interface{ Hint() string }
	if errors.As(err, &hinter) {
		f.Hint = hinter.Hint()
	}
	return f
}

// error is the failure as the error that it was.
func (f failure) error() error {
	if f.Code == "" || f.Code == bt.OK {
		f.Code = bt.Failed
	}
	if f.Message == "" {
		f.Message = "the node says " + string(f.Code)
	}
	return &bt.Error{Code: f.Code, Err: errors.New(f.Message), Advice: f.Hint}
}
