// Command bench measures BitTorrent clients on loopback. It brings its own ends: a seeder that neither hashes nor
// stores (fastseed) and a leecher that throws away what it gets (discard), so that the client under test is the
// bottleneck; and drivers that run shoal and other people's programs in turn: clients (run), and what keeps two folders
// equal (share).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

type command struct {
	name, about string
	run         func(ctx context.Context, args []string) error
}

var commands = []command{
	{"make", "write a .torrent of patterned data, and the data if asked", runMake},
	{"fastseed", "seed patterned data as fast as the kernel sends", runFastseed},
	{"discard", "download everything from a peer and throw it away", runDiscard},
	{"run", "measure shoal and other clients in turn", runRun},
	{"share", "measure shoal and other programs that keep two folders equal", runShare},
	{"annex", "measure git-annex with shoal, and with the remote for torrents that it has", runAnnex},
	{"once", "run a program and print seconds, processor seconds and resident bytes", runOnce},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		for _, c := range commands {
			if c.name != os.Args[1] {
				continue
			}
			err := c.run(ctx, os.Args[2:])
			if err == flag.ErrHelp {
				os.Exit(2)
			}
			if err != nil {
				fmt.Fprintf(os.Stderr, "bench: %s: %v\n", c.name, err)
				os.Exit(1)
			}
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: bench COMMAND [flags]; -h after a command lists its flags")
	for _, c := range commands {
		fmt.Fprintf(os.Stderr, "  %-9s %s\n", c.name, c.about)
	}
	os.Exit(2)
}
