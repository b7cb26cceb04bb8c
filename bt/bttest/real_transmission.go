package bttest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// SeedTransmission seeds with transmission-daemon, and returns when it has checked the data and accepts peers.
func SeedTransmission(t T, torrent, dir string) *Client {
	t.Helper()
	c := startTransmission(t, torrent, dir)
	c.WaitComplete(t)
	return c
}

// LeechTransmission downloads with transmission-daemon. It refuses to dial 127.0.0.0/8, so that peer is ignored: let
// the other side dial its Addr.
func LeechTransmission(t T, torrent, dir, _ string) *Client {
	t.Helper()
	return startTransmission(t, torrent, dir)
}

func startTransmission(t T, torrent, dir string) *Client {
	t.Helper()
	Need(t, "transmission-daemon")
	metainfo, err := os.ReadFile(torrent)
	if err != nil {
		t.Fatalf("seeding with transmission: %v", err)
	}
	port, rpcPort := FreePort(t), FreePort(t)
	config := t.TempDir()
	settings, _ := json.Marshal(map[string]any{
		"dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "utp-enabled": false,
		"port-forwarding-enabled": false, "encryption": 0, "bind-address-ipv4": "127.0.0.1",
		"peer-port": port, "rpc-port": rpcPort, "rpc-bind-address": "127.0.0.1", "rpc-whitelist-enabled": false,
		"rpc-host-whitelist-enabled": false, "download-dir": dir, "ratio-limit-enabled": false,
		"download-queue-enabled": false, "rename-partial-files": true, "preallocation": 0,
	})
	writeFile(t, filepath.Join(config, "settings.json"), settings)
	c := &Client{
		Process: Start(t, "transmission-daemon", "--foreground", "--log-info", "--config-dir", config),
		Name:    "transmission-daemon", Addr: loopback(port),
	}
	rpc := &transmissionRPC{url: fmt.Sprintf("http://127.0.0.1:%d/transmission/rpc", rpcPort)}
	waitPort(t, loopback(rpcPort))
	waitPort(t, c.Addr)
	rpc.call(t, "torrent-add", map[string]any{
		"metainfo": base64.StdEncoding.EncodeToString(metainfo), "download-dir": dir, "paused": false,
	})
	c.complete = func(t T) { Eventually(t, "transmission having everything", func() bool { return rpc.seeding(t) }) }
	return c
}

// A transmissionRPC speaks to a daemon's control port.
type transmissionRPC struct{ url, session string }

func (r *transmissionRPC) seeding(t T) bool {
	t.Helper()
	const seed = 6
	got := r.call(t, "torrent-get", map[string]any{"fields": []string{"status", "leftUntilDone", "errorString"}})
	return len(got.Torrents) == 1 && got.Torrents[0].Status == seed && got.Torrents[0].Left == 0
}

type transmissionReply struct {
	Torrents []struct {
		Status int   `json:"status"`
		Left   int64 `json:"leftUntilDone"`
	} `json:"torrents"`
}

func (r *transmissionRPC) call(t T, method string, args map[string]any) transmissionReply {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"method": method, "arguments": args})
	client := &http.Client{Timeout: Patience}
	defer client.CloseIdleConnections()
	deadline := time.Now().Add(Patience)
	for {
		req, _ := http.NewRequest("POST", r.url, bytes.NewReader(body))
		req.Header.Set("X-Transmission-Session-Id", r.session)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("asking transmission: %v", err)
		}
		var reply struct {
			Result    string            `json:"result"`
			Arguments transmissionReply `json:"arguments"`
		}
		err = json.NewDecoder(resp.Body).Decode(&reply)
		resp.Body.Close()
		if resp.StatusCode == http.StatusConflict && time.Now().Before(deadline) {
			r.session = resp.Header.Get("X-Transmission-Session-Id") // its guard against cross-site requests
			continue
		}
		if err != nil || reply.Result != "success" {
			t.Fatalf("asking transmission %s: %s %s %v", method, resp.Status, reply.Result, err)
		}
		return reply.Arguments
	}
}
