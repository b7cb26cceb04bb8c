package commands

import (
	"regexp"
	"strings"
	"testing"
)

// inviteCases are run in this order, each in a process where no node runs and, when socket is true, with one that does.
var inviteCases = []struct {
	stdin, args string
	socket      bool
	status      int
	want        string // a regular expression that standard output matches
	errors      string // one that standard error matches
}{
	{"", "--at|192.0.2.1:6881", false, 0, `^shoali1[a-z0-9]{34}\nlaptop joined links, role read\n$`, `(?s)once, until 2026-01-03 .*no node runs: this command waits`},
	{"", "--expires|1h", true, 0, `^shoali1[a-z0-9]{34}\n$`, `^[^\n]* once, until 2026-01-02 [^\n]*\n$`},
	{"y\n", "--role|write|--approve", true, 0, `laptop joined links, role write\n$`, `must show these words: kite amber otter quilt\nLet it in\? \[y/N\] $`},
	{"\n", "--approve", true, 5, `^shoali1[a-z0-9]{34}\n$`, `nobody joined: it is denied`},
	{"", "--approve", true, 5, `^shoali1[a-z0-9]{34}\n$`, `nobody to ask\nshoal: hint: "shoal share admit links cdcdcdcdcdcdcdcd" lets it in`},
	{"", "--qr", true, 0, `(?s)^█{37}.*\nshoali1`, `^`},
	{"", "--json|--approve", true, 5, `^{"invite":"[0-9a-f]{64}","share":"links",.*"state":"open",.*"code":"shoali1[a-z0-9]+"}\n{.*"state":"asked",.*}\n`, `^`},
	{"", "--list", true, 0, `  write  done +2026-01-03 03:04  laptop cdcdcdcdcdcdcdcd  kite amber otter quilt +0\n`, `^$`},
}

func TestShareInvite(t *testing.T) {
	t.Setenv("TZ", "UTC")
	for _, socket := range []bool{false, true} {
		m := newMachine(t, socket)
		if status, _, errors := m.run(t.Context(), "", "share", "create", "links"); status != 0 {
			t.Fatal(errors)
		}
		for _, c := range inviteCases {
			if socket && !c.socket || !socket && c.args == "--expires|1h" || !socket && c.args == "--qr" {
				continue
			}
			status, stdout, stderr := m.run(t.Context(), c.stdin, append([]string{"share", "invite", "links"}, strings.Split(c.args, "|")...)...)
			if status != c.status || !regexp.MustCompile(c.want).MatchString(stdout) || !regexp.MustCompile(c.errors).MatchString(stderr) {
				t.Errorf("%s: status %d\n%s\n%s", c.args, status, stdout, stderr)
			}
		}
	}
}

// A code that was read is no argument, and the words of an approval are told.
func TestShareAddInvite(t *testing.T) {
	t.Parallel()
	m := newMachine(t, true)
	m.run(t.Context(), "", "share", "create", "photos")
	_, code, _ := m.run(t.Context(), "", "share", "invite", "photos")
	status, stdout, stderr := m.run(t.Context(), code, "share", "add", "-", "Copy")
	if status != 0 || !strings.HasPrefix(stdout, "Copy  read  waiting  ") || !strings.Contains(stderr, "it must see these words: kite amber otter quilt\n") {
		t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
	}
	status, stdout, stderr = m.run(t.Context(), "", "share", "add", strings.TrimSpace(code), "Copy2")
	if status != 2 || strings.Contains(stdout+stderr, strings.TrimSpace(code)) {
		t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
	}
	status, _, stderr = m.run(t.Context(), code, "share", "add", "--name", "used", "-", "Copy3")
	if status != 5 || !strings.Contains(stderr, "used already") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}
