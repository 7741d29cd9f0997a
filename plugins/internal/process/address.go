package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

var (
	errElsewhere = errors.New("it listens outside of its directory")
	errNoSocket  = errors.New("there is no socket")
	errEnded     = errors.New("the process has ended")
)

// HostToPlugin is for brokers in other namespaces.
func (r *run) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// PluginToHost checks the address that a plugin tells: it could name anybody's.
func (r *run) PluginToHost(network, address string) (string, string, error) {
	if err := r.owns(network, address); err != nil {
		return "", "", err
	}
	r.mu.Lock()
	r.network, r.address = network, address
	r.mu.Unlock()
	return network, address, nil
}

// owns checks that an address is a socket in the directory of the plugin, and that no link leads there.
func (r *run) owns(network, address string) error {
	switch {
	case network == "tcp" && runtime.GOOS == "windows":
		if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().IsLoopback() {
			return nil
		}
		return errElsewhere
	case network != "unix", !below(filepath.Clean(address), r.dir):
		return errElsewhere
	}
	info, err := os.Lstat(address)
	if err != nil {
		return fmt.Errorf("%w: %v", errNoSocket, err)
	}
	if info.Mode()&os.ModeSymlink != 0 {
		return errElsewhere
	}
	if info.Mode()&os.ModeSocket == 0 {
		return errNoSocket
	}
	root, err := filepath.EvalSymlinks(r.dir)
	if err != nil {
		return err
	}
	if parent, err := filepath.EvalSymlinks(filepath.Dir(address)); err != nil || parent != root && !below(parent, root) {
		return errElsewhere
	}
	return nil
}

func below(path, dir string) bool { return strings.HasPrefix(path, dir+string(filepath.Separator)) }

// dial connects to the plugin while its process lives: somebody else may hold its socket afterwards.
func (r *run) dial(ctx context.Context, _ string) (net.Conn, error) {
	r.mu.Lock()
	network, address := r.network, r.address
	r.mu.Unlock()
	if r.life.Err() != nil {
		return nil, errEnded
	}
	if err := r.owns(network, address); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	return new(net.Dialer).DialContext(ctx, network, address)
}
