package bt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/coder/websocket"
)

// Trackers of WebTorrent speak JSON over WebSocket. They have no specification but their source: bytes, such as an
// infohash, are strings of the characters U+0000 to U+00FF.

// maxWSMessages bounds what a tracker may say before it answers.
const maxWSMessages = 100

// scrapeWS scrapes over WebSocket.
func (c *trackerClient) scrapeWS(ctx context.Context, u *url.URL, hashes []InfoHash) (map[InfoHash]swarmCount, error) {
	conn, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPClient: c.http})
	switch {
	case err == nil:
	case resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		return nil, fmt.Errorf("tracker answers %d, and speaks no WebSocket", resp.StatusCode)
	default:
		return nil, shortenCause(ctx, err)
	}
	defer conn.CloseNow() // a farewell would wait for the tracker's
	conn.SetReadLimit(maxTrackerReply)
	request := map[string]any{"action": "scrape"}
	var names []string
	for _, h := range hashes {
		names = append(names, binaryString(h[:]))
	}
	request["info_hash"] = names
	b, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if err := conn.Write(ctx, websocket.MessageText, b); err != nil {
		return nil, shortenCause(ctx, err)
	}
	for range maxWSMessages {
		_, b, err := conn.Read(ctx)
		switch {
		case errors.Is(err, websocket.ErrMessageTooBig):
			return nil, errors.New("tracker answers with more than 2 MiB")
		case err != nil:
			return nil, fmt.Errorf("reading the answer: %w", shortenCause(ctx, err))
		}
		if found, err := parseWSScrape(b, hashes); found != nil || err != nil {
			return found, err
		}
	}
	return nil, errors.New("tracker says much, and does not answer")
}

// parseWSScrape reads a message of a tracker. It is nil without an error for a message that is no answer to a scrape.
func parseWSScrape(b []byte, hashes []InfoHash) (map[InfoHash]swarmCount, error) {
	var reply struct {
		Action  string                     `json:"action"`
		Failure json.RawMessage            `json:"failure reason"`
		Files   map[string]json.RawMessage `json:"files"`
	}
	if err := json.Unmarshal(b, &reply); err != nil {
		return nil, fmt.Errorf("tracker answers what is not its JSON: %.100q", b)
	}
	switch {
	case len(reply.Failure) > 0:
		var reason string
		_ = json.Unmarshal(reply.Failure, &reason) // whatever it is, it is a refusal
		return nil, &trackerError{Reason: reason[:min(len(reason), 1000)]}
	case reply.Action != "scrape":
		return nil, nil
	case reply.Files == nil:
		return nil, errors.New("tracker answers something else than a scrape")
	}
	found := make(map[InfoHash]swarmCount)
	for _, h := range hashes {
		if file, ok := reply.Files[binaryString(h[:])]; ok {
			found[h] = parseWSFile(file)
		}
	}
	return found, nil
}

func parseWSFile(b []byte) swarmCount {
	var file map[string]json.RawMessage
	_ = json.Unmarshal(b, &file) // what is no object says nothing
	number := func(key string) int {
		var f float64
		if raw, ok := file[key]; !ok || json.Unmarshal(raw, &f) != nil || string(raw) == "null" {
			return -1
		}
		return scrapeCount(int64(max(-1, min(f, 1<<31))))
	}
	return swarmCount{Seeders: number("complete"), Completed: number("downloaded"), Leechers: number("incomplete")}
}

// binaryString is bytes as a string of one character each.
func binaryString(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}
