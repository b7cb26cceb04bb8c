package commands

import (
	"context"
	"net/netip"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"shoal/bt"
)

// networkOptions are the flags that say where bytes come from; every command that meets peers has them.
type networkOptions struct {
	cfg bt.Config

	peers     []string
	trackers  []string
	webseeds  []string
	blocklist string
	allow     []string
	down, up  rateValue
	lpd, upnp *pflag.Flag
}

func (o *networkOptions) register(fs *pflag.FlagSet) {
	o.registerMeeting(fs)
	fs.StringArrayVar(&o.peers, "peer", nil, "ask the peer at `HOST:PORT`, besides those found")
	fs.StringArrayVar(&o.webseeds, "webseed", nil, "fetch from the web server at `URL` too")
	fs.BoolVar(&o.cfg.NoWebseeds, "no-webseeds", false, "do not use the web servers that torrents name")
}

// registerMeeting registers those that do not name where the data of a torrent is.
func (o *networkOptions) registerMeeting(fs *pflag.FlagSet) {
	c := &o.cfg
	o.registerAsking(fs)
	fs.BoolVar(&c.NoDHT, "no-dht", false, "do not use the DHT")
	fs.BoolVar(&c.NoPEX, "no-pex", false, "do not ask peers for peers")
	fs.BoolVar(&c.LPD, "lpd", false, "look for peers in the local network")
	o.lpd = fs.Lookup("lpd")
	fs.BoolVar(&c.UTP, "utp", false, "talk to peers by uTP as well as TCP")
	fs.BoolVar(&c.UPnP, "upnp", false, "ask the router to forward the port")
	o.upnp = fs.Lookup("upnp")
	fs.BoolVar(&c.LANOnly, "lan-only", false, "local addresses only, found by --peer and --lpd: no DHT, no trackers, no port forwarding")
	fs.IntVarP(&c.Port, "port", "p", 0, "listen on port `N`; 0 is any that is free")
	fs.StringVar(&o.blocklist, "blocklist", "", "talk to nobody in `FILE` (P2P, DAT or CIDR lines)")
	fs.StringArrayVar(&o.allow, "allow", nil, "talk only to peers in `CIDR`")
	fs.Var(newChoice(&c.Encryption, bt.EncryptionPrefer, bt.EncryptionRequire, bt.EncryptionOff), "encryption", "obfuscate connections: `require|prefer|off`")
	fs.IntVar(&c.MaxPeers, "max-peers", 0, "talk to `N` peers at once in each torrent; 0 is as many as seems good")
	fs.Var(&o.down, "download-limit", "download no faster than `RATE`; 0 is no limit")
	fs.Var(&o.up, "upload-limit", "upload no faster than `RATE`; 0 is no limit")
}

// registerAsking registers those that also count for a command which only asks trackers and the DHT.
func (o *networkOptions) registerAsking(fs *pflag.FlagSet) {
	c := &o.cfg
	fs.StringArrayVarP(&o.trackers, "tracker", "t", nil, "ask the tracker at `URL`, besides those of the torrent")
	fs.BoolVar(&c.NoTrackers, "no-trackers", false, "do not ask the trackers that torrents name")
	fs.StringArrayVar(&c.DHTNodes, "dht-node", nil, "enter the DHT through `HOST:PORT` instead of the public nodes")
	fs.StringVar(&c.Listen, "listen", "", "listen on, and dial from, the address `ADDR`")
	fs.StringVar(&c.Interface, "interface", "", "use the network interface `NAME` or none")
	fs.StringVarP(&c.Proxy, "proxy", "x", "", "use the proxy at `URL` or nothing; \"none\" is none (default $ALL_PROXY)")
	fs.StringVar(&c.UserAgent, "user-agent", "", "tell web servers and trackers to be `S`")
}

// networkAliases are other spellings of the flags above, as people know them from other programs.
var networkAliases = map[string]string{
	"bt-tracker":         "tracker",
	"limit-rate":         "download-limit",
	"max-download-limit": "download-limit",
	"max-upload-limit":   "upload-limit",
}

// noLPD reports whether nobody is to be looked for in the local network, where that is done without being asked for.
func (o *networkOptions) noLPD() bool { return o.lpd.Changed && !o.cfg.LPD }

