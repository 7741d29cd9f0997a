//go:build unix

package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/hint"
)

// All sockets of a host with a long data folder are in one folder, by whatever way the data folder is reached.
func TestShelteredRunDir(t *testing.T) {
	temp, err := os.MkdirTemp("/tmp", "run") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temp) })
	t.Setenv("TMPDIR", temp)
	data := filepath.Join(temp, strings.Repeat("x", 90))
	link := filepath.Join(temp, strings.Repeat("y", 90))
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(data, link); err != nil {
		t.Fatal(err)
	}
	want := filepath.Dir(admin.SocketPath(data))
	for _, way := range []string{data, link} {
		if got, err := runDir("", way); got != want || err != nil {
			t.Errorf("%s %v, want %s", got, err, want)
		}
	}
	if err := os.Chmod(want, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := runDir("", data); err == nil || !strings.Contains(hint.Of(err), "run_dir") {
		t.Errorf("a folder that others may use: %v", err)
	}
}
