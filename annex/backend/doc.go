// Package backend speaks git-annex's external backend protocol, VERSION 1: a program that makes keys of content and
// verifies content against them, so that git-annex can have keys that were not made by hashing a file.
//
// There are two: [XBTV2] has the hash by which v2 torrents know a file, [XSHOAL] that by which shares do.
package backend
