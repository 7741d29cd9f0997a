//go:build unix

package daemon

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The service manager hears when the host is ready, reloads and ends, and that it lives meanwhile.
func TestServiceManagerHears(t *testing.T) {
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	at := filepath.Join(dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	manager.SetReadDeadline(time.Now().Add(20 * time.Second))
	hear := func(want string) {
		t.Helper()
		for b := make([]byte, 4096); ; {
			n, err := manager.Read(b)
			if err != nil {
				t.Fatalf("%s was not heard: %v", want, err)
			}
			if strings.Contains(string(b[:n]), want) {
				return
			}
		}
	}
	r := newReloadRig(t, "")
	t.Setenv("NOTIFY_SOCKET", at)
	t.Setenv("WATCHDOG_USEC", "20000")
	t.Setenv("WATCHDOG_PID", "")
	os.Unsetenv("WATCHDOG_PID")
	s := notify(r.h, r.h.log)
	hear("READY=1")
	hear("WATCHDOG=1")
	hear("WATCHDOG=1")
	r.reload("")
	hear("RELOADING=1\nMONOTONIC_USEC=")
	hear("READY=1")
	s.stopping()
	hear("STOPPING=1")
}
