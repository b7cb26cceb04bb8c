// Package node is the engine of shares: one control goroutine per share, and the process that holds them all
// (docs/shares.md §6).
package node
