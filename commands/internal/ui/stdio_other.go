//go:build !unix

package ui

import "os"

func polled(f *os.File) *os.File { return f }
