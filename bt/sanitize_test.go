package bt

import (
	"net"
	"net/url"
	"slices"
	"testing"
)

func TestSanitizeTracker(t *testing.T) {
	for in, want := range map[string]string{
		"http://a/announce":                     "http://a/announce",
		" HTTP://Tracker.Example:80/Announce ":  "http://tracker.example:80/Announce",
		"udp://tracker:6969":                    "udp://tracker:6969",
		"udp://tracker:6969/announce":           "udp://tracker:6969/announce",
		"wss://t/":                              "wss://t/",
		"https://[2001:DB8::1]:443/a":           "https://[2001:db8::1]:443/a",
		"http://bücher.example/ä b?k=ä b&x=%c3": "http://xn--bcher-kva.example/%C3%A4%20b?k=%C3%A4%20b&x=%c3",
		"http://a/x#frag":                       "http://a/x",
		"http://a:/x":                           "http://a/x",
		"http://a/a%2Fb?passkey=A+B%20":         "http://a/a%2Fb?passkey=A+B%20",
		"http://a?":                             "http://a",
		"http://1.2.3.4:1/announce":             "http://1.2.3.4:1/announce",

		"":                         "",
		"foo":                      "",
		"ftp://a/":                 "",
		"dht://a/":                 "",
		"http://":                  "",
		"http:///announce":         "",
		"http://u:p@h/":            "",
		"http://u@h/":              "",
		"http:a":                   "",
		"http://h:0/":              "",
		"http://h:65536/":          "",
		"http://h:x/":              "",
		"udp://h":                  "",
		"udp4://h:1":               "",
		"http://a b/":              "",
		"http://a\x00/":            "",
		"http://a\n/":              "",
		"http://\xff/":             "",
		"http://[fe80::1%25eth0]/": "",
		"http://[1.2.3.4]/":        "",
		"http://a%2fb/":            "",
		"http://a/%zz":             "",
		"javascript:alert(1)":      "",
	} {
		got, err := SanitizeTracker(in)
		if got != want || (err == nil) != (want != "") || err != nil && CodeOf(err) != BadInput {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	if _, err := SanitizeWebseed("udp://a:1/"); err == nil {
		t.Error("a webseed over UDP is accepted")
	}
}

func TestSanitizePeer(t *testing.T) {
	for in, want := range map[string]string{
		"1.2.3.4:5": "1.2.3.4:5", " [::1]:65535": "[::1]:65535", "Host.Example:1": "host.example:1", "[fe80::1%eth0]:1": "[fe80::1%eth0]:1",
		"[::ffff:1.2.3.4]:5": "1.2.3.4:5", "bücher.example:1": "xn--bcher-kva.example:1",
		"": "", "1.2.3.4": "", "1.2.3.4:0": "", "1.2.3.4:65536": "", ":1": "", "[::1]": "", "a b:1": "", "0.0.0.0:1": "", "[::]:1": "",
		"224.0.0.1:1": "", "h:http": "", "[fe80::1%a b]:1": "", "a/b:1": "",
	} {
		got, err := SanitizePeer(in)
		if got != want || (err == nil) != (want != "") || err != nil && CodeOf(err) != BadInput {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

func FuzzSanitizeTracker(f *testing.F) {
	for _, s := range []string{"http://a/b?c#d", "HTTP://Ä:1/ä?%", "udp://[::1]:1", "http://u:p@h/", "ws://h/%2f%zz", "http://h/a//../;x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := SanitizeTracker(s)
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.String() != got || u.User != nil || u.Hostname() == "" || !slices.Contains(trackerSchemes, u.Scheme) {
			t.Fatalf("%q became %q, which is read as %q, %v", s, got, u, err)
		}
		again, err := SanitizeTracker(got)
		if err != nil || again != got {
			t.Fatalf("%q became %q became %q, %v", s, got, again, err)
		}
	})
}

func FuzzSanitizePeer(f *testing.F) {
	for _, s := range []string{"1.2.3.4:5", "[::1%eth0]:1", "ä:1", "[::ffff:1.2.3.4]:5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := SanitizePeer(s)
		if err != nil {
			return
		}
		if again, err := SanitizePeer(got); err != nil || again != got {
			t.Fatalf("%q became %q became %q, %v", s, got, again, err)
		}
		if _, _, err := net.SplitHostPort(got); err != nil {
			t.Fatal(err)
		}
	})
}
