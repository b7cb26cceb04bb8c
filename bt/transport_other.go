//go:build !linux

package bt

import "errors"

var errNoDevice = errors.New("this system cannot bind a socket to an interface")

func bindToDevice(uintptr, string) error { return errNoDevice }

func probeDevice(string) error { return errNoDevice }
