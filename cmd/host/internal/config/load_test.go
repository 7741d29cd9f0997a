package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/spf13/pflag"
)

// load writes text to a file when it is not empty, and loads all layers.
func load(t *testing.T, text string, env []string, args ...string) (*Loaded, error) {
	t.Helper()
	if text != "" {
		file := filepath.Join(t.TempDir(), "config.hcl")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", file}, args...)
	}
	fs := pflag.NewFlagSet("host", pflag.ContinueOnError)
	Flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(t.Context(), Sources{Env: append(env, "HOME=/nowhere"), Flags: fs})
}

// record makes the text of a record, with a UDP address when addr is not empty.
func record(t *testing.T, addr string) string {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	var r enr.Record
	if addr != "" {
		ap := netip.MustParseAddrPort(addr)
		r.Set(enr.IPv4Addr(ap.Addr()))
		r.Set(enr.UDP(ap.Port()))
	}
	if err := enode.SignV4(&r, key); err != nil {
		t.Fatal(err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	return n.String()
}

func TestLayers(t *testing.T) {
	file := `
listen    = ["127.0.0.1:1"]
log_level = "debug"
nat       = "upnp"
table {
  bucket_ip_limit = 4
  ipv4_prefix     = 32
}
`
	env := []string{"HOST_LISTEN=127.0.0.1:2", "HOST_LOG_LEVEL=warn", "HOST_TABLE__BUCKET_IP_LIMIT=5", "HOST_NAT=", "OTHER=1", "HOST_IP=10.0.0.1"}
	got, err := load(t, file, env, "--listen", "127.0.0.1:3", "--listen", "[::1]:4", "--data-dir", "data")
	if err != nil {
		t.Fatal(err)
	}
	c := got.Config
	if len(c.Listen) != 2 || c.Listen[0].Port() != 3 || c.Listen[1].Port() != 4 {
		t.Errorf("listen %v, want the flags'", c.Listen)
	}
	if c.LogLevel != "warn" || c.NAT != "upnp" || c.DataDir != "data" || c.KeyPath() != filepath.Join("data", "key") {
		t.Errorf("log_level %q nat %q data_dir %q key %q", c.LogLevel, c.NAT, c.DataDir, c.KeyPath())
	}
	if c.Table.BucketIPLimit != 5 || c.Table.IPv4Prefix != 32 || c.Table.TableIPLimit != 10 {
		t.Errorf("table %+v: the environment must replace one key and leave its neighbours", c.Table)
	}
	for key, want := range map[string]string{
		"listen": "flag --listen", "log_level": "environment variable HOST_LOG_LEVEL", "network": "default",
		"table.bucket_ip_limit": "environment variable HOST_TABLE__BUCKET_IP_LIMIT", "table.ipv4_prefix": got.Files[0] + ":7:3",
	} {
		if o := got.Origins[key].Where; o != want {
			t.Errorf("%s comes from %q, want %q", key, o, want)
		}
	}
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "HOST_IP") {
		t.Errorf("warnings %q, want one about HOST_IP", got.Warnings)
	}
}

func TestValues(t *testing.T) {
	a, b := record(t, "203.0.113.1:9000"), record(t, "203.0.113.2:9000")
	got, err := load(t, `
listen           = ["0.0.0.0:9000", "[::]:9000"]
bootnodes        = ["`+a+`", "`+b+`"]
advertise        = ["203.0.113.7", "[2001:db8::1]:30303"]
auto_update      = false
response_timeout = "1500ms"
protocol_id      = "d5waku"
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := got.Config
	if len(c.Bootnodes) != 2 || c.Bootnodes[0].String() != a || c.Bootnodes[1].String() != b {
		t.Errorf("bootnodes %v", c.Bootnodes)
	}
	if len(c.Advertise) != 2 || c.Advertise[0].Addr() != netip.MustParseAddr("203.0.113.7") || c.Advertise[0].Port() != 0 ||
		c.Advertise[1].AddrPort != netip.MustParseAddrPort("[2001:db8::1]:30303") {
		t.Errorf("advertise %v", c.Advertise)
	}
	if c.AutoUpdate || c.ResponseTimeout != 1500*time.Millisecond || c.ProtocolID != "d5waku" {
		t.Errorf("auto_update %v response_timeout %v protocol_id %q", c.AutoUpdate, c.ResponseTimeout, c.ProtocolID)
	}
}

func TestPaths(t *testing.T) {
	got, err := load(t, "data_dir = \"state\"\nkey_file = \"~/node.key\"", nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(got.Files[0]), "state"); got.Config.DataDir != want {
		t.Errorf("data_dir %q, want %q: a path in the file starts at the file", got.Config.DataDir, want)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(home, "node.key"); got.Config.KeyFile != want {
		t.Errorf("key_file %q, want %q", got.Config.KeyFile, want)
	}
}

// A file from a pipe has no folder: paths in it start where the host was started.
func TestFileFromAPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: Windows has no /dev/fd")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fmt.Fprintln(w, `data_dir = "state"`)
	w.Close()
	got, err := load(t, "", nil, "--config", fmt.Sprintf("/dev/fd/%d", r.Fd()))
	if err != nil || got.Config.DataDir != "state" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHomeIsMissing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Setenv("USERPROFILE", "")
	}
	t.Setenv("HOME", "")
	if _, err := Load(t.Context(), Sources{}); err == nil || !strings.Contains(hint.Of(err), "--data-dir") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
	if _, err := load(t, "", nil, "--data-dir", t.TempDir()); err != nil {
		t.Errorf("with --data-dir: %v", err)
	}
}

func TestFileCannotBeRead(t *testing.T) {
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, []byte(strings.Repeat("#", maxFileSize+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(t.TempDir(), "absent"), t.TempDir(), big} {
		_, err := load(t, "", []string{"HOST_CONFIG=" + file})
		if _, many := errors.AsType[Problems](err); err == nil || many {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestFlagsOnly(t *testing.T) {
	for _, args := range [][]string{{"--listen", "nonsense"}, {"--listen", "1.2.3.4:1", "--listen", "1.2.3.4:2"}} {
		_, err := load(t, "", nil, args...)
		if ps, ok := errors.AsType[Problems](err); !ok || !ps.OnFlags() {
			t.Errorf("%v: %v, want problems of the flags alone", args, err)
		}
	}
	_, err := load(t, "nat = \"magic\"\n", nil, "--listen", "nonsense")
	if ps, ok := errors.AsType[Problems](err); !ok || ps.OnFlags() || len(ps) != 2 {
		t.Errorf("flag and file: %v", err)
	}
}
