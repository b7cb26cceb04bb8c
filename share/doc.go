// Package share holds the rooms of encrypted shares: folders that stay the same on every node, without a server.
// docs/shares.md is the format and the protocol; its section numbers are cited throughout.
package share
