package api

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"shoal/bt"
)

// drainTime is how long what is short may take once the node ends.
const drainTime = 5 * time.Second

// A streamLine is a line of the answer to what takes long: any number with progress, then one of the others.
type streamLine struct {
	Progress *Progress       `json:"progress,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Error    *failure        `json:"error,omitempty"`
}

// An errorResult is the body of an answer other than 200.
type errorResult struct {
	Error failure `json:"error"`
}

const streamType = "application/x-ndjson"

// Serve answers what is asked through l until ctx is done or l fails, and closes l. What takes long is ended then, what
// is short may end by itself; Serve returns after the last of it. If n implements [Torrents], that can be asked too.
func Serve(ctx context.Context, l net.Listener, n Shares) error {
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(errStopping)
	door := &door{Handler: Handler(ctx, n)}
	defer door.close()
	s := &http.Server{
		Handler:           door,
		BaseContext:       func(net.Listener) context.Context { return work },
		ReadHeaderTimeout: 10 * time.Second, // and no ReadTimeout: it would end calls that take longer
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(work, drainTime)
		defer cancel()
		_ = s.Shutdown(drain) // what is left then is ended below
		<-served
	}
	stop(errStopping)
	_ = s.Close()
	return err
}

// A door lets calls in until it is closed.
type door struct {
	http.Handler

	mu     sync.Mutex // guards closed, and that no call begins after
	closed bool
	calls  sync.WaitGroup
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	closed := d.closed
	if !closed {
		d.calls.Add(1)
	}
	d.mu.Unlock()
	if !closed {
		defer d.calls.Done()
		d.Handler.ServeHTTP(w, r)
	}
}

// close returns after the last call.
func (d *door) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.calls.Wait()
}

// Handler answers what is asked of n. What takes long ends with stopping.
func Handler(stopping context.Context, n Shares) http.Handler {
	mux := http.NewServeMux()
	for _, rt := range routes() {
		mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
			if rt.long {
				answerLong(stopping, w, r, n, rt)
				return
			}
			result, err := rt.call(r.Context(), n, r)
			answer(r.Context(), w, result, err)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		err := Errorf(bt.Failed, "the node does not know %s %s", r.Method, r.URL.Path)
		err.Advice = "it may be of another version of shoal: restart it"
		answer(r.Context(), w, nil, err)
	})
	return mux
}

// answer writes a result or an error.
func answer(ctx context.Context, w http.ResponseWriter, result any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		f := failureOf(ctx, err)
		w.WriteHeader(httpStatus(f.Code))
		result = errorResult{f}
	}
	_ = encode(w, result) // who asked may be gone
}

// httpStatus is the status that suits a code; programs go by the code.
func httpStatus(code bt.Code) int {
	switch code {
	case bt.Usage, bt.BadInput:
		return http.StatusBadRequest
	case bt.NotFound:
		return http.StatusNotFound
	case bt.Exists, bt.Busy:
		return http.StatusConflict
	case bt.Permission, Denied:
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}

// answerLong writes how a call gets on, and how it ends. It leaves after the call, which ends early when nobody reads.
func answerLong(stopping context.Context, w http.ResponseWriter, r *http.Request, n Shares, rt route) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(stopping, func() { cancel(errStopping) })()
	w.Header().Set("Content-Type", streamType)
	var box mailbox
	box.news = make(chan struct{}, 1)
	type outcome struct {
		result any
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := rt.call(WithProgress(ctx, box.put), n, r)
		done <- outcome{result, err}
	}()
	for {
		select {
		case <-box.news:
			if err := writeProgress(w, box.take()); err != nil {
				cancel(err)
			}
		case o := <-done:
			_ = writeProgress(w, box.take())
			_ = encode(w, lastLine(ctx, o.result, o.err))
			return
		}
	}
}

func writeProgress(w http.ResponseWriter, news []Progress) error {
	for _, p := range news {
		if err := encode(w, streamLine{Progress: &p}); err != nil {
			return err
		}
	}
	return http.NewResponseController(w).Flush()
}

// lastLine is how a call ended.
func lastLine(ctx context.Context, result any, err error) streamLine {
	var b []byte
	if err == nil {
		b, err = json.Marshal(result)
	}
	if err != nil {
		f := failureOf(ctx, err)
		return streamLine{Error: &f}
	}
	return streamLine{Result: b}
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// A mailbox holds the newest progress of each share until it is written: who reads slowly misses some, and holds up
// nobody.
type mailbox struct {
	news chan struct{}

	mu     sync.Mutex // guards what follows
	latest map[string]Progress
	order  []string
}

func (b *mailbox) put(p Progress) {
	b.mu.Lock()
	if b.latest == nil {
		b.latest = map[string]Progress{}
	}
	if _, ok := b.latest[p.Share]; !ok {
		b.order = append(b.order, p.Share)
	}
	b.latest[p.Share] = p
	b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
}

func (b *mailbox) take() (all []Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, share := range b.order {
		all = append(all, b.latest[share])
	}
	clear(b.latest)
	b.order = b.order[:0]
	return all
}
