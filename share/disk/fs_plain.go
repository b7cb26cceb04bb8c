//go:build !linux && !darwin

package disk

import (
	"io/fs"

	"shoal/share/index"
)

// plainInfo is what the standard library knows everywhere: no inode, no device, no ctime. A file is then told from another
// by size and modification time.
func plainInfo(info fs.FileInfo) Info {
	return Info{
		Type:  info.Mode().Type(),
		Links: 1,
		Ident: index.Ident{Size: info.Size(), MTime: info.ModTime().UnixNano(), Mode: uint32(info.Mode().Perm())},
	}
}
