package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"shoal/bt/bttest/internal/libtorrent"
)

// A client is a program under test.
type client struct {
	name string
	// leech downloads, and ends or prints done when everything is on disk. A client that cannot be told a peer listens
	// on port and is dialled.
	leech  func(j job) *exec.Cmd
	dialed bool
	done   string // what leech, check and seed print when they have everything; "" = leech and check end by themselves
	seed   func(j job) *exec.Cmd
	ready  string // what seed prints when it can serve
	check  func(j job) *exec.Cmd
}

// A job is what a client has to do.
type job struct {
	torrent string
	dir     string
	peers   []string
	port    int // to listen on
}

func shoal(path string) client {
	args := func(j job, more ...string) *exec.Cmd {
		args := append([]string{"download", "--no-dht", "--no-trackers", "--listen", "127.0.0.1", "-d", j.dir}, more...)
		for _, p := range j.peers {
			args = append(args, "--peer", p)
		}
		cmd := exec.Command(path, append(args, j.torrent)...)
		cmd.Env = append(os.Environ(), "SHOAL_HOME="+filepath.Join(filepath.Dir(j.torrent), "home"), "HOME="+filepath.Dir(j.torrent))
		return cmd
	}
	return client{
		name:  "shoal",
		leech: func(j job) *exec.Cmd { return args(j, "-q") },
		seed:  func(j job) *exec.Cmd { return args(j, "--json", "--seed", "--port", fmt.Sprint(j.port)) },
		ready: `"results"`,
		check: func(j job) *exec.Cmd { return args(j, "-q", "--check") },
	}
}

// shoalServe is the other command that seeds.
func shoalServe(path string) client {
	return client{
		name: "shoal serve",
		seed: func(j job) *exec.Cmd {
			cmd := exec.Command(path, "serve", "--no-dht", "--no-trackers", "--listen", "127.0.0.1", "--json", "-d", j.dir, "--port", fmt.Sprint(j.port), j.torrent)
			cmd.Env = append(os.Environ(), "SHOAL_HOME="+filepath.Join(filepath.Dir(j.torrent), "home"), "HOME="+filepath.Dir(j.torrent))
			return cmd
		},
		ready: `"serving"`,
	}
}

func libtorrentClient() client {
	run := func(j job) *exec.Cmd {
		return libtorrent.Command("run", j.torrent, j.dir, strings.Join(j.peers, ","),
			fmt.Sprintf("listen_interfaces=127.0.0.1:%d", j.port), "out_enc_policy=2", "in_enc_policy=2")
	}
	// It dials only at its next tick, up to half a second later: to be fair to it, it is dialled.
	return client{name: "libtorrent", leech: run, dialed: true, done: "complete", seed: run, ready: "complete", check: run}
}

func aria2() client {
	run := func(j job, more ...string) *exec.Cmd {
		return exec.Command("aria2c", append([]string{
			"--no-conf", "--dir=" + j.dir, fmt.Sprint("--listen-port=", j.port), "--interface=127.0.0.1", "--disable-ipv6=true",
			"--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false",
			"--file-allocation=none", "--show-console-readout=false", "--summary-interval=0", "--enable-color=false", j.torrent,
		}, more...)...)
	}
	return client{
		name:   "aria2",
		leech:  func(j job) *exec.Cmd { return run(j, "--seed-time=0") },
		dialed: true,
		seed:   func(j job) *exec.Cmd { return run(j, "--seed-ratio=0.0", "--bt-seed-unverified=true") },
		ready:  "listening on TCP port",
		check:  func(j job) *exec.Cmd { return run(j, "--check-integrity=true", "--hash-check-only=true") },
	}
}

// transmission-cli never ends by itself.
func transmission() client {
	return client{
		name: "transmission",
		leech: func(j job) *exec.Cmd {
			return exec.Command("transmission-cli", "-g", j.dir+".config", "-w", j.dir, "-p", fmt.Sprint(j.port), "-M", "-et", j.torrent)
		},
		dialed: true,
		done:   `State changed from "Incomplete" to "Complete"`,
	}
}

// installed are the clients that can run here.
func installed(shoalPath string, names []string) []client {
	var found []client
	for _, name := range names {
		var err error
		var c client
		switch name {
		case "shoal":
			if shoalPath == "" {
				continue
			}
			c = shoal(shoalPath)
		case "serve":
			if shoalPath == "" {
				continue
			}
			c = shoalServe(shoalPath)
		case "libtorrent":
			c, err = libtorrentClient(), libtorrent.Available()
		case "aria2":
			c = aria2()
			_, err = exec.LookPath("aria2c")
		case "transmission":
			c = transmission()
			_, err = exec.LookPath("transmission-cli")
		default:
			err = fmt.Errorf("no such client")
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: leaving out %s: %v\n", name, err)
			continue
		}
		found = append(found, c)
	}
	return found
}
