package bencode_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"shoal/bt/bencode"
)

// pairs are the same in bencode and in JSON.
var pairs = []struct{ benc, json string }{
	{"i0e", "0"},
	{"i-5e", "-5"},
	{"i9007199254740991e", "9007199254740991"},
	{"i-9007199254740991e", "-9007199254740991"},
	{"i9007199254740992e", `{"$int":"9007199254740992"}`},
	{"i123456789012345678901234567890e", `{"$int":"123456789012345678901234567890"}`},
	{"i007e", `{"$int":"007"}`},
	{"i-0e", `{"$int":"-0"}`},
	{"0:", `""`},
	{"3:abc", `"abc"`},
	{"2:ä", `"ä"`},
	{"6:\"\\\n\x00\x7f\x1f", `"\"\\\n\u0000\u007f\u001f"`},
	{"2:\xff\x00", `"hex:ff00"`},
	{"4:hex:", `"str:hex:"`},
	{"9:base64:xx", `"str:base64:xx"`},
	{"5:str:x", `"str:str:x"`},
	{"4:$int", `"$int"`},
	{"le", "[]"},
	{"de", "{}"},
	{"li1ele0:e", `[1,[],""]`},
	{"d1:ai1e1:bdee", `{"a":1,"b":{}}`},
	{"d4:$inti1e4:hex:i2ee", `{"str:$int":1,"str:hex:":2}`},
	{"d1:\xffi1ee", `{"hex:ff":1}`},
	{"d1:bi1e1:ai2ee", `{"$dict":[["b",1],["a",2]]}`},
	{"d1:ai1e1:ai2ee", `{"$dict":[["a",1],["a",2]]}`},
	{"d1:bd1:b0:1:a0:e1:cle1:$0:e", `{"$dict":[["b",{"$dict":[["b",""],["a",""]]}],["c",[]],["$",""]]}`},
	{"d5:nodes2:ab6:pieces2:ab5:token0:e", `{"nodes":"hex:6162","pieces":"hex:6162","token":"hex:"}`},
	{"d5:nodesll1:hi1eeee", `{"nodes":[["h",1]]}`},
	{"d12:piece layersd2:ab2:cdee", `{"piece layers":{"hex:6162":"hex:6364"}}`},
	{"d5:filesd2:abd8:completei1eeee", `{"files":{"hex:6162":{"complete":1}}}`},
	{"d1:ad5:filesd2:abi1eeee", `{"a":{"files":{"ab":1}}}`},
}

func TestJSON(t *testing.T) {
	for _, tt := range pairs {
		if got := toJSON(t, tt.benc, bencode.JSONOptions{}); got != tt.json {
			t.Errorf("%q: got %s, want %s", tt.benc, got, tt.json)
		}
		for _, in := range []string{tt.json, toJSON(t, tt.benc, bencode.JSONOptions{Binary: bencode.Base64}), toJSON(t, tt.benc, bencode.JSONOptions{Indent: "\t"})} {
			v, err := bencode.ParseJSON([]byte(in), bencode.Limits{})
			if err != nil || string(v.Encode()) != tt.benc {
				t.Errorf("%s: got %q, %v, want %q", in, v.Encode(), err, tt.benc)
			}
		}
	}
}

func toJSON(t *testing.T, benc string, opts bencode.JSONOptions) string {
	t.Helper()
	if err := bencode.Check([]byte(benc), bencode.Limits{}); err != nil {
		t.Fatalf("%q: %v", benc, err)
	}
	var buf bytes.Buffer
	if err := bencode.WriteJSON(&buf, []byte(benc), opts); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(buf.Bytes()) {
		t.Errorf("%q: %s is not JSON", benc, &buf)
	}
	return buf.String()
}

