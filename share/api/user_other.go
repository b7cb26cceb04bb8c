//go:build !linux

package api

import "net"

// sameUser relies on the mode of the socket and of its folder here.
func sameUser(net.Conn) bool { return true }
