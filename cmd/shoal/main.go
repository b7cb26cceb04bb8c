// Command shoal downloads, inspects, creates and serves torrents, and keeps encrypted shares in step.
package main

import _ "github.com/anacrolix/torrent"

func main() {}
