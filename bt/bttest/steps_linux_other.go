//go:build linux && !amd64

package bttest

// olderCalls are those that newer machines do without.
func olderCalls() map[uint32]call { return map[uint32]call{} }
