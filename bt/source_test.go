package bt

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseSource(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(hexV1, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := strings.ReplaceAll(hexV1, "c", "d")
	for in, want := range map[string]string{
		"-":                            "stdin",
		"x.torrent":                    "path x.torrent",
		"./-":                          "path ./-",
		hexV1:                          "path " + hexV1,
		"./" + other:                   "path ./" + other,
		other:                          "magnet magnet:?xt=urn:btih:" + other,
		" " + strings.ToUpper(other):   "magnet magnet:?xt=urn:btih:" + other,
		strings.ToLower(b32V1):         "magnet magnet:?xt=urn:btih:" + hexV1,
		hexV2:                          "magnet magnet:?xt=urn:btmh:1220" + hexV2,
		"Magnet:?xt=urn:btih:" + hexV1: "magnet magnet:?xt=urn:btih:" + hexV1,
		"HTTPS://u:p@Host/a b.torrent": "url https://u:p@host/a%20b.torrent",
		"http://h/x?a=1#f":             "url http://h/x?a=1",
		strings.Repeat("0", 40):        "path " + strings.Repeat("0", 40),
		"":                             "",
		" ":                            "",
		"ftp://h/x":                    "",
		"http://":                      "",
		"magnet:?dn=x":                 "",
		"a\x00b":                       "",
	} {
		s, err := ParseSource(in)
		if got := kindOf(s); got != want || (err == nil) != (want != "") || err != nil && CodeOf(err) != BadInput || s != nil && s.Arg != in {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

func kindOf(s *Source) string {
	switch {
	case s == nil:
		return ""
	case s.Magnet != nil:
		return "magnet " + s.Magnet.String()
	case s.URL != "":
		return "url " + s.URL
	case s.Stdin:
		return "stdin"
	}
	return "path " + s.Path
}

func TestLoadFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	good := benc(dict{"info": single})
	for name, content := range map[string][]byte{"good": good, "bad": []byte("x")} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for arg, want := range map[string]struct {
		code Code
		text string
	}{
		"good":   {OK, ""},
		"-":      {OK, ""},
		"bad":    {BadInput, `reading bad: not a metainfo file: byte 0: want a value, got "x"`},
		"absent": {BadInput, "open absent: no such file or directory"},
		".":      {BadInput, "reading .: it is a folder"},
		hexV2:    {Usage, "a magnet has no metainfo of its own"},
	} {
		s, err := ParseSource(arg)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Load(t.Context(), LoadOptions{Stdin: bytes.NewReader(good)})
		if CodeOf(err) != want.code || err != nil && !strings.Contains(err.Error(), want.text) || err == nil && m.Name != "one.txt" {
			t.Errorf("%s: %v (%s)", arg, err, CodeOf(err))
		}
	}
	if _, err := (&Source{Stdin: true}).Load(t.Context(), LoadOptions{}); CodeOf(err) != BadInput {
		t.Errorf("no standard input: %v", err)
	}
}

func TestLoadURLs(t *testing.T) {
	var agent string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		switch r.URL.Path {
		case "/good":
			w.Write(benc(dict{"info": single}))
		case "/moved":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/magnet":
			http.Redirect(w, r, "magnet:?xt=urn:btih:"+hexV1+"&dn=it's", http.StatusFound)
		case "/page":
			w.Write([]byte("<html>"))
		case "/broken":
			w.WriteHeader(http.StatusBadGateway)
		case "/cut":
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte("d"))
		case "/hang":
			<-r.Context().Done()
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	load := func(ctx context.Context, url string) error {
		t.Helper()
		s, err := ParseSource(url)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Load(ctx, LoadOptions{HTTP: srv.Client(), UserAgent: "shoal test"})
		if err == nil && (m.Name != "one.txt" || agent != "shoal test") {
			t.Errorf("%s: got %q for %q", url, m.Name, agent)
		}
		return err
	}
	for path, want := range map[string]Code{
		"/good": OK, "/moved": OK, "/absent": BadInput, "/broken": Network, "/page": BadInput, "/cut": Network, "/file": Network, "/magnet": BadInput,
	} {
		if err := load(t.Context(), srv.URL+path); CodeOf(err) != want {
			t.Errorf("%s: %v is %s, want %s", path, err, CodeOf(err), want)
		}
	}
	var e *Error
	if err := load(t.Context(), srv.URL+"/page"); !errors.As(err, &e) || !strings.Contains(e.Hint(), "web page") {
		t.Errorf("no hint: %v", err)
	}
	if err := load(t.Context(), srv.URL+"/magnet"); !errors.As(err, &e) || !strings.HasSuffix(e.Hint(), " 'magnet:?xt=urn:btih:"+hexV1+"&dn=it%27s'") {
		t.Errorf("no hint: %v", err)
	}
	if err := load(t.Context(), strings.Replace(srv.URL, "http://", "http://u:secret@", 1)+"/absent"); strings.Contains(err.Error(), "secret") {
		t.Errorf("a password is shown: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := load(ctx, srv.URL+"/hang"); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	srv.Close()
	if err := load(t.Context(), srv.URL+"/good"); CodeOf(err) != Network {
		t.Errorf("no server: %v is %s", err, CodeOf(err))
	}
}

func FuzzParseSource(f *testing.F) {
	for _, s := range []string{"-", hexV1, b32V1, hexV2, "magnet:?xt=urn:btih:" + hexV1, "http://h/x", "file:///x", "a/b.torrent", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		s, err := ParseSource(arg)
		if err != nil {
			if CodeOf(err) != BadInput {
				t.Fatalf("%v is %s", err, CodeOf(err))
			}
			return
		}
		set := 0
		for _, is := range []bool{s.Magnet != nil, s.URL != "", s.Path != "", s.Stdin} {
			if is {
				set++
			}
		}
		if set != 1 || s.Arg != arg || s.Path != "" && filepath.Clean(s.Path) == "" {
			t.Fatalf("%q is %+v", arg, s)
		}
	})
}
