package db

import "database/sql"

// Torrents are what the node seeds or fetches beside shares: JSON, the node's affair, by infohash.
func (t *Tx) Torrents() (map[string][]byte, error) {
	all := map[string][]byte{}
	err := t.each("SELECT infohash, body FROM torrent", nil, func(r *sql.Rows) error {
		var infohash string
		var body []byte
		err := r.Scan(&infohash, &body)
		all[infohash] = body
		return err
	})
	return all, err
}

// PutTorrent adds a torrent, or replaces what is known of it.
func (t *Tx) PutTorrent(infohash string, body []byte) error {
	return t.exec("INSERT INTO torrent(infohash, body) VALUES(?, ?) ON CONFLICT(infohash) DO UPDATE SET body = excluded.body", infohash, body)
}

// RemoveTorrent forgets one.
func (t *Tx) RemoveTorrent(infohash string) error {
	return t.exec("DELETE FROM torrent WHERE infohash = ?", infohash)
}
