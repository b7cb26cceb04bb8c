//go:build !unix

package api

import "io/fs"

// isOurs relies on the folder for temporary files being this user's here.
func isOurs(fs.FileInfo) bool { return true }
