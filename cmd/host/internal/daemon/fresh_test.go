package daemon

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

// settings are those of a host on loopback with a folder of its own.
func settings(t *testing.T) *config.Config {
	t.Helper()
	loaded, err := config.Load(t.Context(), config.Sources{Env: []string{"HOST_LISTEN=127.0.0.1:0", "HOST_DATA_DIR=" + t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	return &loaded.Config
}

// begin makes one start and returns the sequence number of the record.
func begin(t *testing.T, cfg *config.Config) (seq uint64, err error) {
	h, err := start(t.Context(), Options{Loaded: &config.Loaded{Config: *cfg}, Out: io.Discard, Log: hclog.NewNullLogger()})
	if err != nil {
		return 0, err
	}
	return h.node.Self().Seq(), h.stop()
}

// taken is an address that somebody else listens on.
func taken(t *testing.T) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestStartAfterAFailedFirstOne(t *testing.T) {
	cfg := settings(t)
	free := cfg.Listen
	cfg.Listen = []netip.AddrPort{taken(t)}
	for range 3 {
		if _, err := begin(t, cfg); err == nil {
			t.Fatal("two hosts listen on one address")
		}
	}
	cfg.Listen = free
	if seq, err := begin(t, cfg); err != nil || seq != 1 {
		t.Errorf("the first start that worked has the number %d, %v, want 1: the key had published nothing", seq, err)
	}
	if _, err := os.Stat(filepath.Join(cfg.DataDir, unusedName)); err == nil {
		t.Error("the mark outlived the first record")
	}
}

const clock = 1_704_067_200_000 // sequence numbers from the clock are above

// The mark never makes a published key start at 1 again.
func TestMarkOfAPublishedKey(t *testing.T) {
	cfg := settings(t)
	free := cfg.Listen
	if seq, err := begin(t, cfg); err != nil || seq != 1 {
		t.Fatalf("first start: seq %d, %v", seq, err)
	}
	cfg.Listen = []netip.AddrPort{taken(t)}
	if _, err := begin(t, cfg); err == nil {
		t.Fatal("two hosts listen on one address")
	}
	cfg.Listen = free
	if err := os.Remove(filepath.Join(cfg.DataDir, recordName)); err != nil {
		t.Fatal(err)
	}
	if seq, err := begin(t, cfg); err != nil || seq < clock {
		t.Errorf("a key without its record starts at %d, %v, want the clock", seq, err)
	}
}

// A mark counts once, for its own node, and only beside a missing record.
func TestMarkDoesNotCount(t *testing.T) {
	for name, prepare := range map[string]func(id *identity, mark string) error{
		"another node": func(id *identity, mark string) error {
			return os.WriteFile(mark, []byte(enode.ID{1}.String()), 0o600)
		},
		"no id": func(id *identity, mark string) error { return os.WriteFile(mark, nil, 0o600) },
		"damaged record": func(id *identity, mark string) error {
			id.markUnused()
			return os.WriteFile(id.recordFile, []byte("enr:"), 0o600)
		},
		"twice": func(id *identity, mark string) error {
			id.markUnused()
			id.takeUnused()
			return nil
		},
		"a folder": func(id *identity, mark string) error { return os.Mkdir(mark, 0o700) },
	} {
		cfg := settings(t)
		id, err := openIdentity(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if !id.fresh {
			t.Errorf("%s: a key made just now is not fresh", name)
		}
		if err := prepare(id, filepath.Join(cfg.DataDir, unusedName)); err != nil {
			t.Fatal(err)
		}
		if id.takeUnused() {
			t.Errorf("%s: the mark counts", name)
		}
		if err := id.lock.Release(); err != nil {
			t.Error(err)
		}
	}
}

func TestRecordIsNoFile(t *testing.T) {
	cfg := settings(t)
	record := filepath.Join(cfg.DataDir, recordName)
	if err := os.Mkdir(record, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := begin(t, cfg); err == nil || !strings.Contains(err.Error(), "is a folder") || hint.Of(err) == "" {
		t.Errorf("a folder in the record's place: %v, hint %q", err, hint.Of(err))
	}
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	if seq, err := begin(t, cfg); err != nil || seq != 1 {
		t.Errorf("after that the start gives %d, %v, want 1", seq, err)
	}
}

// The host does not join by itself.
func TestOwnRecordAsBootnode(t *testing.T) {
	cfg := settings(t)
	id, err := openIdentity(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer id.lock.Release()
	self, other := enode.NewV4(&id.key.PublicKey, net.IPv4(127, 0, 0, 1), 0, 9), listenLocal(t).Self()
	var out bytes.Buffer
	got := others([]*enode.Node{self, other, self}, id, hclog.New(&hclog.LoggerOptions{Output: &out}))
	if len(got) != 1 || got[0] != other {
		t.Errorf("%d nodes left, want the other one", len(got))
	}
	if !strings.Contains(out.String(), "it is this node itself") {
		t.Errorf("no warning in %q", out.String())
	}
}
