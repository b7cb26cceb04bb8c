package protocol

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// A request is what one word of git-annex's asks for, with that many fields after it.
type request struct {
	fields int
	do     func(ctx context.Context, r Remote, j *Job, f []string)
}

// do works on a request and answers it.
func (j *Job) do(ctx context.Context, r Remote) {
	q, ok := requestOf(j.msg)
	if !ok {
		j.answer(unsupported)
		return
	}
	q.do(ctx, r, j, fields(j.args, q.fields))
}

// requestOf finds a request by its word.
func requestOf(msg string) (q request, ok bool) {
	if q, ok = keyRequest(msg); ok {
		return q, true
	}
	if q, ok = treeRequest(msg); ok {
		return q, true
	}
	switch msg {
	case "LISTCONFIGS":
		q = request{0, listConfigs}
	case "INITREMOTE":
		q = request{0, func(ctx context.Context, r Remote, j *Job, _ []string) {
			j.outcome(msg, r.Init(ctx, j))
		}}
	case "PREPARE":
		q = request{0, func(ctx context.Context, r Remote, j *Job, _ []string) {
			j.outcome(msg, r.Prepare(ctx, j))
		}}
	case "GETCOST":
		q = request{0, getCost}
	case "GETAVAILABILITY":
		q = request{0, getAvailability}
	case "GETORDERED":
		q = request{0, getOrdered}
	case "CLAIMURL":
		q = request{1, claimURL}
	case "CHECKURL":
		q = request{1, checkURL}
	case "WHEREIS":
		q = request{1, whereis}
	case "GETINFO":
		q = request{0, getInfo}
	}
	return q, q.do != nil
}

// keyRequest finds those requests that are about keys.
func keyRequest(msg string) (q request, ok bool) {
	switch msg {
	case "TRANSFER":
		q = request{3, func(ctx context.Context, r Remote, j *Job, f []string) {
			j.transfer(f, func(key, file string) error { return r.Store(ctx, j, key, file) },
				func(key, file string) error { return r.Retrieve(ctx, j, key, file) })
		}}
	case "CHECKPRESENT":
		q = request{1, func(ctx context.Context, r Remote, j *Job, f []string) {
			ok, err := r.Present(ctx, j, f[0])
			j.present(f[0], ok, err)
		}}
	case "REMOVE":
		q = request{1, func(ctx context.Context, r Remote, j *Job, f []string) {
			j.outcome(msg, r.Remove(ctx, j, f[0]), f[0])
		}}
	}
	return q, q.do != nil
}

func (j *Job) transfer(f []string, store, retrieve func(key, file string) error) {
	dir, key, file := f[0], f[1], j.s.abs(f[2])
	switch dir {
	case "STORE":
		j.outcome("TRANSFER", store(key, file), dir, key)
	case "RETRIEVE":
		j.outcome("TRANSFER", retrieve(key, file), dir, key)
	default:
		j.answer(unsupported)
	}
}

func (j *Job) present(key string, ok bool, err error) {
	switch {
	case errors.Is(err, ErrUnsupported):
		j.answer(unsupported)
	case err != nil:
		j.answer("CHECKPRESENT-UNKNOWN " + key + " " + oneLine(err.Error()))
	case ok:
		j.answer("CHECKPRESENT-SUCCESS " + key)
	default:
		j.answer("CHECKPRESENT-FAILURE " + key)
	}
}

func listConfigs(_ context.Context, r Remote, j *Job, _ []string) {
	var lines []string
	for _, c := range r.Configs() {
		lines = append(lines, "CONFIG "+unspaced(c.Name)+" "+oneLine(c.Text))
	}
	j.answer(append(lines, "CONFIGEND")...)
}

func getCost(ctx context.Context, r Remote, j *Job, _ []string) {
	cost, err := r.Cost(ctx, j)
	if err != nil {
		j.answer(unsupported)
		return
	}
	j.answer("COST " + strconv.Itoa(cost))
}

func getAvailability(ctx context.Context, r Remote, j *Job, _ []string) {
	a, err := r.Availability(ctx, j)
	switch {
	case err != nil:
		j.answer(unsupported)
		return
	case a == Unavailable && !j.Has("UNAVAILABLERESPONSE"):
		a = Global
	}
	j.answer("AVAILABILITY " + string(a))
}

func getOrdered(ctx context.Context, r Remote, j *Job, _ []string) {
	ordered, err := r.Ordered(ctx, j)
	switch {
	case err != nil:
		j.answer(unsupported)
	case ordered:
		j.answer("ORDERED")
	default:
		j.answer("UNORDERED")
	}
}

func claimURL(ctx context.Context, r Remote, j *Job, f []string) {
	ok, err := r.Claim(ctx, j, f[0])
	switch {
	case errors.Is(err, ErrUnsupported):
		j.answer(unsupported)
	case ok && err == nil:
		j.answer("CLAIMURL-SUCCESS")
	default:
		j.answer("CLAIMURL-FAILURE")
	}
}

func checkURL(ctx context.Context, r Remote, j *Job, f []string) {
	c, err := r.CheckURL(ctx, j, f[0])
	line := ""
	if err == nil {
		line, err = contents(c)
	}
	switch {
	case errors.Is(err, ErrUnsupported):
		j.answer(unsupported)
	case err != nil:
		j.answer("CHECKURL-FAILURE " + oneLine(err.Error()))
	default:
		j.answer(line)
	}
}

// contents is the answer to CHECKURL. What is one of several must have no spaces of any kind.
func contents(c URLContents) (string, error) {
	size := func(f URLFile) string {
		if f.Size < 0 {
			return "UNKNOWN"
		}
		return strconv.FormatInt(f.Size, 10)
	}
	if !c.Multi {
		if len(c.Files) != 1 {
			return "", fmt.Errorf("there are %d files at the URL", len(c.Files))
		}
		return "CHECKURL-CONTENTS " + size(c.Files[0]) + " " + oneLine(c.Files[0].Name), nil
	}
	line := []byte("CHECKURL-MULTI")
	for _, f := range c.Files {
		if hasSpace(f.URL) || f.URL == "" {
			return "", fmt.Errorf("the URL %q has spaces", f.URL)
		}
		line = fmt.Append(line, " ", f.URL, " ", size(f), " ", unspaced(f.Name))
	}
	return string(line), nil
}

func whereis(ctx context.Context, r Remote, j *Job, f []string) {
	text, err := r.Whereis(ctx, j, f[0])
	switch {
	case errors.Is(err, ErrUnsupported):
		j.answer(unsupported)
	case err != nil || text == "":
		j.answer("WHEREIS-FAILURE")
	default:
		j.answer("WHEREIS-SUCCESS " + oneLine(text))
	}
}

func getInfo(ctx context.Context, r Remote, j *Job, _ []string) {
	info, err := r.Info(ctx, j)
	if err != nil {
		j.answer(unsupported)
		return
	}
	var lines []string
	for _, f := range info {
		lines = append(lines, "INFOFIELD "+oneLine(f.Name), "INFOVALUE "+oneLine(f.Value))
	}
	j.answer(append(lines, "INFOEND")...)
}
