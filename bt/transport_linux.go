package bt

import (
	"net"

	"golang.org/x/sys/unix"
)

// bindToDevice keeps a socket on one network interface, both ways.
func bindToDevice(fd uintptr, name string) error {
	return unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, name)
}

// probeDevice tells whether this process may use bindToDevice; kernels before 5.7 want a privilege.
func probeDevice(name string) error {
	if _, err := net.InterfaceByName(name); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return bindToDevice(uintptr(fd), name)
}
