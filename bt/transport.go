package bt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A transport is the one place where sockets come from, so that Listen, Interface, Proxy and LANOnly of Config hold
// for each of them. It fails closed: a socket that cannot be made the way Config wants is an error (Network), never
// one made another way. That goes for name lookups too: with an interface they use it, with a proxy the proxy does
// them.
type transport struct {
	policy    *policy
	log       *slog.Logger
	userAgent string
	port      int
	listenIP  netip.Addr // not valid: all addresses
	device    string     // "" = any
	deviceErr error      // why device cannot be bound to; then its addresses are
	proxy     *proxyServer
	lanOnly   bool
	noLocal   bool
}

const dialTimeout = 20 * time.Second

// newTransport checks what of cfg is about sockets. An error is of class Usage or, for an interface or address that
// is not there, Network.
func newTransport(cfg Config) (*transport, error) {
	t := &transport{policy: newPolicy(cfg), log: cfg.Logger, userAgent: cfg.UserAgent, port: cfg.Port,
		device: cfg.Interface, lanOnly: cfg.LANOnly, noLocal: cfg.NoLocal}
	if t.lanOnly && t.noLocal {
		return nil, errorf(Usage, "only local addresses and none of them exclude each other")
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if t.userAgent == "" {
		t.userAgent = "shoal"
	}
	if cfg.Port < 0 || cfg.Port > 65535 {
		return nil, errorf(Usage, "checking port %d: want 0 to 65535", cfg.Port)
	}
	if cfg.Listen != "" {
		a, err := netip.ParseAddr(strings.Trim(cfg.Listen, "[]"))
		if err != nil {
			return nil, errorf(Usage, "checking listen address %q: want an IP address", cfg.Listen)
		}
		t.listenIP = a.Unmap()
	}
	if cfg.Proxy != "" {
		p, err := parseProxy(cfg.Proxy)
		if err != nil {
			return nil, err
		}
		if cfg.LANOnly {
			return nil, errorf(Usage, "checking proxy: only local addresses and a proxy exclude each other")
		}
		t.proxy = p
	}
	if t.device != "" {
		if err := t.checkDevice(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// checkDevice finds out how sockets can be kept on the interface.
func (t *transport) checkDevice() error {
	addrs, err := deviceAddrs(t.device)
	if err != nil {
		return err
	}
	t.deviceErr = probeDevice(t.device)
	if t.deviceErr == nil {
		return nil
	}
	t.log.Warn("binding to the addresses of the interface only", "interface", t.device, "err", t.deviceErr)
	if len(addrs) == 0 {
		return errorf(Network, "using interface %s: it has no address", t.device)
	}
	if t.listenIP.IsValid() && !t.listenIP.IsUnspecified() && !slices.Contains(addrs, t.listenIP) {
		return errorf(Network, "using interface %s: %s is not its address", t.device, t.listenIP)
	}
	return nil
}

// deviceAddrs are the addresses that a network interface has now.
func deviceAddrs(name string) (addrs []netip.Addr, err error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, errorf(Network, "using interface %s: %w", name, err)
	}
	list, err := ifi.Addrs()
	if err != nil {
		return nil, errorf(Network, "using interface %s: %w", name, err)
	}
	for _, l := range list {
		if p, err := netip.ParsePrefix(l.String()); err == nil {
			a := p.Addr().Unmap()
			if a.IsLinkLocalUnicast() && a.Is6() {
				a = a.WithZone(name)
			}
			addrs = append(addrs, a)
		}
	}
	// Link-local ones last, IPv4 first: the first is the one that most others can reach.
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return addrRank(a) - addrRank(b) })
	return addrs, nil
}

func addrRank(a netip.Addr) (rank int) {
	if a.Is6() {
		rank++
	}
	if a.IsLinkLocalUnicast() {
		rank += 2
	}
	return rank
}

// noUDP reports whether everything over UDP is off: DHT, local discovery, uTP and UDP trackers cannot go through a
// proxy.
func (t *transport) noUDP() bool { return t.proxy != nil }

// source is the address that sockets of a network ("tcp", "udp6") are bound to, not valid when any will do.
func (t *transport) source(network string) (netip.Addr, error) {
	fits := func(a netip.Addr) bool {
		return !(strings.HasSuffix(network, "4") && !a.Is4()) && !(strings.HasSuffix(network, "6") && !a.Is6())
	}
	if a := t.listenIP; a.IsValid() && !a.IsUnspecified() {
		if !fits(a) {
			return a, errorf(Network, "making %s socket: listen address %s is of the other family", network, a)
		}
		return a, nil
	}
	if t.device == "" || t.deviceErr == nil {
		return netip.Addr{}, nil
	}
	addrs, err := deviceAddrs(t.device)
	if err != nil {
		return netip.Addr{}, err
	}
	if i := slices.IndexFunc(addrs, fits); i >= 0 {
		return addrs[i], nil
	}
	return netip.Addr{}, errorf(Network, "making %s socket: interface %s has no such address", network, t.device)
}

// control prepares a socket before it is bound or connected.
func (t *transport) control(_, _ string, c syscall.RawConn) error {
	if t.device == "" || t.deviceErr != nil {
		return nil
	}
	var err error
	if e := c.Control(func(fd uintptr) { err = bindToDevice(fd, t.device) }); e != nil {
		return e
	}
	if err != nil {
		return errorf(Network, "binding to interface %s: %w", t.device, err)
	}
	return nil
}

// resolver looks names up under the same rules as everything else.
func (t *transport) resolver() *net.Resolver {
	if t.device == "" && !t.lanOnly {
		return net.DefaultResolver
	}
	return t.resolverBy(nil)
}

// localResolver asks name servers at local addresses alone.
func (t *transport) localResolver() *net.Resolver {
	return t.resolverBy(func(a netip.Addr) error {
		if !isLocal(a) {
			return errorf(Network, "asking the name server %s: only local addresses are allowed", a)
		}
		return nil
	})
}

func (t *transport) resolverBy(check func(netip.Addr) error) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return t.direct(ctx, network, addr, check)
	}}
}

