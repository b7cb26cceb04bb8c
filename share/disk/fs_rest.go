//go:build !linux && !darwin && !windows

package disk

import (
	"io/fs"
	"math"
)

func infoOf(info fs.FileInfo) Info { return plainInfo(info) }

// Free is not known here: a full disk is noticed when it is full.
func (r *rootFS) Free(string) (int64, error) { return math.MaxInt64, nil }
