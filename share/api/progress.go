package api

import "context"

// Progress is how far something is that takes long.
type Progress struct {
	Share string `json:"share"`
	State string `json:"state"`          // one of the states of a share
	Path  string `json:"path,omitempty"` // what it is about, where that is one file
	Done  int64  `json:"done"`           // bytes, of Total
	Total int64  `json:"total"`          // 0 until known
	Down  int64  `json:"down_bps"`
	Up    int64  `json:"up_bps"`
	Peers int    `json:"peers"`           // connected
	Words string `json:"words,omitempty"` // of this node, to be told to the person who was asked to let it in
}

type progressKey struct{}

// WithProgress makes calls under the context tell f how they get on. It is called from one goroutine at a time for each
// share, and must not block. What is told last is not the final state: that is the result.
func WithProgress(ctx context.Context, f func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, f)
}

// Tell tells whoever wants to know how far something is.
func Tell(ctx context.Context, p Progress) {
	if f, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		f(p)
	}
}
