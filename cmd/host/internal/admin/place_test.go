package admin

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/hint"
)

// A data folder with a long path has its socket elsewhere, where host and commands look for it alike.
func TestLongDataDir(t *testing.T) {
	temp := shortDir(t)
	t.Setenv("TMPDIR", temp)
	long := filepath.Join(temp, strings.Repeat("x", 90))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(temp)
	path := SocketPath(long)
	if other := SocketPath(filepath.Base(long)); other != path {
		t.Errorf("%s from within, %s from elsewhere", other, path)
	}
	if other := SocketPath(long + "y"); other == path {
		t.Error("two data folders have one socket")
	}
	if short := filepath.Join(temp, "data"); SocketPath(short) != filepath.Join(short, SocketName) {
		t.Errorf("%s", SocketPath(short))
	}
	r := newRig(t, func(c *Config) { c.Socket = filepath.Join(long, SocketName) })
	if r.server.Socket() != path {
		t.Errorf("the socket is %s, want %s", r.server.Socket(), path)
	}
	client, err := Dial(filepath.Join(long, SocketName), "")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Call(t.Context(), "host_bans", nil, nil); err != nil {
		t.Error(err)
	}
	client.Close()
	if err := r.server.Close(); err != nil {
		t.Error(err)
	}
}

// A folder that others may use is for neither side: they could be behind the socket.
func TestForeignShelter(t *testing.T) {
	temp := shortDir(t)
	t.Setenv("TMPDIR", temp)
	long := filepath.Join(temp, strings.Repeat("x", 90))
	path := SocketPath(long)
	client, err := Dial(filepath.Join(long, SocketName), "")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Call(t.Context(), "host_bans", nil, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(hint.Of(err), "host run") {
		t.Errorf("without a folder: %v", err)
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := client.Call(t.Context(), "host_bans", nil, nil); err == nil || !strings.Contains(err.Error(), "its user alone") || hint.Of(err) == "" {
		t.Errorf("a client: %v", err)
	}
	_, err = Listen(Config{Node: newNode(t), Socket: filepath.Join(long, SocketName)})
	if err == nil || !strings.Contains(err.Error(), "its user alone") || hint.Of(err) == "" {
		t.Errorf("a server: %v", err)
	}
}
