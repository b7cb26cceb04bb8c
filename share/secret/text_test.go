package secret

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The strings of BIP 350.
func TestBech32m(t *testing.T) {
	t.Parallel()
	values := func(s string) (string, []byte) {
		s = strings.ToLower(s)
		i := strings.LastIndexByte(s, '1')
		var v []byte
		for _, c := range []byte(s[i+1:]) {
			v = append(v, byte(strings.IndexByte(letters, c)))
		}
		return s[:i], v
	}
	for _, s := range []string{
		"A1LQFN3A", "a1lqfn3a", "?1v759aa",
		"an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
		"abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
		"split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
	} {
		if sum := checksum(values(s)); sum != 0 {
			t.Errorf("%s: %#x", s, sum)
		}
	}
	for _, s := range []string{"A12UEL5L", "M1VUXWEZ", "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"} {
		if checksum(values(s)) == 0 {
			t.Errorf("%s was taken", s)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		prefix, v := values(encode32("x", data))
		if got, ok := decode32(v[:len(v)-checkLen]); !ok || !bytes.Equal(got, data) || checksum(prefix, v) != 0 {
			t.Fatalf("%x became %x", data, got)
		}
	})
}

func drawToken(t *rapid.T) Token {
	tok := adminToken([32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "a")), rapid.Uint16().Draw(t, "epoch"))
	tok, err := tok.Weaken(rapid.SampledFrom(roles).Draw(t, "role"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTokensRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tok := drawToken(t)
		s := tok.Text()
		if want := map[bool]int{true: 69, false: 121}[tok.Role == Admin]; len(s) != want {
			t.Fatalf("%d characters", len(s))
		}
		for _, s := range []string{s, strings.ToUpper(s), " " + s[:50] + "\r\n\t" + s[50:] + "\n"} {
			if got, err := ParseToken(s); err != nil || got != tok {
				t.Fatalf("%v: %v", got, err)
			}
		}
	})
}

// A mistyped character is named; nothing that differs in up to three places is taken for a token.
func TestMistypedTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := []byte(drawToken(t).Text())
		places := rapid.SliceOfNDistinct(rapid.IntRange(7, len(s)-1), 1, 3, rapid.ID[int]).Draw(t, "places")
		for _, i := range places {
			was := s[i]
			s[i] = rapid.SampledFrom([]byte(letters)).Filter(func(c byte) bool { return c != was }).Draw(t, "letter")
		}
		var e *TextError
		if _, err := ParseToken(string(s)); !errors.As(err, &e) {
			t.Fatalf("taken: %v", err)
		}
		if len(places) == 1 && e.At != places[0]+1 {
			t.Fatalf("character %d was changed: %v", places[0]+1, e)
		}
	})
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	tok := at(t, 1, 0, Read)
	s := tok.Text()
	inv := Invite{}.Text()
	set := func(s string, i int, c string) string { return s[:i] + c + s[i+len(c):] }
	for name, tc := range map[string]struct{ in, want string }{
		"empty":               {" \n", "not a valid token: it is empty"},
		"words":               {"hello", "not a valid token: it does not begin with shoalw1, shoalr1, shoals1 or shoala1"},
		"a letter none has":   {set(s, 40, "b"), `not a valid token: character 41 is "b", which none has`},
		"one for l":           {set(s, 40, "1"), `not a valid token: character 41 is "1", which none has`},
		"another role":        {set(s, 5, "w"), "not a valid token: character 6 is mistyped"},
		"one less":            {s[:60] + s[61:], "not a valid token: it has 120 characters instead of 121"},
		"one more":            {s[:60] + "q" + s[60:], "not a valid token: it has 122 characters instead of 121"},
		"cut":                 {s[:7], "not a valid token: it has 7 characters instead of 121"},
		"mixed":               {strings.ToUpper(s[:20]) + s[20:], "not a valid token: it mixes capital and small letters"},
		"not ASCII":           {set(s, 8, "é"), "not a valid token: character 9 is none that can be typed"},
		"two":                 {set(s, 40, map[bool]string{true: "pp", false: "qq"}[s[40] != 'p' && s[41] != 'p']), "not a valid token: more than one character is mistyped"},
		"long":                {strings.Repeat(s, 20), "not a valid token: it is too long"},
		"an invite":           {inv, "not a valid token: it is an invite"},
		"a URL":               {URL{Token: tok}.Text(), "not a valid token: it is a URL"},
		"a later version":     {encode32(prefixRead, append([]byte{2}, make([]byte, 70)...)), "not a valid token: it is of version 2, which this program does not know"},
		"another length":      {encode32(prefixRead, append([]byte{1}, make([]byte, 65)...)), "not a valid token: its checksum is right, its length is not"},
		"a write token's hrp": {encode32(prefixAdmin, append([]byte{1}, make([]byte, 66)...)), "not a valid token: its checksum is right, its length is not"},
		"no data":             {encode32(prefixRead, nil), "not a valid token: its checksum is right, its length is not"},
	} {
		_, err := ParseToken(tc.in)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseInvite(s); err == nil || err.Error() != "not a valid invite: it does not begin with shoali1" {
		t.Errorf("a token as an invite: %v", err)
	}
	if _, err := ParseInvite(inv[:30]); err == nil || err.Error() != "not a valid invite: 30 characters are too few or too many" {
		t.Errorf("a short invite: %v", err)
	}
	if _, err := ParseInvite(set(inv, 20, "p")); err == nil || err.Error() != "not a valid invite: character 21 is mistyped" {
		t.Errorf("a mistyped invite: %v", err)
	}
	// An IPv4 address in the form of IPv6: there is one text of an invite.
	mapped := netip.MustParseAddr("::ffff:1.2.3.4").As16()
	twice := encode32(prefixInvite, append(append(append([]byte{1}, make([]byte, 16)...), mapped[:]...), 0, 80))
	if _, err := ParseInvite(twice); err == nil {
		t.Error("an address in two forms")
	}
}

