package disk

// upperDir is Dir in other letters.
const upperDir = ".SHOAL"

// foldsCase asks for Dir by another name: no list of file systems is complete, and some fold in one directory and not in
// the next.
func foldsCase(f FS) bool {
	lower, err := f.Lstat(Dir)
	if err != nil {
		return false
	}
	upper, err := f.Lstat(upperDir)
	return err == nil && lower.Ident.Inode == upper.Ident.Inode && lower.Ident.Dev == upper.Ident.Dev
}
