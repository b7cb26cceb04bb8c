package keystore

import (
	"strings"
	"testing"

	"shoal/share/disk"
)

func TestKeyPath(t *testing.T) {
	t.Parallel()
	const repository = "11111111-2222-3333-4444-555555555555"
	for key, want := range map[Key]string{
		"SHA256E-s3--abc.tar.gz":       "SHA256E-s3--abc.tar.gz",
		"URL-s9--http://a.org/b c":     "URL-s9--http%3A%2F%2Fa.org%2Fb%20c",
		"..":                           "%2E.",
		".shoal":                       "%2Eshoal",
		"WORM--Ünï":                    "WORM--%C3%9Cn%C3%AF",
		"GPGHMACSHA1--0123456789abcde": "GPGHMACSHA1--0123456789abcde",
	} {
		got := key.Path(repository)
		if !strings.HasPrefix(got, "annex/"+repository+"/") || len(strings.Split(got, "/")) != 4 {
			t.Errorf("%s is at %s", key, got)
		}
		if name := got[strings.LastIndex(got, "/")+1:]; name != want {
			t.Errorf("%s is called %s, want %s", key, name, want)
		}
		if other := key.Path("other"); other == got {
			t.Errorf("%s is at %s for two repositories", key, got)
		}
	}
}

func TestKeySize(t *testing.T) {
	t.Parallel()
	for key, want := range map[Key]int64{
		"SHA256E-s3--abc":                      3,
		"SHA256E-s0--abc":                      0,
		"WORM-s5-m1700000000--a-s9--b":         5,
		"SHA256E-s10-S4-C1--abc":               4,
		"SHA256E-s10-S4-C3--abc":               2,
		"SHA256E-s0-S4-C1--abc":                0,
		"SHA256E-s10-S4-C4--abc":               -1,
		"SHA256E-s10-S4-C0--abc":               -1,
		"SHA256E-s10-S0-C1--abc":               -1,
		"SHA256E-s10-S4--abc":                  -1,
		"SHA256E-s10-S1-C9223372036854775807-": -1,
		"SHA256E-s9223372036854775808--abc":    -1,
		"SHA256E-s-1--abc":                     -1,
		"GPGHMACSHA1--0123":                    -1,
		"nothing":                              -1,
	} {
		got, known := key.Size()
		if !known {
			got = -1
		}
		if got != want {
			t.Errorf("%s has %d bytes, want %d", key, got, want)
		}
	}
}

// FuzzKey: whatever a key is, its file stays inside, under a name that no share refuses, and no two keys share one.
func FuzzKey(f *testing.F) {
	f.Add("SHA256E-s10-S4-C1--abc.bin", "../x")
	f.Add("%2E", ".")
	f.Add(strings.Repeat("é", 120), strings.Repeat("é", 121))
	f.Fuzz(func(t *testing.T, a, b string) {
		ka, errA := ParseKey(a)
		kb, errB := ParseKey(b)
		if errA != nil || errB != nil {
			return
		}
		p := ka.Path(b)
		if !disk.ValidPath(p) || strings.Count(p, "/") != 3 {
			t.Fatalf("%q of %q is at %q", a, b, p)
		}
		for name := range strings.SplitSeq(p, "/") {
			if len(name) > maxName || strings.HasPrefix(strings.ToLower(name), ".shoal") || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Fatalf("%q of %q is at %q", a, b, p)
			}
		}
		if a != b && ka.Path("r") == kb.Path("r") {
			t.Fatalf("%q and %q are both at %q", a, b, ka.Path("r"))
		}
		if size, known := ka.Size(); known && size < 0 {
			t.Fatalf("%q has %d bytes", a, size)
		}
	})
}
