package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A disk is an ext4 image that is mounted at a folder, for cutting its power: what was not made durable is gone then.
type disk struct {
	t             *testing.T
	image, saved  string
	device, mount string // "" while it is not mounted
}

// newDisk makes and mounts one.
func newDisk(t *testing.T, top, mount string) *disk {
	t.Helper()
	d := &disk{t: t, image: filepath.Join(top, "image"), saved: filepath.Join(top, "saved"), mount: mount}
	for _, dir := range []string{top, mount} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d.do("mkfs.ext4", "-q", "-F", "-m", "0", d.image, "64M")
	d.begin()
	t.Cleanup(d.end)
	return d
}

func (d *disk) do(name string, args ...string) string {
	d.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (d *disk) begin() {
	d.t.Helper()
	d.device = d.do("losetup", "--find", "--show", d.image)
	d.do("mount", "-t", "ext4", d.device, d.mount)
}

func (d *disk) end() {
	d.t.Helper()
	if d.device == "" {
		return
	}
	d.do("umount", d.mount)
	d.do("losetup", "--detach", d.device)
	d.device = ""
}

func (d *disk) copy(from, to string) {
	d.t.Helper()
	d.do("cp", "--reflink=never", from, to)
}

// save remembers what is on the disk; restore brings it back.
func (d *disk) save() {
	d.end()
	d.copy(d.image, d.saved)
	d.begin()
}

func (d *disk) restore() {
	d.end()
	d.copy(d.saved, d.image)
	d.begin()
}

// cut is a power cut: the disk is as it was on the medium, at one moment at which nothing was being written there, and its
// journal is replayed.
func (d *disk) cut() {
	d.t.Helper()
	medium := d.image + ".cut"
	for before := ""; ; {
		stat, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(d.device), "stat"))
		if err != nil {
			d.t.Fatal(err)
		}
		if string(stat) == before {
			break
		}
		before = string(stat)
		d.copy(d.image, medium)
	}
	d.end() // which writes to the other
	if err := os.Rename(medium, d.image); err != nil {
		d.t.Fatal(err)
	}
	d.begin()
}

// needDisks skips where this machine gives no loop devices, or its user is not root: that is no missing program.
func needDisks(t *testing.T) {
	t.Helper()
	d, err := os.MkdirTemp("", "shoal-probe-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(d)
	probe := `cd "$1" && mkfs.ext4 -q -F image 8M && mkdir m && mount -o loop image m && umount m`
	if out, err := exec.Command("sh", "-c", probe, "sh", d).CombinedOutput(); err != nil {
		t.Skipf("no ext4 image can be mounted here: %v %s", err, out)
	}
}

// TestPowerCut is TestCrash on disks whose power is cut at the moment of the kill. It is for make crash: a disk takes room,
// and root.
func TestPowerCut(t *testing.T) {
	if os.Getenv(everyStep) == "" {
		t.Skip("make crash cuts the power")
	}
	needDisks(t)
	for _, c := range crashes {
		c.power = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}
