package daemon

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
)

// unsaved makes the data folder one in which records cannot be saved, for every user.
func unsaved(t *testing.T, cfg *config.Config) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(cfg.DataDir, recordName+".new"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// A record that leads elsewhere is not published, whatever keeps the right one from being saved.
func TestRecordThatCannotBeSaved(t *testing.T) {
	cfg := settings(t)
	cfg.Advertise = []config.Endpoint{{AddrPort: netip.MustParseAddrPort("192.0.2.1:9000")}}
	if seq, err := begin(t, cfg); err != nil || seq != 1 {
		t.Fatalf("first start: seq %d, %v", seq, err)
	}
	unsaved(t, cfg)
	if seq, err := begin(t, cfg); err != nil || seq != 1 {
		t.Errorf("a record that is still right: seq %d, %v", seq, err)
	}
	cfg.Advertise[0] = config.Endpoint{AddrPort: netip.MustParseAddrPort("192.0.2.1:9001")}
	_, err := begin(t, cfg)
	if err == nil || !strings.Contains(err.Error(), "the saved record names 192.0.2.1:9000, this start 192.0.2.1:9001: ") || !strings.Contains(hint.Of(err), cfg.DataDir) {
		t.Errorf("another address: %v (hint %q)", err, hint.Of(err))
	}
	cfg.Advertise = nil
	if _, err := begin(t, cfg); err == nil || !strings.Contains(err.Error(), "this start 127.0.0.1:") {
		t.Errorf("another socket: %v", err)
	}
	if err := os.Remove(filepath.Join(cfg.DataDir, recordName+".new")); err != nil {
		t.Fatal(err)
	}
	if seq, err := begin(t, cfg); err != nil || seq != 2 {
		t.Errorf("when it can be saved again: seq %d, %v, want 2", seq, err)
	}
}

// Without an older record the new one is published, saved or not: it is right.
func TestFirstRecordThatCannotBeSaved(t *testing.T) {
	cfg := settings(t)
	unsaved(t, cfg)
	if _, err := begin(t, cfg); err != nil {
		t.Error(err)
	}
}

func TestAsked(t *testing.T) {
	at := netip.MustParseAddrPort
	for _, c := range []struct {
		name, local, advertise, named string
		fixed                         bool // auto_update = false
		right                         string
		ok                            bool
	}{
		{"the same socket", "192.0.2.1:1", "", "192.0.2.1:1", false, "192.0.2.1:1", true},
		{"another port", "192.0.2.1:2", "", "192.0.2.1:1", false, "192.0.2.1:2", false},
		{"another address", "192.0.2.2:1", "", "192.0.2.1:1", false, "192.0.2.2:1", false},
		{"no address yet", "192.0.2.1:1", "", "", false, "192.0.2.1:1", false},
		{"no socket of the family", "", "", "192.0.2.1:1", false, "", false},
		{"nothing of the family", "", "", "", false, "", true},
		{"advertised", "0.0.0.0:1", "192.0.2.1:3", "192.0.2.1:3", false, "192.0.2.1:3", true},
		{"advertised before", "192.0.2.1:1", "192.0.2.1:3", "192.0.2.1:1", false, "192.0.2.1:3", false},
		{"advertised with the socket's port", "0.0.0.0:1", "192.0.2.1:0", "192.0.2.1:1", false, "192.0.2.1:1", true},
		{"reported by peers", "0.0.0.0:2", "", "192.0.2.1:1", false, "0.0.0.0:2", true},
		{"never to change", "0.0.0.0:2", "", "192.0.2.1:1", true, "0.0.0.0:2", false},
		{"never to change, same port", "0.0.0.0:1", "", "192.0.2.1:1", true, "0.0.0.0:1", true},
		{"nothing reported", "0.0.0.0:1", "", "", true, "0.0.0.0:1", true},
	} {
		cfg := &config.Config{AutoUpdate: !c.fixed}
		if c.advertise != "" {
			cfg.Advertise = []config.Endpoint{{AddrPort: at("[2001:db8::1]:7")}, {AddrPort: at(c.advertise)}}
		}
		local := []netip.AddrPort{at("[2001:db8::1]:7")} // of the other family
		if c.local != "" {
			local = append(local, at(c.local))
		}
		var named, right netip.AddrPort
		if c.named != "" {
			named = at(c.named)
		}
		if c.right != "" {
			right = at(c.right)
		}
		if got, ok := asked(cfg, local, true, named); got != right || ok != c.ok {
			t.Errorf("%s: %v, %v, want %v, %v", c.name, got, ok, right, c.ok)
		}
	}
}
