package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"shoal/share/api"
)

const tinyDisk = "SHOAL_TEST_TINY_DISK"

// A store on a disk that is full says so, serves what it has, and goes on when there is room. The disk is real, and small:
// a tmpfs in a user namespace of its own.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv(tinyDisk) == "" {
		dir := t.TempDir()
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestFullDisk$", "-test.v", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), tinyDisk+"="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Skipf("no user namespace here: %v", err)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir := os.Getenv(tinyDisk)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no tmpfs here: %v", err)
	}
	r := newRig(t)
	for i := range 10 {
		r.write(fmt.Sprintf("f%d", i), noise(uint64(i), 100_000))
	}
	r.write("big", noise(50, 700_000))
	s := r.join(r.open(t.TempDir(), nil), dir, "store", api.ShareConfig{Reserve: -1})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 200_000), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r.carry(s, nil)
		r.pass(2 * retryAfter)
	}
	v, _ := s.look()
	if st := s.stateMessage(); v.Full == "" || !st.Full || st.Missing == 0 {
		t.Fatalf("%q %+v", v.Full, st)
	}
	soundRows(t, s, dir)
	served := 0
	for id := range blobsOf(t, s) {
		if _, err := s.serve(t.Context(), id); err != nil {
			t.Error(err)
		}
		served++
	}
	if served < 5 {
		t.Errorf("only %d blobs", served)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	r.pass(time.Minute)
	for range 3 {
		r.carry(s, nil)
		r.pass(2 * retryAfter)
	}
	if v, _ := s.look(); v.Full != "" || s.store.missing() != 0 {
		t.Errorf("%q, %d missing", v.Full, s.store.missing())
	}
	sound(t, s, dir)
}
