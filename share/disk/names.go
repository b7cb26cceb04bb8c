package disk

import (
	"strings"
	"unicode/utf8"

	"shoal/share/index"

	"golang.org/x/text/unicode/norm"
)

// nfc is how a share spells a name or path.
func nfc(s string) string {
	if isASCII(s) {
		return s
	}
	return norm.NFC.String(s)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// onFS is a path for an FS.
func onFS(p string) string {
	if p == "" {
		return "."
	}
	return p
}

// parent is the directory of p, "" for the top.
func parent(p string) string {
	return p[:max(0, strings.LastIndexByte(p, '/'))]
}

// Resolve is how the disk spells the path p of a share: a name that is on disk in another Unicode form than NFC stays so.
// It is p where nothing is found. Errors are those of looking.
func Resolve(f FS, p string) (string, error) {
	if isASCII(p) {
		return p, nil
	}
	disk := ""
	for name := range strings.SplitSeq(p, "/") {
		exact := index.PathOf(disk, name)
		if _, err := f.Lstat(exact); err == nil || isASCII(name) || !notExist(err) {
			disk = exact
			continue
		}
		names, err := f.ReadDir(onFS(disk))
		if err != nil && !notExist(err) {
			return p, err
		}
		disk = exact
		for _, n := range names {
			if !isASCII(n) && nfc(n) == name {
				disk = index.PathOf(parent(exact), n)
				break
			}
		}
	}
	return disk, nil
}