// direct connects without the proxy; check, when given, has the last word on each address.
func (t *transport) direct(ctx context.Context, network, addr string, check func(netip.Addr) error) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: -1}
	if host, _, err := net.SplitHostPort(addr); err == nil {
		if _, err := netip.ParseAddr(host); err != nil {
			d.Resolver = t.resolver()
		}
	}
	from, err := t.source(network)
	if err != nil {
		return nil, err
	}
	if from.IsValid() {
		local := netip.AddrPortFrom(from, 0)
		d.LocalAddr = net.TCPAddrFromAddrPort(local)
		if strings.HasPrefix(network, "udp") {
			d.LocalAddr = net.UDPAddrFromAddrPort(local)
		}
	}
	d.ControlContext = func(_ context.Context, network, address string, c syscall.RawConn) error {
		// Names are resolved by now, so nothing can be smuggled past the checks by a name server.
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if t.lanOnly && !isLocal(to.Addr()) {
			return errorf(Network, "connecting to %s: only local addresses are allowed", address)
		}
		if check != nil {
			if err := check(to.Addr()); err != nil {
				return err
			}
		}
		return t.control(network, address, c)
	}
	return d.DialContext(ctx, network, addr)
}

// dial connects to host:port over TCP, through the proxy when there is one.
func (t *transport) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return t.dialChecked(ctx, network, addr, nil)
}

