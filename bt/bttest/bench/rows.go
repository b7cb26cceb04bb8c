package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// errNotIts says that a client has no part in a row.
var errNotIts = errors.New("not measured")

// twoCores is shown beside the clients that hash.
const twoCores = "two cores"

var rows = []row{
	{"leech", "one leecher, one fast seeder, to tmpfs", func(b *bench, ctx context.Context, c client) (usage, error) {
		return b.leech(ctx, c, b.mem, "large", b.size, 1)
	}, (*bench).large},
	{"disk", "the same, to a disk", func(b *bench, ctx context.Context, c client) (usage, error) {
		return b.leech(ctx, c, b.disk, "large", b.size, 1)
	}, (*bench).large},
	{"four", "one leecher, four seeders, to tmpfs", func(b *bench, ctx context.Context, c client) (usage, error) {
		return b.leech(ctx, c, b.mem, "large", b.size, 4)
	}, (*bench).large},
	{"small", "64 MiB, from start to exit", func(b *bench, ctx context.Context, c client) (usage, error) {
		return b.leech(ctx, c, b.mem, "small", smallSize, 1)
	}, func(*bench) int64 { return smallSize }},
	{"eight", "eight leechers at once, one fast seeder; memory and cpu of all eight", (*bench).eight, func(b *bench) int64 { return 8 * b.partSize() }},
	{"seed", "seeding to a leecher that discards", (*bench).seed, (*bench).large},
	{"check", "hash check of what is on tmpfs; two cores of SHA-1 for comparison", (*bench).check, (*bench).large},
	{"start", "shoal version and metainfo, mktorrent -h and transmission-show", nil, nil},
}

func (b *bench) large() int64 { return b.size }

func rowNames() []string {
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
	}
	for _, w := range works {
		names = append(names, w.name)
	}
	return names
}

// seeders starts fast seeders, which dial the addresses given, and returns theirs.
func (b *bench) seeders(ctx context.Context, n int, torrent string, dial ...string) (addrs []string, stop func(), err error) {
	var all []*process
	stop = func() {
		for _, p := range all {
			p.kill()
			<-p.done
		}
	}
	for i := range n {
		// Some clients take one connection from each address.
		host := fmt.Sprintf("127.0.0.%d", 1+i)
		p, err := start(ctx, exec.Command("/proc/self/exe", "fastseed", "-torrent", torrent, "-listen", host+":0", "-dial", strings.Join(dial, ","), "-from", host))
		if err != nil {
			stop()
			return nil, nil, err
		}
		all = append(all, p)
		select {
		case l := <-p.lines:
			addrs = append(addrs, strings.TrimPrefix(l, "listening "))
		case <-ctx.Done():
			stop()
			return nil, nil, ctx.Err()
		}
	}
	return addrs, stop, nil
}

