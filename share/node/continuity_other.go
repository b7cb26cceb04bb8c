//go:build !linux

package node

import (
	"errors"
	"os"
)

func memoryDirs() []string               { return nil }
func openToken(string) (*os.File, error) { return nil, errors.ErrUnsupported }
func thisMachine(string) (proof, error)  { return proof{}, errors.ErrUnsupported }