func (t *transport) dialChecked(ctx context.Context, network, addr string, check func(netip.Addr) error) (net.Conn, error) {
	if !strings.HasPrefix(network, "tcp") {
		return nil, errorf(Network, "connecting to %s: %s is not dialled", addr, network)
	}
	if t.proxy == nil {
		return t.direct(ctx, network, addr, check)
	}
	if host, _, err := net.SplitHostPort(addr); err == nil && check != nil {
		// The proxy resolves names, so all that can be judged here is what is plain from the text.
		a, err := netip.ParseAddr(host)
		if err != nil && isLocalName(host) {
			a = netip.IPv6Loopback()
		}
		if a.IsValid() {
			if err := check(a); err != nil {
				return nil, err
			}
		}
	}
	return t.proxy.dial(ctx, t.direct, addr)
}

// checkServer says whether a server that a torrent names may be at a.
func (t *transport) checkServer(a netip.Addr) error {
	if t.noLocal && (isLocal(a) || isInner(a)) {
		return errLocal(a.String())
	}
	return nil
}

func errLocal(addr string) error {
	return errorf(Network, "connecting to %s: local addresses are not allowed", addr)
}

// dialPeer connects to a peer, if the policy lets it.
func (t *transport) dialPeer(ctx context.Context, network, addr string) (net.Conn, error) {
	return t.dialChecked(ctx, network, addr, func(a netip.Addr) error {
		if t.noLocal && a.Unmap().IsLoopback() {
			return errLocal(addr)
		}
		if why := t.policy.refuses(a); why != "" {
			return errorf(Network, "connecting to %s: %s", addr, why)
		}
		return nil
	})
}

// listen opens the session's port: TCP, and with wantUDP the UDP port of the same number. With a proxy nobody could
// come in without avoiding it, so both are nil.
func (t *transport) listen(ctx context.Context, wantUDP bool) (net.Listener, net.PacketConn, error) {
	if t.proxy != nil {
		return nil, nil, nil
	}
	for try := 0; ; try++ {
		l, pc, err := t.listenPair(ctx, wantUDP)
		// The system chose a port whose UDP side somebody else has: another one will do.
		if err != nil && t.port == 0 && errors.Is(err, syscall.EADDRINUSE) && try < 20 {
			continue
		}
		if err != nil {
			return nil, nil, errorf(Network, "listening: %w", err).withHint(t.listenHint(err))
		}
		return l, pc, nil
	}
}

func (t *transport) listenHint(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) && t.port != 0 {
		return fmt.Sprintf("port %d is taken; port 0 takes any that is free", t.port)
	}
	return ""
}

func (t *transport) listenPair(ctx context.Context, wantUDP bool) (net.Listener, net.PacketConn, error) {
	host, err := t.bindHost()
	if err != nil {
		return nil, nil, err
	}
	lc := net.ListenConfig{Control: t.control, KeepAlive: -1}
	l, err := lc.Listen(ctx, "tcp"+t.family(), net.JoinHostPort(host, strconv.Itoa(t.port)))
	if err != nil || !wantUDP {
		return l, nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	pc, err := lc.ListenPacket(ctx, "udp"+t.family(), net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	return l, pc, nil
}

// family is "4" or "6" when the addresses to listen on are all of one.
func (t *transport) family() string {
	switch {
	case !t.listenIP.IsValid():
		return ""
	case t.listenIP.Is4():
		return "4"
	}
	return "6"
}

// bindHost is the address to listen on, "" for all.
func (t *transport) bindHost() (string, error) {
	if t.listenIP.IsValid() {
		return t.listenIP.String(), nil
	}
	from, err := t.source("")
	if err != nil || !from.IsValid() {
		return "", err
	}
	return from.String(), nil
}

// listenPacket opens a UDP socket on any port, for "udp4" or "udp6".
func (t *transport) listenPacket(ctx context.Context, network string) (net.PacketConn, error) {
	if t.noUDP() {
		return nil, errorf(Network, "making UDP socket: it cannot go through the proxy")
	}
	from, err := t.source(network)
	if err != nil {
		return nil, err
	}
	host := ""
	if from.IsValid() {
		host = from.String()
	}
	lc := net.ListenConfig{Control: t.control}
	return lc.ListenPacket(ctx, network, net.JoinHostPort(host, "0"))
}