// noUPnP reports whether the router is not to be asked for a port, where that is done without being asked for.
func (o *networkOptions) noUPnP() bool { return o.upnp.Changed && !o.cfg.UPnP }

// check looks for what cannot be meant.
func (o *networkOptions) check() error {
	switch {
	case o.cfg.Port < 0 || o.cfg.Port > 65535:
		return usageErrorf("--port %d: there are only ports 0 to 65535", o.cfg.Port)
	case o.cfg.MaxPeers < 0:
		return usageErrorf("--max-peers %d: want a number from 0", o.cfg.MaxPeers)
	}
	o.trackers = splitTrackers(o.trackers)
	return nil
}

// open starts a session by what the flags say.
func (o *networkOptions) open(ctx context.Context, g *globals) (*bt.Client, error) {
	cfg, err := o.config(g)
	if err != nil {
		return nil, err
	}
	return bt.NewClient(ctx, cfg)
}

// config is what the flags mean to the engine.
func (o *networkOptions) config(g *globals) (bt.Config, error) {
	cfg := o.cfg
	cfg.DownloadLimit, cfg.UploadLimit = int64(o.down), int64(o.up)
	cfg.Logger = g.logger()
	switch cfg.Proxy {
	case "":
		cfg.Proxy = firstEnv("ALL_PROXY", "all_proxy")
	case "none":
		cfg.Proxy = ""
	}
	for _, s := range o.allow {
		p, err := parsePrefix(s)
		if err != nil {
			return cfg, usageErrorf("--allow %q: want addresses such as 192.0.2.0/24", s)
		}
		cfg.Allow = append(cfg.Allow, p)
	}
	if o.blocklist == "" {
		return cfg, nil
	}
	f, err := g.open(o.blocklist)
	if err != nil {
		return cfg, &bt.Error{Code: bt.BadInput, Err: err}
	}
	defer f.Close()
	cfg.Blocklist, err = bt.ReadBlocklist(f)
	return cfg, err
}

// sources adds to args the .torrent files that -t may name as well as trackers, and checks what addresses are left:
// one that nobody could ever answer at is a slip, and would be waited for in vain.
func (o *networkOptions) sources(args []string) ([]string, error) {
	var trackers []string
	for _, t := range o.trackers {
		if isTorrentFile(t) {
			args = append(args, t)
			continue
		}
		trackers = append(trackers, t)
	}
	o.trackers = trackers
	for _, list := range []struct {
		flag   string
		values []string
		check  func(string) (string, error)
	}{
		{"peer", o.peers, bt.SanitizePeer},
		{"tracker", o.trackers, bt.SanitizeTracker},
		{"webseed", o.webseeds, bt.SanitizeWebseed},
	} {
		for _, v := range list.values {
			if _, err := list.check(v); err != nil {
				return nil, usageErrorf("--%s: %w", list.flag, err)
			}
		}
	}
	return args, nil
}

// isTorrentFile reports whether the value of -t names a .torrent file rather than a tracker.
func isTorrentFile(s string) bool {
	if strings.Contains(s, "://") {
		return false
	}
	if strings.HasSuffix(s, ".torrent") {
		return true
	}
	info, err := os.Stat(s)
	return err == nil && !info.IsDir()
}

// parsePrefix reads a CIDR prefix, or an address as the prefix of it alone.
func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	return netip.ParsePrefix(s)
}

func firstEnv(names ...string) string {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// splitTrackers splits lists of trackers at the commas between URLs, as aria2 has them. A comma inside a URL is legal,
// hence only those that another scheme follows count.
func splitTrackers(lists []string) []string {
	if !strings.Contains(strings.Join(lists, ""), ",") {
		return lists
	}
	next := regexp.MustCompile(`,\s*[a-zA-Z]+://`)
	var urls []string
	for _, list := range lists {
		for {
			at := next.FindStringIndex(list)
			if at == nil {
				break
			}
			urls, list = append(urls, list[:at[0]]), strings.TrimSpace(list[at[0]+1:])
		}
		urls = append(urls, list)
	}
	return urls
}
