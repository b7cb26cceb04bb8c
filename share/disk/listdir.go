package disk

// A dirReader is one directory: what is listed and what is looked at is the same directory where the FS can hold it open,
// whatever is renamed above it.
type dirReader interface {
	names() ([]string, error)
	lstat(name string) (Info, error)
	info() (Info, error) // of the directory itself
	close()
}

// A dirOpener is an FS that can hold a directory open; a scan takes a fraction of the time then.
type dirOpener interface {
	openDir(path string) (dirReader, error)
}

func openDir(f FS, path string) (dirReader, error) {
	if o, ok := f.(dirOpener); ok {
		return o.openDir(path)
	}
	return pathDir{f, path}, nil
}

// A pathDir asks by path each time.
type pathDir struct {
	fs   FS
	path string
}

func (d pathDir) names() ([]string, error) { return d.fs.ReadDir(d.path) }
func (d pathDir) info() (Info, error)      { return d.fs.Lstat(d.path) }
func (d pathDir) close()                   {}

func (d pathDir) lstat(name string) (Info, error) {
	if d.path != "." {
		name = d.path + "/" + name
	}
	return d.fs.Lstat(name)
}
