package bt

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"shoal/bt/bttest"
)

// Neither a reader of the stream that reads nothing more nor a standard input that says nothing keeps a download from
// ending when its time is over (issue 2).
func TestStuckEnds(t *testing.T) {
	m, _, peer := seedAlbum(t, FormatV1)
	errOver := errors.New("over")
	silent, _ := io.Pipe()
	slow, w := io.Pipe()
	defer silent.Close()
	defer slow.Close()
	for name, c := range map[string]struct {
		src  *Source
		opts DownloadOptions
	}{
		"stream": {sourceOf(t, m), DownloadOptions{Stream: w, Peers: []string{peer}}},
		"tar":    {sourceOf(t, m), DownloadOptions{Stream: w, Tar: true, Peers: []string{peer}}},
		"stdin":  {&Source{Stdin: true}, DownloadOptions{LoadOptions: LoadOptions{Stdin: silent}}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errOver)
			defer cancel()
			ended := make(chan error)
			go func() {
				_, err := local(t).Download(ctx, c.src, c.opts)
				ended <- err
			}()
			select {
			case err := <-ended:
				if !errors.Is(err, errOver) {
					t.Error(err)
				}
			case <-time.After(bttest.Patience):
				t.Fatal("it goes on")
			}
		})
	}
}
