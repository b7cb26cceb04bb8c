//go:build !linux

package bt

import (
	"errors"
	"syscall"
)

var errNoDevice = errors.New("this system cannot bind a socket to an interface")

func bindToDevice(uintptr, string) error { return errNoDevice }

func probeDevice(string) error { return errNoDevice }

// shareAddr has nothing to do: the net package shares the port of a multicast address by itself.
func shareAddr(syscall.RawConn) error { return nil }
