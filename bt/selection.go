package bt

// A Selection picks files of a torrent. The zero value picks all. Indexes, globs and exclusions combine: a file is
// picked when it is in Indexes or matches an Include (or neither is given) and matches no Exclude.
type Selection struct {
	Indexes []IndexRange // 1-based, in the order of the torrent's files, pads not counted
	Include []string     // doublestar globs over the path below Name, or over the base name when they have no slash
	Exclude []string
}

// An IndexRange is the files First to Last, both included.
type IndexRange struct{ First, Last int }
