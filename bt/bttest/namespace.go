package bttest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoal/bt/bttest/internal/netns"
)

const insideVar = "SHOAL_BTTEST_NAMESPACE"

// Namespace gives the test a network of its own with nothing but lo. Outside it runs the same test again in there,
// passes its failures on and returns false: the caller then returns. Inside it returns true.
//
//	if !bttest.Namespace(t) {
//		return
//	}
func Namespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideVar) == t.Name() {
		runTool(t, "ip", "link", "set", "lo", "up")
		return true
	}
	Need(t, "ip")
	needNamespaces(t)
	cmd := again(t, "-test.v", "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	cmd.Env = append(os.Environ(), insideVar+"="+t.Name())
	cmd.SysProcAttr = netns.SysProcAttr()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in a network of its own: %v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("in a network of its own:\n%s", out)
	}
	return false
}

// again is a command that runs this test binary once more. It ends some time before this run has to, and says where it
// stood: what hangs is not silent.
func again(t *testing.T, args ...string) *exec.Cmd {
	args = append([]string{"-test.count=1"}, args...)
	if deadline, ok := t.Deadline(); ok {
		args = append(args, fmt.Sprintf("-test.timeout=%v", time.Until(deadline)*9/10))
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.WaitDelay = 10 * time.Second // for what it left running
	return cmd
}

func needNamespaces(t T) {
	t.Helper()
	if err := probe(); err != nil {
		missing(t, "making a network namespace: %v", err)
	}
}

// HaveNamespaces reports whether tests can have networks of their own here.
func HaveNamespaces() bool { return probe() == nil }

func probe() error {
	cmd := exec.Command("ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
	cmd.SysProcAttr = netns.SysProcAttr()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w %s", err, out)
	}
	return nil
}

// A Host is one end of a cable: a network namespace with lo and one interface, which has the default route.
type Host struct {
	IPv4, IPv6 string
	Interface  string
	pid        int
}

// TwoHosts are two network namespaces joined by a cable, without any other network.
func TwoHosts(t T) [2]Host {
	t.Helper()
	Need(t, "ip", "nsenter")
	needNamespaces(t)
	a := newHost(t, 1, netns.SysProcAttr(), nil)
	// Two networks can be joined by one who owns both: the second is made inside the user namespace of the first.
	b := newHost(t, 2, nil, a.enter())
	a.run(t, "ip", "link", "add", "net0", "type", "veth", "peer", "name", "net0", "netns", strconv.Itoa(b.pid))
	for _, h := range []Host{a, b} {
		h.run(t, "sh", "-ec", strings.NewReplacer("V4", h.IPv4, "V6", h.IPv6).Replace(
			`[ ! -e /proc/sys/net/ipv6 ] || echo 0 > /proc/sys/net/ipv6/conf/net0/accept_dad
			ip link set lo up
			ip addr add V4/24 dev net0
			ip -6 addr add V6/64 dev net0 nodad
			ip link set net0 up
			ip route add default dev net0
			ip -6 route add default dev net0`))
	}
	return [2]Host{a, b}
}

// newHost starts a process that only holds a namespace, until the test ends.
func newHost(t T, n int, attr *syscall.SysProcAttr, enter []string) Host {
	t.Helper()
	args := []string{"sh", "-c", "echo $$; exec cat"}
	if enter != nil {
		args = append(append(enter, "unshare", "--net"), args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = attr
	in, err := cmd.StdinPipe() // cat ends with us, however we end
	if err != nil {
		t.Fatalf("making a host: %v", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("making a host: %v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("making a host: %v", err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	h := Host{IPv4: fmt.Sprintf("10.77.0.%d", n), IPv6: fmt.Sprintf("fd77::%d", n), Interface: "net0"}
	if _, err := fmt.Fscan(out, &h.pid); err != nil {
		t.Fatalf("making a host: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return h
}

func (h Host) enter() []string {
	args := []string{"nsenter", "--target", strconv.Itoa(h.pid), "--net"}
	if os.Getuid() != 0 {
		args = append(args, "--user", "--preserve-credentials")
	}
	return args
}

// Command is a command that will run on the host.
func (h Host) Command(name string, args ...string) *exec.Cmd {
	all := append(append(h.enter(), name), args...)
	return exec.Command(all[0], all[1:]...)
}

// Start runs a program on the host until the test ends.
func (h Host) Start(t T, name string, args ...string) *Process {
	t.Helper()
	all := append(append(h.enter(), name), args...)
	return Start(t, all[0], all[1:]...)
}

func (h Host) run(t T, name string, args ...string) {
	t.Helper()
	if out, err := h.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("running %s %q on host %s: %v\n%s", name, args, h.IPv4, err, out)
	}
}
