// Package annex lets git-annex use shoal: as an external special remote (package protocol) that fetches files of
// torrents, and by the commands that set that up.
package annex
