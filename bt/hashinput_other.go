//go:build !linux

package bt

import "os"

// A hashFile is a file that is read to be hashed.
type hashFile struct{ *os.File }

func openHashFile(name string) (hashFile, error) {
	f, err := os.Open(name)
	return hashFile{f}, err
}

func (f hashFile) close() { _ = f.Close() }

func (f hashFile) stat() (hashStat, error) {
	info, err := f.Stat()
	if err != nil {
		return hashStat{}, err
	}
	return hashStatOf(info), nil
}

// statHashFile looks at a file by its name.
func statHashFile(name string) (hashStat, error) {
	info, err := os.Stat(name)
	if err != nil {
		return hashStat{}, err
	}
	return hashStatOf(info), nil
}

// mapped does nothing: files are read.
func (hashFile) mapped(int64, int64, func([]byte)) (int64, error) { return 0, nil }
