package bt_test

import (
	"path/filepath"
	"testing"
	"time"

	"shoal/bt"
	"shoal/bt/bttest"
)

// What libtorrent and aria2 allow, as options of theirs.
var (
	onlyRC4   = []string{"in_enc_policy=0", "out_enc_policy=0", "allowed_enc_level=2"}
	onlyPlain = []string{"in_enc_policy=2", "out_enc_policy=2"}
	either    = []string{"in_enc_policy=1", "out_enc_policy=1", "allowed_enc_level=3"}
)

// Each mode meets who can only be met in one way, as the one who dials and as the one who is dialled.
func TestRealEncryption(t *testing.T) {
	t.Parallel()
	bttest.Need(t, "libtorrent", "aria2c")
	libtorrent := func(settings []string) func(*testing.T, string, string, string) *bttest.Client {
		return func(t *testing.T, torrent, dir, peer string) *bttest.Client {
			return bttest.LibtorrentWith(t, torrent, dir, peer, settings...)
		}
	}
	aria2 := func(t *testing.T, torrent, dir, peer string) *bttest.Client {
		options := []string{"--bt-require-crypto=true", "--bt-min-crypto-level=arc4", "--check-integrity=true"}
		if peer != "" {
			options = append(options, "--bt-tracker="+bttest.PeerList(t, peer))
		}
		return bttest.Aria2With(t, torrent, dir, options...)
	}
	require, prefer, off := bt.EncryptionRequire, bt.EncryptionPrefer, bt.EncryptionOff
	tests := []struct {
		name  string
		start func(t *testing.T, torrent, dir, peer string) *bttest.Client
		meet  map[bt.Encryption]bool
	}{
		{"libtorrent RC4", libtorrent(onlyRC4), map[bt.Encryption]bool{require: true, prefer: true, off: false}},
		{"libtorrent plain", libtorrent(onlyPlain), map[bt.Encryption]bool{require: false, prefer: true, off: true}},
		{"libtorrent either", libtorrent(either), map[bt.Encryption]bool{require: true, prefer: true, off: true}},
		{"aria2 RC4", aria2, map[bt.Encryption]bool{require: true, prefer: true, off: false}},
	}
	for _, tt := range tests {
		for mode, meet := range tt.meet {
			t.Run(tt.name+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				m, torrent, path := single(t, 200_000, bt.CreateOptions{})
				seed := tt.start(t, torrent, filepath.Dir(path), "")
				seed.WaitComplete(t)
				if !meet {
					_, err := session(t, bt.Config{Encryption: mode}).Download(t.Context(), source(t, torrent),
						bt.DownloadOptions{Dir: t.TempDir(), Peers: []string{seed.Addr}, StallTimeout: 3 * time.Second})
					if bt.CodeOf(err) != bt.NoPeers {
						t.Errorf("met nevertheless: %v", err)
					}
					return
				}
				download(t, session(t, bt.Config{Encryption: mode}), torrent, path, bt.DownloadOptions{Peers: []string{seed.Addr}})
				c := session(t, bt.Config{Encryption: mode})
				seeded(t, c, m, copied(t, path), bt.SeedOptions{})
				got := t.TempDir()
				tt.start(t, torrent, got, c.Addr().String()).WaitComplete(t)
				bttest.CompareTrees(t, filepath.Join(got, "song.bin"), path)
			})
		}
	}
}