// freePort is one below those that the kernel hands out.
func freePort() int {
	for {
		port := 10000 + rand.IntN(20000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
}

// leech measures one download from n seeders, and checks what arrived.
func (b *bench) leech(ctx context.Context, c client, dir, torrent string, size int64, n int) (usage, error) {
	dir, err := os.MkdirTemp(dir, c.name)
	if err != nil {
		return usage{}, err
	}
	defer os.RemoveAll(dir)
	j := job{torrent: b.torrent(torrent), dir: dir, port: freePort()}
	var dial []string
	if c.dialed {
		dial = []string{fmt.Sprintf("127.0.0.1:%d", j.port)}
	}
	addrs, stop, err := b.seeders(ctx, n, j.torrent, dial...)
	if err != nil {
		return usage{}, err
	}
	defer stop()
	if !c.dialed {
		j.peers = addrs
	}
	p, err := start(ctx, c.leech(j))
	if err != nil {
		return usage{}, err
	}
	u, err := p.finish(ctx, c.done)
	if err != nil {
		return u, err
	}
	return u, checkPattern(filepath.Join(dir, "payload"), size)
}

// eight measures eight downloads at once from one seeder: the time of the slowest, the rest of all.
func (b *bench) eight(ctx context.Context, c client) (total usage, err error) {
	dir, err := os.MkdirTemp(b.mem, c.name)
	if err != nil {
		return usage{}, err
	}
	defer os.RemoveAll(dir)
	torrent := b.torrent("part")
	jobs := make([]job, 8)
	var dial []string
	for i := range jobs {
		jobs[i] = job{torrent: torrent, dir: filepath.Join(dir, fmt.Sprint(i)), port: freePort()}
		if err := os.Mkdir(jobs[i].dir, 0o755); err != nil {
			return usage{}, err
		}
		if c.dialed {
			dial = append(dial, fmt.Sprintf("127.0.0.1:%d", jobs[i].port))
		}
	}
	addrs, stop, err := b.seeders(ctx, 1, torrent, dial...)
	if err != nil {
		return usage{}, err
	}
	defer stop()
	var wait sync.WaitGroup
	var mu sync.Mutex // guards total and err
	for _, j := range jobs {
		if !c.dialed {
			j.peers = addrs
		}
		wait.Go(func() {
			u, e := b.one(ctx, c, j)
			mu.Lock()
			defer mu.Unlock()
			total, err = total.add(u), errors.Join(err, e)
		})
	}
	wait.Wait()
	return total, err
}

func (b *bench) one(ctx context.Context, c client, j job) (usage, error) {
	p, err := start(ctx, c.leech(j))
	if err != nil {
		return usage{}, err
	}
	u, err := p.finish(ctx, c.done)
	if err != nil {
		return u, err
	}
	return u, checkPattern(filepath.Join(j.dir, "payload"), b.partSize())
}

// payload writes the data of the large torrent where a client will find it.
func (b *bench) payload(c client) (dir string, err error) {
	if dir, err = os.MkdirTemp(b.mem, c.name); err != nil {
		return "", err
	}
	return dir, writePattern(filepath.Join(dir, "payload"), b.size)
}

// seed measures seeding, not the check that comes before it.
func (b *bench) seed(ctx context.Context, c client) (usage, error) {
	if c.seed == nil {
		return usage{}, errNotIts
	}
	dir, err := b.payload(c)
	if err != nil {
		return usage{}, err
	}
	defer os.RemoveAll(dir)
	j := job{torrent: b.torrent("large"), dir: dir, port: freePort()}
	p, err := start(ctx, c.seed(j))
	if err != nil {
		return usage{}, err
	}
	defer func() { p.kill(); <-p.done }()
	if err := p.waitLine(ctx, c.ready); err != nil {
		return usage{}, err
	}
	before := p.cpuSoFar()
	out, err := exec.CommandContext(ctx, "/proc/self/exe", "discard", "-torrent", j.torrent, "-peer", fmt.Sprintf("127.0.0.1:%d", j.port)).Output()
	if err != nil {
		return usage{}, fmt.Errorf("discarding: %w\n%s", err, p.output())
	}
	var result struct{ Seconds float64 }
	if err := json.Unmarshal(out, &result); err != nil {
		return usage{}, err
	}
	u := usage{seconds: result.Seconds, cpu: p.cpuSoFar() - before}
	p.note()
	p.mu.Lock()
	defer p.mu.Unlock()
	u.rss, u.private = p.rss, p.private
	return u, nil
}

func (b *bench) check(ctx context.Context, c client) (usage, error) {
	if c.check == nil && c.name != twoCores {
		return usage{}, errNotIts
	}
	dir, err := b.payload(c)
	if err != nil {
		return usage{}, err
	}
	defer os.RemoveAll(dir)
	if c.name == twoCores {
		return sha1OfFile(filepath.Join(dir, "payload"))
	}
	p, err := start(ctx, c.check(job{torrent: b.torrent("large"), dir: dir, port: freePort()}))
	if err != nil {
		return usage{}, err
	}
	return p.finish(ctx, c.done)
}
