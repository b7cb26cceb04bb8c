package bttest

import (
	"strings"

	"shoal/bt/bttest/internal/libtorrent"
)

// SeedLibtorrent seeds with libtorrent, and returns when it has checked the data and accepts peers.
func SeedLibtorrent(t T, source, dir string) *Client {
	t.Helper()
	c := startLibtorrent(t, "run", source, dir, "")
	c.WaitComplete(t)
	return c
}

// LeechLibtorrent downloads with libtorrent. Source may be a magnet.
func LeechLibtorrent(t T, source, dir, peer string) *Client {
	t.Helper()
	return startLibtorrent(t, "run", source, dir, peer)
}

func startLibtorrent(t T, args ...string) *Client {
	t.Helper()
	Need(t, "libtorrent")
	c := &Client{Process: startCmd(t, libtorrent.Command(args...)), Name: "libtorrent"}
	c.Addr = loopbackPort(strings.TrimSpace(c.WaitLine(t, "listening ")))
	c.complete = func(t T) { c.WaitLine(t, "complete") }
	return c
}

func loopbackPort(port string) string { return "127.0.0.1:" + port }
