package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
)

const (
	// maxSocketPath is the bytes of a socket's path on the least generous system.
	maxSocketPath = 103
	socketMode    = 0o600
	// stageName is a folder beside the socket in which it is made, so that nobody can connect before its mode is set.
	stageName   = ".adm"
	dialTimeout = 2 * time.Second
)

// socket is a listener on a unix socket that removes its file at the end, unless somebody else has put another there.
type socket struct {
	*net.UnixListener
	path string
	made fs.FileInfo
}

func stagePath(path string) string { return filepath.Join(filepath.Dir(path), stageName, "s") }

func checkSocketPath(path string) error {
	if n := max(len(path), len(stagePath(path))); n > maxSocketPath {
		return hint.New(fmt.Sprintf("admin: the path of the socket is too long by %d bytes: %s", n-maxSocketPath, path), "choose a shorter one, like /run/discv5-host/admin.sock")
	}
	return nil
}

// listenSocket opens a socket in a folder that is there, which only the owner of the process can use. It takes the place of one that a dead host left.
func listenSocket(path string) (*socket, error) {
	if err := checkSocketPath(path); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	staged := stagePath(path)
	stage := filepath.Dir(staged)
	if err := errors.Join(removed(staged), removed(stage), os.Mkdir(stage, 0o700)); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: staged, Net: "unix"})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("admin: %w", err), removed(stage))
	}
	l.SetUnlinkOnClose(false)
	s := &socket{UnixListener: l, path: path}
	err = errors.Join(os.Chmod(staged, socketMode), os.Rename(staged, path), removed(stage))
	if err == nil {
		s.made, err = os.Lstat(path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("admin: %w", err), l.Close(), removed(staged), removed(stage))
	}
	return s, nil
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeStale removes the socket of a host that is no more. One that somebody listens on is an error, and so is another file.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 && runtime.GOOS != "windows" {
		return hint.New(fmt.Sprintf("admin: %s is there and is no socket", path), "move it away, or choose another path")
	}
	conn, err := net.DialTimeout("unix", path, dialTimeout)
	if err == nil {
		err = conn.Close()
	} else if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) || runtime.GOOS == "windows" {
		return removed(path)
	}
	return errors.Join(hint.New(fmt.Sprintf("admin: another process listens on %s", path), "end that host first, or give this one a data folder of its own"), err)
}

// Close ends the listener and removes its file.
func (s *socket) Close() error {
	err := s.UnixListener.Close()
	if now, statErr := os.Lstat(s.path); statErr == nil && os.SameFile(now, s.made) {
		err = errors.Join(err, removed(s.path))
	}
	return err
}
