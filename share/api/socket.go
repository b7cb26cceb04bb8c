package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"shoal/bt"
)

// ErrNoNode says that no node runs on a state folder.
var ErrNoNode = errors.New("no node runs")

const (
	socketName = "node.sock"
	recordName = "node.socket" // says where the socket is, when it is elsewhere
	maxRecord  = 4 << 10
)

// maxSocketPath is how long the path of a socket may be in bytes: 107 on Linux, 103 on others.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// Listen opens the control socket of the state folder home, and removes one that nobody answers at. It is in home or,
// where its path would be too long, in a folder of its own in temp, which home records. Only this user may connect.
// The caller holds the lock of home: two that listen at once could take each other's sockets away.
func Listen(ctx context.Context, home, temp string) (net.Listener, error) {
	home, err := filepath.Abs(home)
	if err != nil {
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	path, err := makePlace(home, temp)
	if err != nil {
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	if err := clearSocket(ctx, path); err != nil {
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the control socket: %w", err), l.Close())
	}
	return ownListener{l.(*net.UnixListener)}, nil
}

// makePlace is the path for the socket, its folder made.
func makePlace(home, temp string) (string, error) {
	record := filepath.Join(home, recordName)
	if path := filepath.Join(home, socketName); len(path) <= maxSocketPath {
		if err := os.Remove(record); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		return path, nil
	}
	if path, err := readRecord(home); err == nil {
		return path, nil // of a node that was killed
	}
	dir, err := os.MkdirTemp(temp, "shoal-") // 0700
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(filepath.Join(dir, socketName))
	if err == nil && len(path) > maxSocketPath {
		err = Errorf(bt.Failed, "the path of the state folder is too long for a socket, and so is that of %s", temp)
	}
	if err == nil {
		err = os.WriteFile(record, []byte(path+"\n"), 0o600)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(dir))
	}
	return path, nil
}

// readRecord is the path that home records. Its folder must be ours alone: anybody may put one into TMPDIR.
func readRecord(home string) (string, error) {
	f, err := os.Open(filepath.Join(home, recordName))
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return "", err
	}
	path := strings.TrimSuffix(string(b), "\n")
	if !filepath.IsAbs(path) || len(path) > maxSocketPath || filepath.Base(path) != socketName {
		return "", fmt.Errorf("reading %s: not the path of a socket", f.Name())
	}
	info, err := os.Lstat(filepath.Dir(path))
	switch {
	case err != nil:
		return "", err
	case !info.IsDir() || info.Mode().Perm() != 0o700 || !isOurs(info):
		return "", Errorf(bt.Permission, "%s is not ours alone", filepath.Dir(path))
	}
	return path, nil
}

// clearSocket removes a socket that nobody answers at.
func clearSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return Errorf(bt.Exists, "%s is there, and no socket", path)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		conn.Close()
		return Errorf(bt.Busy, "a node answers at %s already", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return err
}

// socketOf is the path of the socket of a state folder.
func socketOf(home string) (string, error) {
	home, err := filepath.Abs(home)
	if err != nil {
		return "", err
	}
	if path := filepath.Join(home, socketName); len(path) <= maxSocketPath {
		return path, nil
	}
	return readRecord(home)
}

// dialSocket connects to the node of a state folder; ErrNoNode when there is none.
func dialSocket(ctx context.Context, home string) (net.Conn, error) {
	path, err := socketOf(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoNode
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the node: %w", err)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNoNode
	case err != nil:
		return nil, fmt.Errorf("connecting to the node: %w", err)
	}
	if !sameUser(conn) {
		conn.Close()
		return nil, Errorf(bt.Permission, "the node at %s is another user's", path)
	}
	return conn, nil
}

// ownListener accepts who is the same user.
type ownListener struct{ *net.UnixListener }

func (l ownListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.UnixListener.Accept()
		if err != nil || sameUser(conn) {
			return conn, err
		}
		conn.Close()
	}
}
