// Package bt is a BitTorrent engine: metainfo and magnets, downloads and seeds, trackers and the DHT, as plain values
// and one session type.
//
// The words are those of the field. A metainfo is what a .torrent file says; its info dictionary hashes to the
// infohash (v1: SHA-1, BEP 3; v2: SHA-256, BEP 52), which names the torrent. Its files are cut into pieces, the unit
// that has a hash; peers ask each other for blocks of 16 KiB. A magnet (BEP 9) is an infohash with hints where to find
// peers. The piece space of a torrent is its bytes in piece order: byte off of piece p is at p*PieceLength+off. Files
// lie in it at their Offset; what no file covers (pad files, BEP 47, and the gaps of BEP 52) reads as zeros and is
// never stored.
//
// [Client] is one session: one listening port, any number of torrents. [Storage] is where a torrent's bytes live;
// [OpenFiles] keeps them in plain files. For programs that sync, [Client.Meet] gives swarms that carry the caller's frames
// instead of a torrent, and [Client.OpenData] torrents that nobody is told of, over the caller's Storage. The package prints nothing, and its exported API does not show the library it
// stands on.
package bt