func TestJSONOptions(t *testing.T) {
	const in = "d1:ad1:bli1ei2eleee1:z1:\xffe"
	want := `{
  "a": {
    "b": [
      1,
      2,
      []
    ]
  },
  "z": "base64:/w=="
}`
	if got := toJSON(t, in, bencode.JSONOptions{Binary: bencode.Base64, Indent: "  "}); got != want {
		t.Errorf("got %s", got)
	}
}

func TestParseJSON(t *testing.T) {
	for in, want := range map[string]string{
		" { \"b\" : 1 , \"a\" : [ ] }\n": "d1:ale1:bi1ee",
		`"\u00e4\ud83d\ude00\/\b\f\r\t"`: "11:ä😀/\b\f\r\t",
		`"HEX:"`:                         "4:HEX:",
		`"hex:AbCd"`:                     "2:\xab\xcd",
		`{"hex:ff":1,"z":2,"ä":3}`:       "d1:zi2e2:äi3e1:\xffi1ee",
		`123456789012345678901234567890`: "i123456789012345678901234567890e",
		`{"$int":"5"}`:                   "i5e",
		`{"$dict":[]}`:                   "de",
	} {
		v, err := bencode.ParseJSON([]byte(in), bencode.Limits{})
		if err != nil || string(v.Encode()) != want {
			t.Errorf("%s: got %q, %v", in, v.Encode(), err)
		}
	}
	v, rest, err := bencode.ParseJSONPrefix([]byte("1 \n[2]"), bencode.Limits{})
	if err != nil || string(v.Encode()) != "i1e" || string(rest) != "[2]" {
		t.Errorf("prefix: %q, rest %q, %v", v.Encode(), rest, err)
	}
}

func TestParseJSONRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "byte 0: want an object, an array, a string or an integer, got the end of the input",
		"\x00":                                `byte 0: want an object, an array, a string or an integer, got "\x00"`,
		"true":                                `byte 0: want an object, an array, a string or an integer, got "t"`,
		" null":                               `byte 1: want an object, an array, a string or an integer, got "n"`,
		"1.5":                                 `byte 0: want an integer, or {"$int":"digits"}, got "1"`,
		"1e3":                                 `byte 0: want an integer, or {"$int":"digits"}, got "1"`,
		"-0":                                  `byte 0: want an integer, or {"$int":"digits"}, got "-"`,
		"01":                                  `byte 0: want an integer, or {"$int":"digits"}, got "0"`,
		"[1":                                  `byte 2: want a comma or "]", got the end of the input`,
		"[1,]":                                `byte 3: want an object, an array, a string or an integer, got "]"`,
		"{1:2}":                               `byte 1: want a string, got "1"`,
		`{"a"}`:                               `byte 4: want ":", got "}"`,
		`{"a":1,}`:                            `byte 7: want a string, got "}"`,
		`{"a":1,"a":2}`:                       `byte 0: want keys that differ, or {"$dict":[[key,value],…]}`,
		`{"a":1,"hex:61":2}`:                  `byte 0: want keys that differ, or {"$dict":[[key,value],…]}`,
		`{"$x":1}`:                            `byte 1: want a key without "$", which is written "str:$…", got "$x"`,
		`{"a":1,"$int":"1"}`:                  `byte 7: want a key without "$", which is written "str:$…", got "$int"`,
		`{"$int":"1","a":1}`:                  `byte 11: want "}", got ","`,
		`{"$int":1}`:                          `byte 8: want a string, got "1"`,
		`{"$int":"x"}`:                        `byte 8: want decimal digits, got "x"`,
		`{"$dict":[["a"]]}`:                   `byte 14: want ",", got "]"`,
		`{"$dict":[["a",1,2]]}`:               `byte 16: want "]", got ","`,
		`{"$dict":{}}`:                        `byte 9: want "[", got "{"`,
		`"hex:f"`:                             `byte 0: want hexadecimal digits after "hex:"; a text has "str:" in front`,
		`"base64:_"`:                          `byte 0: want base64 after "base64:"; a text has "str:" in front`,
		`"\ud800"`:                            `byte 7: want an escape of JSON; \u of surrogates in pairs, got "\""`,
		`"\ud800\u0041"`:                      `byte 13: want an escape of JSON; \u of surrogates in pairs, got "\""`,
		`"\udc00\ud800"`:                      `byte 13: want an escape of JSON; \u of surrogates in pairs, got "\""`,
		`"\x"`:                                `byte 2: want an escape of JSON; \u of surrogates in pairs, got "x"`,
		"\"\xff\"":                            `byte 1: want UTF-8, got "\xff"`,
		"\"\n\"":                              `byte 1: want no control character in a string, got "\n"`,
		`"abc`:                                `byte 4: want the end of the string, got the end of the input`,
		"1 2":                                 `byte 2: want the end of the input, got "2"`,
		"[[[[[]]]]]":                          "byte 4: want at most 4 levels",
		"[" + strings.Repeat("1,", 30) + "1]": "byte 39: want at most 20 values",
	} {
		_, err := bencode.ParseJSON([]byte(in), tight)
		var serr *bencode.SyntaxError
		if !errors.As(err, &serr) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", in, err, want)
		}
	}
}