func TestInvitesRoundTrip(t *testing.T) {
	t.Parallel()
	for hint, want := range map[string]int{"": 41, "10.0.0.1:7000": 50, "[fd00::1]:65535": 69} {
		v := Invite{Code: [16]byte{1, 2, 3}}
		if hint != "" {
			v.Hint = netip.MustParseAddrPort(hint)
		}
		s := v.Text()
		got, err := ParseInvite(strings.ToUpper(s))
		if err != nil || got != v || len(s) != want {
			t.Errorf("%q: %d characters, %v", hint, len(s), err)
		}
	}
	a, b := Invite{Code: [16]byte{1}}.Keys(), Invite{Code: [16]byte{2}}.Keys()
	if a == b || a.Rendezvous == b.Rendezvous || a.PSK == b.PSK || a.Extension == b.Extension || a.PSK == [32]byte{} {
		t.Error("two invites share keys")
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	tok := at(t, 1, 2, Read)
	for _, u := range []URL{
		{Token: tok},
		{Token: tok, Label: "Ann & Bob's 100% photos + more é"},
		{Token: tok, Peers: []string{"10.0.0.1:7000", "[fd00::1]:1", "host.example:65535"}, Trackers: []string{"udp://t.example:6969/announce", "https://t.example/a?b=c&d"}},
	} {
		got, err := ParseURL(u.Text() + "\n")
		if err != nil || got.Token != u.Token || got.Label != u.Label || strings.Join(got.Peers, " ") != strings.Join(u.Peers, " ") || strings.Join(got.Trackers, " ") != strings.Join(u.Trackers, " ") {
			t.Errorf("%v became %v: %v", u, got, err)
		}
	}
	good := URL{Token: tok}.Text()
	if _, err := ParseURL("SHOAL:?future=1&t=" + strings.ToUpper(tok.Text())); err != nil {
		t.Error(err)
	}
	for name, s := range map[string]string{
		"empty":           "",
		"scheme":          "shoal:",
		"another":         "magnet:?t=" + tok.Text(),
		"no token":        "shoal:?n=a",
		"two tokens":      good + "&t=" + tok.Text(),
		"two labels":      good + "&n=a&n=b",
		"a bad token":     good[:len(good)-1],
		"escapes":         good + "&n=%zz",
		"semicolons":      good + ";n=a",
		"a control":       good + "&n=%1b[2J",
		"not UTF-8":       good + "&n=%ff",
		"a long label":    good + "&n=" + strings.Repeat("a", 256),
		"no port":         good + "&p=host",
		"port 0":          good + "&p=host:0",
		"port 65536":      good + "&p=host:65536",
		"no host":         good + "&p=:7000",
		"a space":         good + "&p=a+b:7000",
		"a path":          good + "&p=a/b:7000",
		"many peers":      good + strings.Repeat("&p=a:1", 33),
		"a file":          good + "&tr=file:///etc/passwd",
		"no tracker host": good + "&tr=http:///x",
		"a long one":      good + "&x=" + strings.Repeat("a", maxURL),
	} {
		_, err := ParseURL(s)
		var e *TextError
		if !errors.As(err, &e) || strings.Contains(err.Error(), tok.Text()[10:30]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQR(t *testing.T) {
	t.Parallel()
	tok := at(t, 1, 0, Read)
	for text, side := range map[string]int{
		tok.Text():             37,
		Invite{}.Text():        29,
		URL{Token: tok}.Text(): 49, // bytes, not capitals
	} {
		dark, err := QR(text, false)
		if err != nil {
			t.Fatal(err)
		}
		light, err := QR(text, true)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(dark, "\n"), "\n")
		if len(lines) != (side+2*quiet+1)/2 {
			t.Errorf("%d characters: %d lines, want a side of %d", len(text), len(lines), side)
		}
		for _, line := range lines {
			if n := len([]rune(line)); n != side+2*quiet {
				t.Fatalf("%d characters: %d wide", len(text), n)
			}
		}
		// The quiet zone is drawn or left out whole, and the finder begins after it.
		if lines[1] != strings.Repeat("█", side+2*quiet) || !strings.HasPrefix(lines[2], "████ ") || strings.Contains(light[:8], "█") {
			t.Errorf("drawn as\n%s", dark)
		}
	}
	if _, err := QR(strings.Repeat("é", 4000), false); err == nil {
		t.Error("drew what does not fit")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(at(f, 1, 0, Read).Text())
	f.Add(at(f, 1, 9, Admin).Text())
	f.Add(Invite{Hint: netip.MustParseAddrPort("1.2.3.4:5")}.Text())
	f.Add(URL{Token: at(f, 1, 0, Store), Label: "a b", Peers: []string{"[::1]:2"}, Trackers: []string{"udp://a:1"}}.Text())
	f.Add("shoalr1")
	f.Add("shoal:?t=&n=%00")
	f.Fuzz(func(t *testing.T, s string) {
		clean := strings.ToLower(strings.Join(strings.Fields(s), ""))
		if tok, err := ParseToken(s); err == nil && tok.Text() != clean {
			t.Fatalf("token %q has the text %q", s, tok.Text())
		}
		if v, err := ParseInvite(s); err == nil && v.Text() != clean {
			t.Fatalf("invite %q has the text %q", s, v.Text())
		}
		u, err := ParseURL(s)
		if err != nil {
			return
		}
		again, err := ParseURL(u.Text())
		if err != nil || again.Text() != u.Text() {
			t.Fatalf("URL %q has the text %q: %v", s, u.Text(), err)
		}
	})
}
