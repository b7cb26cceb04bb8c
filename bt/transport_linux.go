package bt

import (
	"net"
	"syscall"

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

// shareAddr lets several processes listen to one multicast port.
func shareAddr(c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		if err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err == nil {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}
	}); e != nil {
		return e
	}
	return err
}
