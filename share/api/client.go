package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"shoal/bt"
)

const (
	maxResult = 1 << 30 // bytes of an answer: a list of millions of files
	helloTime = 10 * time.Second
)

// A Client asks the node that runs in another process. Errors are those of the node, as *[bt.Error].
type Client struct{ http *http.Client }

var _ Node = (*Client)(nil)

// Dial finds the node that runs on the state folder home; [ErrNoNode] when none does. A Client holds nothing that would
// have to be closed.
func Dial(ctx context.Context, home string) (*Client, error) {
	c := &Client{&http.Client{
		Transport: &http.Transport{
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, home) },
			DisableKeepAlives: true, // a connection costs nothing here, and none is left behind
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a node redirects nobody") },
	}}
	hello, cancel := context.WithTimeoutCause(ctx, helloTime, Errorf(bt.Busy, "the node does not answer"))
	defer cancel()
	var about helloResult
	if err := c.call(hello, "GET", "/v1", nil, &about); err != nil {
		return nil, err
	}
	if about.API != Protocol {
		return nil, Errorf(bt.Failed, "the node speaks version %d, not %d", about.API, Protocol)
	}
	return c, nil
}

// call makes a call; result is a pointer to what it is to give.
func (c *Client) call(ctx context.Context, method, path string, body, result any) error {
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return fmt.Errorf("asking the node: %w", err)
		}
	}
	q, err := http.NewRequestWithContext(ctx, method, "http://node"+path, bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("asking the node: %w", err)
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(q)
	if err != nil {
		return transportError(ctx, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode != http.StatusOK:
		var e errorResult
		if err = readResult(resp.Body, &e); err == nil {
			return e.Error.error()
		}
	case resp.Header.Get("Content-Type") == streamType:
		err = readStream(resp.Body, func(p Progress) { Tell(ctx, p) }, result)
	default:
		err = readResult(resp.Body, result)
	}
	if err != nil {
		return transportError(ctx, err)
	}
	return nil
}

// transportError is for a call that did not come to an end.
func transportError(ctx context.Context, err error) error {
	var told *bt.Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ErrNoNode):
		return ErrNoNode
	case errors.As(err, &told):
		return told
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return ErrEnded
	}
	var netErr *net.OpError
	if errors.As(err, &netErr) {
		return ErrEnded
	}
	return fmt.Errorf("asking the node: %w", err)
}

// ErrEnded says that a node ended in the middle.
var ErrEnded = &bt.Error{Code: bt.Failed, Err: errors.New("the node ended before it answered"), Advice: "the same command goes on from there"}

// readResult reads the one JSON value of an answer.
func readResult(r io.Reader, result any) error {
	return json.NewDecoder(bounded(r)).Decode(result)
}

// readStream reads the lines of an answer up to the one that ends it.
func readStream(r io.Reader, progress func(Progress), result any) error {
	d := json.NewDecoder(bounded(r))
	for {
		var line streamLine
		if err := d.Decode(&line); err != nil {
			return err
		}
		switch {
		case line.Error != nil:
			return line.Error.error()
		case line.Result != nil:
			return json.Unmarshal(line.Result, result)
		case line.Progress != nil:
			progress(*line.Progress)
		}
	}
}

// bounded reads at most maxResult bytes; then the value is cut.
func bounded(r io.Reader) io.Reader { return io.LimitReader(r, maxResult) }
