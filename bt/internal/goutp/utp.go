// Package utp stands in for github.com/anacrolix/go-utp, which anacrolix/torrent imports and the module registry does
// not serve. It offers the same names over github.com/anacrolix/utp, a pure Go uTP (BEP 29). When go-utp can be had,
// this module and the replace line in shoal's go.mod go away.
package utp

import (
	"context"
	"log/slog"
	"net"

	"github.com/anacrolix/utp"
)

// Default names the implementation, for error messages.
const Default = "anacrolix/utp"

// A FirewallCallback says whether packets of an unknown peer are to be dropped.
type FirewallCallback func(net.Addr) (block bool)

// An Option configures a Socket.
type Option func()

// WithLogger is accepted and ignored: the implementation does not log.
func WithLogger(*slog.Logger) Option { return func() {} }

// Socket is a packet socket that also carries uTP connections.
type Socket interface {
	net.PacketConn
	Accept() (net.Conn, error)
	Addr() net.Addr
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	SetFirewallCallback(FirewallCallback)
}

// socket adds to a utp.Socket what the interface asks for and it does not have.
type socket struct{ *utp.Socket }

// SetFirewallCallback does nothing: torrent's own accept loop makes the same check after the handshake.
func (socket) SetFirewallCallback(FirewallCallback) {}

// NewSocket opens a packet socket at addr of network, udp4 or udp6.
func NewSocket(network, addr string, _ ...Option) (Socket, error) {
	s, err := utp.NewSocket(network, addr)
	if err != nil {
		return nil, err
	}
	return socket{s}, nil
}

// NewSocketFromPacketConn runs uTP over a packet socket the caller made, and closes it in the end.
func NewSocketFromPacketConn(pc net.PacketConn, _ ...Option) (Socket, error) {
	s, err := utp.NewSocketFromPacketConn(pc)
	if err != nil {
		return nil, err
	}
	return socket{s}, nil
}
