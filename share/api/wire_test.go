package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"shoal/bt"
)

// TestRoutesAreDocumented checks that docs/api.md explains each call, with an example, and no other.
func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, rt := range routes() {
		want = append(want, rt.method+" "+rt.path)
	}
	for section := range strings.SplitSeq(string(text), "\n### ") {
		title, body, _ := strings.Cut(section, "\n")
		call := strings.Trim(title, "`")
		if call == title {
			continue
		}
		got = append(got, call)
		path := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(strings.Fields(call)[1], `[^ ]+`)
		if !regexp.MustCompile("(?s)    .*http://node" + path + `\b`).MatchString(body) {
			t.Errorf("docs/api.md has no example of %s", call)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("docs/api.md explains\n%s\nand there are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// none is a node without shares, of which only what is asked here is answered.
type none struct {
	Shares
	asked int
}

func (n *none) List(context.Context) ([]ShareInfo, error) { n.asked++; return nil, nil }
func (n *none) Sync(context.Context, SyncOptions) ([]SyncResult, error) {
	n.asked++
	return nil, nil
}
func (n *none) Token(_ context.Context, name, _ string) (string, error) {
	n.asked++
	return "", Errorf(bt.NotFound, "there is no share %q", name)
}

func ask(n Shares, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", strings.NewReader(body))
	r.Method, r.URL.Path, r.RequestURI = method, path, ""
	Handler(context.Background(), n).ServeHTTP(w, r)
	return w
}

func TestRequestsAreChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code               bt.Code
		asked              int
	}{
		"a call":          {"GET", "/v1/shares", "", 200, "", 1},
		"a long call":     {"POST", "/v1/sync", `{"names":[]}`, 200, "", 1},
		"another version": {"GET", "/v2/shares", "", 500, bt.Failed, 0},
		"another method":  {"PUT", "/v1/shares", "", 500, bt.Failed, 0},
		"not found":       {"GET", "/v1/shares/x/token", "", 404, bt.NotFound, 1},
		"no torrents":     {"GET", "/v1/torrents", "", 500, bt.Failed, 0},
		"unknown field":   {"POST", "/v1/sync", `{"names":[],"now":true}`, 200, bt.BadInput, 0},
		"no body":         {"POST", "/v1/sync", ``, 200, bt.BadInput, 0},
		"two values":      {"POST", "/v1/sync", `{"names":[]}{}`, 200, bt.BadInput, 0},
		"seconds":         {"POST", "/v1/sync", `{"names":[],"seconds":-1}`, 200, bt.BadInput, 0},
		"too long":        {"POST", "/v1/sync", `{"names":["` + strings.Repeat("x", maxRequest) + `"]}`, 200, bt.BadInput, 0},
		"too deep":        {"POST", "/v1/sync", `{"names":` + strings.Repeat("[", 20000), 200, bt.BadInput, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &none{}
			w := ask(n, c.method, c.path, c.body)
			var got errorResult
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil && c.code != "" {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if w.Code != c.status || got.Error.Code != c.code || n.asked != c.asked {
				t.Errorf("status %d, code %s, asked %d: %s", w.Code, got.Error.Code, n.asked, w.Body)
			}
		})
	}
}

// Whatever is sent to a node, it answers with JSON, and an error has a code and a message.
func FuzzHandler(f *testing.F) {
	f.Add("POST", "/v1/sync", `{"names":["a"],"seconds":1e300}`)
	f.Add("GET", "/v1/shares/%2e%2e/token", "")
	f.Add("DELETE", "/v1/shares//", "")
	f.Fuzz(func(t *testing.T, method, path, body string) {
		if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/accept") {
			return
		}
		n := &none{}
		known := slices.ContainsFunc([]string{"/v1/shares", "/v1/sync", "/v1"}, func(p string) bool { return p == path }) || strings.HasSuffix(path, "/token")
		if !known || method == "POST" && path == "/v1/shares" || method == "DELETE" {
			return // what the node of this test does not do
		}
		w := ask(n, method, path, body)
		if w.Code == http.StatusMovedPermanently || w.Code == http.StatusTemporaryRedirect { // of paths that are not clean
			return
		}
		d := json.NewDecoder(w.Body)
		for {
			var line struct{ Error *failure }
			var raw json.RawMessage
			if err := d.Decode(&raw); err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			if json.Unmarshal(raw, &line) == nil && line.Error != nil && (line.Error.Code == "" || line.Error.Message == "") {
				t.Fatalf("an error without %s", raw)
			}
		}
	})
}

// Whatever a node answers, the client ends, and without a result there is an error.
func FuzzReadStream(f *testing.F) {
	f.Add([]byte(`{"progress":{"share":"a","done":1}}` + "\n" + `{"result":[{"name":"a"}]}`))
	f.Add([]byte(`{"error":{"code":"held","message":"m","hint":"h"}}`))
	f.Add([]byte(`{"error":{}}{"result":null}{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var result []ShareInfo
		told := 0
		err := readStream(bytes.NewReader(b), func(Progress) { told++ }, &result)
		if err != nil && err.Error() == "" {
			t.Fatal("an error without a message")
		}
		if err != nil && bt.CodeOf(err) == bt.OK {
			t.Fatalf("the error %v is a success", err)
		}
		if told > len(b) {
			t.Fatalf("%d times told by %d bytes", told, len(b))
		}
	})
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	endless := io.MultiReader(strings.NewReader(`"`), zeros{})
	var s string
	if err := json.NewDecoder(io.LimitReader(endless, 1<<20)).Decode(&s); err != io.ErrUnexpectedEOF {
		t.Errorf("reading without end: %v", err)
	}
	if r, ok := bounded(endless).(*io.LimitedReader); !ok || r.N != maxResult {
		t.Error("an answer is not bounded")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}