// jq rewrites numbers and escapes in its own way, and must not change what is said.
func TestJSONThroughJq(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		if os.Getenv("SHOAL_REQUIRE_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	deep := strings.Repeat("l", 200) + strings.Repeat("e", 200)
	for _, args := range [][]string{{"-c", "."}, {"-S", "."}, {"-a", "."}} {
		var in, want bytes.Buffer
		for _, tt := range append(pairs, struct{ benc, json string }{benc: deep}) {
			in.WriteString(toJSON(t, tt.benc, bencode.JSONOptions{}) + "\n")
			want.WriteString(tt.benc)
		}
		cmd := exec.CommandContext(t.Context(), "jq", args...)
		cmd.Stdin = &in
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for len(out) > 0 {
			var v bencode.Value
			if v, out, err = bencode.ParseJSONPrefix(out, bencode.Limits{}); err != nil {
				t.Fatal(err)
			}
			got = v.AppendTo(got)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("jq %s: got %q, want %q", args, got, &want)
		}
	}
}

func TestWriteJSONGivesTheErrorOfItsWriter(t *testing.T) {
	if err := bencode.WriteJSON(brokenWriter{}, []byte("i1e"), bencode.JSONOptions{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func FuzzJSON(f *testing.F) {
	for _, tt := range pairs {
		f.Add([]byte(tt.benc))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		lim := bencode.Limits{Depth: 60, Size: 1 << 16, Count: 1000}
		if bencode.Check(b, lim) != nil {
			return
		}
		for _, opts := range []bencode.JSONOptions{{}, {Binary: bencode.Base64, Indent: " "}} {
			s := toJSON(t, string(b), opts)
			v, err := bencode.ParseJSON([]byte(s), bencode.Limits{})
			if err != nil || !bytes.Equal(v.Encode(), b) {
				t.Fatalf("%q is %s is %q, %v", b, s, v.Encode(), err)
			}
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	for _, tt := range pairs {
		f.Add([]byte(tt.json))
	}
	f.Add([]byte(`"\ud83d\ude00\ud800" {"$dict":[["a",1],["a",{"$int":"-0"}]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, _, err := bencode.ParseJSONPrefix(b, bencode.Limits{Depth: 60, Size: 1 << 16, Count: 1000})
		if err != nil {
			return
		}
		enc := v.Encode()
		if err := bencode.Check(enc, bencode.Limits{}); err != nil {
			t.Fatalf("%s is %q: %v", b, enc, err)
		}
		again, err := bencode.ParseJSON([]byte(toJSON(t, string(enc), bencode.JSONOptions{})), bencode.Limits{})
		if err != nil || !bytes.Equal(again.Encode(), enc) {
			t.Fatalf("%s is %q, then %q, %v", b, enc, again.Encode(), err)
		}
	})
}
