package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"shoal/share/api"
	"shoal/share/api/apitest"
)

// fakenodeCmd is "fakenode": a node that keeps all in memory and does nothing runs until the script ends. It answers at
// the socket of the script's state folder: for what a real one would not do when asked.
func fakenodeCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: fakenode")
	}
	ctx, cancel := context.WithCancel(context.Background())
	home := filepath.Join(ts.Getenv("HOME"), ".local", "state", "shoal")
	l, err := api.Listen(ctx, home, os.TempDir())
	if err != nil {
		cancel()
		ts.Fatalf("%v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- api.Serve(ctx, l, apitest.New()) }()
	ts.Defer(func() {
		cancel()
		ts.Check(<-ended)
	})
}
