//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package bt

import "os"

// Flock does nothing: this system has no lock that ends with its holder.
func Flock(*os.File) error { return nil }

// Funlock does nothing: the lock goes when f is closed.
func Funlock(*os.File) {}
