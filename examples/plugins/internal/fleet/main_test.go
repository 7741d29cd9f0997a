package fleet

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/examples/plugins/internal/servers"
	"github.com/discv5/host/plugins"
	"github.com/discv5/host/plugins/builtin/bolt"
	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/hashicorp/go-hclog"
)

const (
	pluginArg = "__plugin" // this program is the bundled plugin
	hostArg   = "__host"   // this program is a host
)

// programs is a folder with the plugins of the examples.
var programs string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case pluginArg:
			sdk.Serve(bolt.Plugin())
		case hostArg:
			os.Exit(runHost(os.Args[2:]))
		}
	}
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		panic(err)
	}
	programs = dir
	status := m.Run()
	servers.Forget()
	_ = os.RemoveAll(dir) // a folder among the temporary ones, at worst
	os.Exit(status)
}

// built returns the program of an example, built once.
func built(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(programs, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if out, err := exec.Command("go", "build", "-o", path, "github.com/discv5/host/examples/plugins/"+name).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return path
}

// backend is a store, and how hosts of a test use it.
type backend struct {
	Name    string
	Source  string
	Config  map[string]any
	PerHost bool            // each host has its own
	server  *servers.Server // nil: there is none
}

// backends are those that there are here. A part is skipped whose server is not installed.
func backends(t *testing.T, shared bool, run func(t *testing.T, b *backend)) {
	all := map[string]func(t testing.TB) *backend{
		"redis": func(t testing.TB) *backend {
			s := servers.Redis(t)
			return &backend{Name: "redis", Source: built(t, "redis"), Config: map[string]any{"addresses": []string{"unix:" + s.Socket}}, server: s}
		},
		"postgres": func(t testing.TB) *backend {
			s := servers.Postgres(t)
			return &backend{
				Name: "postgres", Source: built(t, "postgres"), server: s,
				Config: map[string]any{"url": fmt.Sprintf("host=%s user=discv5 dbname=postgres sslmode=disable", s.Dir)},
			}
		},
	}
	if !shared {
		all["bolt"] = func(testing.TB) *backend { return &backend{Name: "bolt", Source: "builtin:bolt", PerHost: true} }
	}
	for _, name := range []string{"bolt", "redis", "postgres"} {
		if open := all[name]; open != nil {
			t.Run(name, func(t *testing.T) { run(t, open(t)) })
		}
	}
}

// settings are those of plugins for one host, which has a folder.
func (b *backend) settings(dir, run string) (plugins.Config, plugins.Block, error) {
	self, err := os.Executable()
	if err != nil {
		return plugins.Config{}, plugins.Block{}, err
	}
	text, err := json.Marshal(b.Config)
	if b.Config == nil {
		text = []byte("{}")
	}
	block := plugins.Block{
		Kind: plugins.Store, Name: "store", Source: b.Source,
		Configure: func(*pluginpb.Description) ([]byte, error) { return text, nil },
	}
	return plugins.Config{DataDir: filepath.Join(dir, "plugins"), RunDir: run, BuiltinPath: self, BuiltinArgs: []string{pluginArg}}, block, err
}

// host is a node with its store.
type host struct {
	*core.Node
	set *plugins.Set
	dir string
	run string
}

// startHost starts a host whose files are in a folder.
func (b *backend) startHost(dir, run string, key *ecdsa.PrivateKey, adjust func(*core.Config)) (*host, error) {
	cfg, block, err := b.settings(dir, run)
	if err != nil {
		return nil, err
	}
	cfg.Log = hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Warn})
	cfg.Blocks = []plugins.Block{block}
	set, err := plugins.New(cfg)
	if err != nil {
		return nil, err
	}
	c := core.Config{
		PrivateKey: key, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Store: set.Store(),
		RecordFile: filepath.Join(dir, "record"), NewKey: true,
	}
	if adjust != nil {
		adjust(&c)
	}
	n, err := core.Listen(c)
	if err != nil {
		return nil, err
	}
	return &host{n, set, dir, run}, set.Run(n)
}

// host starts a host for the time of a test.
func (b *backend) host(t testing.TB, dir string, key *ecdsa.PrivateKey, adjust func(*core.Config)) *host {
	t.Helper()
	h, err := b.startHost(dir, folder(t), key, adjust)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.stop(t) })
	return h
}

// stop ends a host as the program does. It may be called twice.
func (h *host) stop(t testing.TB) {
	t.Helper()
	h.set.Quiesce()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if err := h.set.Close(); err != nil {
		t.Error(err)
	}
}

// open opens the store without a host, as soon as nobody has it for himself.
func (b *backend) open(t testing.TB, dir string) *plugins.StoreAlone {
	t.Helper()
	var s *plugins.StoreAlone
	within(t, 10*time.Second, "the store opens", func() error {
		cfg, block, err := b.settings(dir, folder(t))
		if err == nil {
			s, err = plugins.OpenStore(context.Background(), cfg, block)
		}
		return err
	})
	return s
}

// folder is a folder whose path is short enough for sockets.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "fl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // sockets of killed processes may go meanwhile
	return dir
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// peer is a node that answers and asks nothing by itself.
func peer(t testing.TB) *core.Node {
	t.Helper()
	n, err := core.Listen(core.Config{
		PrivateKey: newKey(t), NewKey: true, NoRefresh: true, Workers: 1, Sessions: 64, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// within repeats something until it goes well, and returns how long that took.
func within(t testing.TB, limit time.Duration, what string, do func() error) time.Duration {
	t.Helper()
	begin := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := do()
		took := time.Since(begin)
		if err == nil {
			return took
		}
		if took > limit {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		<-tick.C
	}
}

// number is a parameter from the environment.
func number(t testing.TB, name string, or int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return or
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, not a number from 1", name, text)
	}
	return n
}
