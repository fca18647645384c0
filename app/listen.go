package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// listen opens the listener. listen replaces the socket file of a dead server; the socket file of a
// running server is an error.
func (s service) listen(ctx context.Context) (net.Listener, error) {
	name, address := s.name, s.address
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		l, err := new(net.ListenConfig).Listen(ctx, s.network, address)
		return l, explainListen(name, address, err)
	}
	if len(path) > maxSocketPath {
		return nil, explainListen(name, address, fmt.Errorf("the path of a socket may have %d octets at most", maxSocketPath))
	}
	if err := removeStaleSocket(ctx, path); err != nil {
		return nil, explainListen(name, address, err)
	}
	l, err := listenUnix(ctx, path, s.mode)
	return l, explainListen(name, address, err)
}

// unixListener is a listener on a unix socket.
type unixListener struct {
	*net.UnixListener
	path string
	file fs.FileInfo // the socket made by this listener
}

// listenUnix makes a socket with a mode, whatever the umask: in a folder that nobody else can open, until the socket has its mode.
// A path that is too long for the folder is made in its place.
func listenUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	removeLeftSockets(filepath.Dir(path))
	private, err := os.MkdirTemp(filepath.Dir(path), privatePrefix) // mode 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	made := filepath.Join(private, privateSocket)
	if len(made) > maxSocketPath {
		made = path
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", made)
	if err != nil {
		return nil, err
	}
	l := &unixListener{UnixListener: listener.(*net.UnixListener), path: path}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(made, mode); err == nil && made != path {
		err = moveSocket(made, path)
	}
	if err == nil {
		l.file, err = os.Lstat(path)
	}
	if err != nil {
		return nil, errors.Join(err, l.UnixListener.Close(), os.RemoveAll(made))
	}
	return l, nil
}

// Names of the folder in which a socket is made: the prefix of its name, before a decimal number, and its socket.
const (
	privatePrefix = ".s"
	privateSocket = "s"
)

// leftSocketAge is the age from which a folder belongs to no server that starts at the same time.
const leftSocketAge = time.Minute

// removeLeftSockets removes the folders of listenUnix that a killed process has left in a folder: directories of this
// user with the form of their names and their mode, and with nothing but a socket. Whatever cannot be removed stays.
func removeLeftSockets(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // the start goes on, and explains what it needs
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), privatePrefix)
		if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
			continue
		}
		info, err := e.Info()
		if err != nil || info.Mode() != fs.ModeDir|0o700 || !isOwn(info) || time.Since(info.ModTime()) < leftSocketAge {
			continue
		}
		private := filepath.Join(dir, e.Name())
		inside, err := os.ReadDir(private)
		if err != nil || len(inside) > 1 || len(inside) == 1 && (inside[0].Name() != privateSocket || inside[0].Type() != fs.ModeSocket) {
			continue
		}
		if len(inside) == 1 && os.Remove(filepath.Join(private, privateSocket)) != nil {
			continue
		}
		_ = os.Remove(private) // fails if the folder is no longer empty
	}
}

// isOwn reports whether a file belongs to the user of this process.
func isOwn(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}

// moveSocket gives a socket its path. Errors: EADDRINUSE if the path exists.
func moveSocket(made, path string) error {
	err := os.Link(made, path) // a rename would replace the socket of a server that starts at the same time
	if errors.Is(err, fs.ErrExist) {
		return syscall.EADDRINUSE
	}
	if err != nil { // a file system without links
		err = os.Rename(made, path)
	}
	return err
}

// Addr returns the address with the path of the socket.
func (l *unixListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close removes the socket too, unless a different server has replaced the socket.
func (l *unixListener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
		if err := os.Remove(l.path); err != nil {
			return errors.Join(err, l.UnixListener.Close())
		}
	}
	return l.UnixListener.Close()
}

// maxSocketPath is the longest path of a unix socket on Linux, in octets.
const maxSocketPath = 107

// errSocketServed: another process answers on a unix socket.
var errSocketServed = errors.New("another process is listening there")

func removeStaleSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("%s exists already and is not a socket", path)
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		c.Close()
		return errSocketServed
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return err
}

// explainListen makes an ErrListen of an error. Nil stays nil.
func explainListen(name, address string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s %w on %s: another process does already, or another listen address here", name, ErrListen, address)
	case errors.Is(err, syscall.EACCES) && !strings.HasPrefix(address, "unix:"):
		return fmt.Errorf("%s %w on %s: permission denied (ports below 1024 need a privilege, such as CAP_NET_BIND_SERVICE)", name, ErrListen, address)
	}
	return fmt.Errorf("%s %w on %s: %w", name, ErrListen, address, err)
}
