package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"shoal/bt"
	"shoal/bt/bttest"
)

// codeCmd is "code CODE [HINT]": standard output is JSON, and says CODE of the command or of one of its sources, with a
// hint that the regular expression matches.
func codeCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: [!] code CODE [HINT]")
	}
	type failure struct{ Code, Message, Hint string }
	var doc struct {
		failure // of a command with one result
		Error   failure
		Results []failure
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &doc))
	all := append(doc.Results, doc.Error, doc.failure)
	i := slices.IndexFunc(all, func(f failure) bool { return f.Code == args[0] })
	switch {
	case neg && i >= 0:
		ts.Fatalf("unexpected code %s: %s", args[0], all[i].Message)
	case neg:
	case i < 0:
		ts.Fatalf("no code %s in %+v", args[0], all)
	case args[0] != "ok" && all[i].Message == "":
		ts.Fatalf("code %s without a message", args[0])
	case len(args) > 1 && !regexp.MustCompile(args[1]).MatchString(all[i].Hint):
		ts.Fatalf("the hint of %q is %q, want one that matches %q", all[i].Message, all[i].Hint, args[1])
	}
}

// httpdCmd is "httpd DIR": it serves a folder on 127.0.0.1 until the script ends, with ranges, and sets HTTP to its URL.
// Below /busy/ it always answers 503.
func httpdCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: httpd DIR")
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(os.DirFS(ts.MkAbs(args[0]))))
	mux.HandleFunc("/busy/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	server := httptest.NewServer(mux)
	ts.Defer(server.Close)
	ts.Setenv("HTTP", server.URL)
}

// trackerCmd is "tracker [INFOHASH]...": it runs a tracker on 127.0.0.1 until the script ends, which knows a seeder of
// each INFOHASH, and sets TRACKER and UDPTRACKER to its announce URLs.
func trackerCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: tracker [INFOHASH]...")
	}
	t := bttest.NewTracker(scriptT{ts})
	for _, arg := range args {
		h, err := bt.ParseInfoHash(arg)
		ts.Check(err)
		t.AddPeer(h, netip.MustParseAddrPort("127.0.0.1:1"))
	}
	ts.Setenv("TRACKER", t.HTTP)
	ts.Setenv("UDPTRACKER", t.UDP)
}

// scriptT makes a script look like a test.
type scriptT struct{ ts *testscript.TestScript }

func (t scriptT) Helper()                   {}
func (t scriptT) Context() context.Context  { return context.Background() }
func (t scriptT) Logf(f string, a ...any)   { t.ts.Logf(f, a...) }
func (t scriptT) Fatalf(f string, a ...any) { t.ts.Fatalf(f, a...) }
func (t scriptT) Skipf(f string, a ...any)  { t.ts.Fatalf("a script cannot skip: "+f, a...) }
func (t scriptT) Cleanup(f func())          { t.ts.Defer(f) }

func (t scriptT) TempDir() string {
	dir, err := os.MkdirTemp(t.ts.MkAbs("."), "t")
	t.ts.Check(err)
	return dir
}

// memoryDir is a folder for a test, in memory where there is such a file system: there is no disk to wait for. What failed
// is kept where SHOAL_TEST_KEEP is set.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "shoal-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if !t.Failed() || os.Getenv("SHOAL_TEST_KEEP") == "" {
			os.RemoveAll(dir)
		}
	})
	return dir
}
