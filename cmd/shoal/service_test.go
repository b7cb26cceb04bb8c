package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"shoal/bt/bttest"
)

// unit is a systemd unit as docs/share.md shows it: the lines of its sections.
type unit struct{ text string }

// unitsOf are those of a guide.
func unitsOf(t *testing.T, guide string) (all []unit) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "docs", guide))
	if err != nil {
		t.Fatal(err)
	}
	var now []string
	end := func() {
		if text := strings.Trim(strings.Join(now, "\n"), "\n"); strings.HasPrefix(text, "[") && strings.Contains(text, "ExecStart=") {
			all = append(all, unit{text + "\n"})
		}
		now = nil
	}
	for line := range strings.Lines(string(b) + "\nend\n") {
		if code, ok := strings.CutPrefix(line, "    "); ok || line == "\n" {
			now = append(now, strings.TrimRight(code, "\n"))
			continue
		}
		end()
	}
	return all
}

// values are those of a key, in order.
func (u unit) values(key string) (all []string) {
	for line := range strings.Lines(u.text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			all = append(all, v)
		}
	}
	return all
}

// unitKeys are the keys that systemd has (systemd.unit(5), systemd.service(5), systemd.exec(5)) and the guides use.
var unitKeys = map[string][]string{
	"Unit": {"Description"}, "Install": {"WantedBy"},
	"Service": {"Type", "ExecStart", "ExecStartPre", "Restart", "TimeoutStopSec", "User", "StateDirectory", "Environment", "LoadCredential"},
}

// The units of the guide are such as systemd takes.
func TestServiceUnits(t *testing.T) {
	t.Parallel()
	units := unitsOf(t, "share.md")
	if len(units) != 2 {
		t.Fatalf("%d units: %+v", len(units), units)
	}
	for i, u := range units {
		section := ""
		for line := range strings.Lines(u.text) {
			line = strings.TrimSpace(line)
			key, _, isKey := strings.Cut(line, "=")
			switch {
			case line == "":
			case strings.HasPrefix(line, "["):
				section = strings.Trim(line, "[]")
			case !isKey || !slices.Contains(unitKeys[section], key):
				t.Errorf("unit %d: %q in section %q", i, line, section)
			}
		}
		if !slices.Equal(u.values("Type"), []string{"notify"}) {
			t.Errorf("unit %d is of type %q: the node says when it is ready", i, u.values("Type"))
		}
		analyze, err := exec.LookPath("systemd-analyze")
		if err != nil {
			t.Log("systemd itself was not asked")
			continue
		}
		name := filepath.Join(t.TempDir(), "shoal.service")
		text := strings.ReplaceAll(u.text, "/usr/local/bin/shoal", "/bin/sh") // it must be there
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", name).CombinedOutput()
		if err != nil || strings.Contains(string(out), "shoal.service") {
			t.Errorf("unit %d: %v: %s", i, err, out)
		}
	}
}

// manager starts the commands of a unit as systemd does.
type manager struct {
	t           *testing.T
	env         []string
	credentials string
	notify      *net.UnixConn
}

func newManager(t *testing.T) *manager {
	m := &manager{t: t, credentials: t.TempDir()}
	socket := filepath.Join(t.TempDir(), "notify")
	var err error
	if m.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.notify.Close() })
	m.env = append(os.Environ(), "SHOAL_NO_DHT=1", "SHOAL_LPD=0", "SHOAL_LISTEN=127.0.0.1", "NOTIFY_SOCKET="+socket, "CREDENTIALS_DIRECTORY="+m.credentials)
	return m
}

// told is the next thing that the node says.
func (m *manager) told() string {
	m.t.Helper()
	b := make([]byte, 100)
	stop := context.AfterFunc(m.t.Context(), func() { m.notify.Close() })
	defer stop()
	n, err := m.notify.Read(b)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b[:n])
}

// credential is what LoadCredential gives: a file that its user alone can read.
func (m *manager) credential(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.credentials, name), []byte(text), 0o400); err != nil {
		m.t.Fatal(err)
	}
}

