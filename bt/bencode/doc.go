// Package bencode reads and writes bencode (BEP 3) without losing anything: what was decoded encodes to the same
// bytes, canonical or not.
//
// A value is an integer, a byte string, a list or a dictionary. Canonical means that the keys of every dictionary are
// sorted by their raw bytes and unique, and that integers have no leading zero and no negative zero; there is exactly
// one canonical form of a value, which is why the hash of an info dictionary can name a torrent. Many files in the wild
// are not canonical. This package keeps such values as they are, and [Problems] lists them.
//
// Three ways in, for three needs:
//   - [Parse] makes a tree of [Value], to look at and to change;
//   - [Check] and then a [Cursor] walk bytes in place, without allocating: for parsers of large values;
//   - [Reader] takes values or tokens from an io.Reader.
//
// All are bounded by [Limits], hold no more memory than the input that was read so far implies, and never panic on
// input.
package bencode
