// Package p2p carries connections between git-annex repositories: what git-annex-p2p-shoal does, which git-annex starts in
// three forms (its generic P2P transport, since 10.20250828). One listens, and others connect to its address; bytes go
// both ways through a tunnel ([wire.TunnelKey]) between two that meet in a swarm, wherever they are.
package p2p