// command is a line of a unit: words, with variables, and paths of the guide that are elsewhere here.
func (m *manager) command(line string, elsewhere *strings.Replacer) *exec.Cmd {
	words := strings.Fields(elsewhere.Replace(strings.TrimPrefix(line, "-")))
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "${CREDENTIALS_DIRECTORY}", m.credentials)
	}
	cmd := exec.CommandContext(m.t.Context(), words[0], words[1:]...)
	cmd.Env = m.env
	return cmd
}

func (m *manager) output(cmd *exec.Cmd) string {
	m.t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("%q: %v: %s", cmd.Args, err, out)
	}
	return string(out)
}

// run starts the node by a line of a unit, does something when it is ready, and stops it.
func (m *manager) run(line string, elsewhere *strings.Replacer, ready func()) {
	m.t.Helper()
	p := m.command(line, elsewhere)
	var said strings.Builder
	p.Stdout, p.Stderr = &said, &said
	if err := p.Start(); err != nil {
		m.t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		err := p.Wait()
		if err != nil {
			m.notify.Close() // nothing will be told any more
		}
		gone <- err
	}()
	if s := m.told(); s != "READY=1" {
		m.t.Errorf("the service manager is told %q", s)
	}
	ready()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		m.t.Error(err)
	}
	if s := m.told(); s != "STOPPING=1" {
		m.t.Errorf("the service manager is told %q", s)
	}
	if err := <-gone; err != nil {
		m.t.Errorf("%q ended with %v: %s", p.Args, err, said.String())
	}
}

// The second unit of the guide, line for line: a token that is a credential, the node twice over, and what the service
// manager is told. Then the same with the lock on, as docs/secrets.md has it: the password is a credential.
func TestService(t *testing.T) {
	t.Parallel()
	bttest.Need(t, "sh")
	u, m := unitsOf(t, "share.md")[1], newManager(t)
	home, srv, other := filepath.Join(t.TempDir(), "home"), t.TempDir(), t.TempDir()
	elsewhere := strings.NewReplacer("/usr/local/bin/shoal", "shoal", "/var/lib/shoal", home, "/srv/photos", filepath.Join(srv, "photos"))
	m.env = append(m.env, elsewhere.Replace(u.values("Environment")[0]))
	from := strings.NewReplacer()
	m.output(m.command("shoal share create --home "+other+" photos "+t.TempDir(), from))
	name, _, _ := strings.Cut(u.values("LoadCredential")[0], ":")
	m.credential(name, m.output(m.command("shoal share token --home "+other+" photos", from)))

	for i := range 2 {
		for _, line := range u.values("ExecStartPre") {
			out, err := m.command(line, elsewhere).CombinedOutput()
			if i == 0 && err != nil || i == 1 && !(err != nil && strings.HasPrefix(line, "-") && regexp.MustCompile(`exists|here already`).Match(out)) {
				t.Errorf("start %d: %q: %v: %s", i, line, err, out)
			}
			if strings.Contains(string(out), "shoalr1") {
				t.Errorf("the token is in the journal: %s", out)
			}
		}
		m.run(u.values("ExecStart")[0], elsewhere, func() {
			if out := m.output(m.command("shoal share list", from)); !strings.Contains(out, "photos") {
				t.Errorf("when it is ready it has %s", out)
			}
		})
	}

	m.credential("shoal", "a password of some length\n")
	m.output(m.command("shoal secrets passwd --lock on --password-file ${CREDENTIALS_DIRECTORY}/shoal", from))
	b, err := os.ReadFile(filepath.Join(root, "docs", "secrets.md"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("`(shoal serve --password-file [^`]*)`").FindSubmatch(b)
	if line == nil {
		t.Fatal("docs/secrets.md has no line for systemd")
	}
	m.run(string(line[1]), from, func() {
		if out := m.output(m.command("shoal share list", from)); !strings.Contains(out, "photos") || strings.Contains(out, "locked") {
			t.Errorf("with the password it has %s", out)
		}
	})
}
