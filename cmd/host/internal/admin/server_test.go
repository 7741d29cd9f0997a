package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestSocket(t *testing.T) {
	dir := shortDir(t)
	path := SocketPath(dir)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close() // as a host does that is killed
	s, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v is left, %v", entries, err)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "another process listens") || hint.Of(err) == "" {
		t.Errorf("a second host: %v", err)
	}
	if err := s.Close(); err != nil || exists(path) {
		t.Errorf("close: %v, and the file is there: %v", err, exists(path))
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(path); err == nil || !exists(path) {
		t.Errorf("a file in the way: %v", err)
	}
	long := filepath.Join(dir, strings.Repeat("x", 100))
	if _, err := listenSocket(long); err == nil || !strings.Contains(err.Error(), "too long") || !strings.Contains(hint.Of(err), "shorter") {
		t.Errorf("a long path: %v", err)
	}
}

// A host removes only the socket that it made.
func TestSocketOfSuccessor(t *testing.T) {
	path := SocketPath(shortDir(t))
	first, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil || !exists(path) {
		t.Errorf("close: %v, the socket of the other is there: %v", err, exists(path))
	}
	if err := second.Close(); err != nil || exists(path) {
		t.Errorf("close: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	for what, change := range map[string]func(*Config){
		"no node to serve":       func(c *Config) { c.Node = nil },
		"nothing to listen on":   func(c *Config) { c.TCP = netip.AddrPort{} },
		"at least 16 bytes":      func(c *Config) { c.Token = "short" },
		"reached from other":     func(c *Config) { c.TCP = netip.MustParseAddrPort("0.0.0.0:0") },
		"path of the socket":     func(c *Config) { c.Socket = "/" + strings.Repeat("x", 200) },
		"grace time is negative": func(c *Config) { c.Grace = -1 },
		"bind":                   func(c *Config) { c.TCP, c.Remote = netip.MustParseAddrPort("192.0.2.1:1"), true },
	} {
		cfg := Config{Node: newNode(t), TCP: netip.MustParseAddrPort("127.0.0.1:0"), Token: strings.Repeat("t", 16)}
		change(&cfg)
		s, err := Listen(cfg)
		if err == nil {
			s.Close()
			t.Errorf("%s: it listens", what)
			continue
		}
		if !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTCP(t *testing.T) {
	const token = "0123456789abcdef"
	r := newRig(t, func(c *Config) { c.TCP, c.Token = netip.MustParseAddrPort("127.0.0.1:0"), token })
	url := "http://" + r.server.TCPAddr().String()
	good, err := Dial(url, token)
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()
	var status Status
	if err := good.Get(t.Context(), "/v1/status", &status); err != nil || status.NodeID != hexID(r.node.ID()) {
		t.Errorf("%v %v", status, err)
	}
	if err := good.Call(t.Context(), "host_bans", nil, nil); err != nil {
		t.Error(err)
	}
	if err := good.Get(t.Context(), "/debug/pprof/", &status); err == nil {
		t.Error("profiles are served over TCP")
	}
	for _, wrong := range []string{"", token[:15], token + "0", strings.ToUpper(token)} {
		bad, err := Dial(url, wrong)
		if err != nil {
			t.Fatal(err)
		}
		defer bad.Close()
		if err := bad.Call(t.Context(), "host_bans", nil, nil); err == nil || !strings.Contains(err.Error(), "token") {
			t.Errorf("token %q: %v", wrong, err)
		}
		if err := bad.Get(t.Context(), "/v1/status", &status); err == nil {
			t.Errorf("token %q shows the status", wrong)
		}
		for _, path := range []string{healthPath, readyPath} {
			response, err := bad.http.Get(url + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode != 200 || path == readyPath && len(body) > 0 {
				t.Errorf("%s without a token: %d %s %v", path, response.StatusCode, body, err)
			}
		}
	}
	if n := r.server.Stats().Unauthorized; n != 8 {
		t.Errorf("%d requests without a token were counted, want 8", n)
	}
}

func TestPaths(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up 1\n") })
	})
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", metricsPath, 200, "up 1"},
		{"GET", "/debug/pprof/", 200, "goroutine"},
		{"GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		{"GET", "/debug/pprof/cmdline", 200, "admin"},
		{"GET", "/", 405, "/v1/status"},
		{"POST", "/v1/status", 405, "GET"},
		{"DELETE", "/v1/bans", 405, "GET"},
		{"GET", "/v1/stats", 404, "did you mean /v1/status?"},
		{"GET", "/v1/nodes?limit=0", 400, "1 to 1000"},
		{"GET", "/v1/nodes?limit=x", 400, "1 to 1000"},
		{"GET", "/v1/nodes?after=x", 400, "64 hex digits"},
		{"GET", "/v1/events?after=x", 400, "not the id"},
		{"GET", "/v1/events?types=node_added,x", 400, "no event type"},
		{"GET", openAPIPath, 200, "3.1.0"},
	} {
		if status, text := r.raw(c.method, c.path, ""); status != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s %s: %d %.200s", c.method, c.path, status, text)
		}
	}
	without := newRig(t, func(c *Config) { c.Plugins = nil })
	if status, _ := without.raw("GET", metricsPath, ""); status != 404 {
		t.Errorf("no metrics: %d", status)
	}
	if _, err := without.call("host_pluginRestart", `["echo"]`); err == nil {
		t.Error("a plugin of no plugins is restarted")
	}
}

// Pages show every node once.
func TestPages(t *testing.T) {
	r := newRig(t, nil)
	want := make(map[string]bool)
	for range 5 {
		peer := newNode(t)
		r.mustCall("discv5_addEnr", quoted(peer.Self().String()))
		want[hexID(peer.ID())] = true
	}
	var sizes []int
	last, next := "", ""
	for range 4 {
		var page NodesView
		if err := r.client.Get(t.Context(), "/v1/nodes?limit=2&after="+next, &page); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page.Nodes))
		for _, n := range page.Nodes {
			if !want[n.NodeID] || n.NodeID <= last {
				t.Errorf("%s behind %s", n.NodeID, last)
			}
			last = n.NodeID
			delete(want, last)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if fmt.Sprint(sizes) != "[2 2 1]" || len(want) != 0 {
		t.Errorf("pages of %v, %d nodes are missing", sizes, len(want))
	}
}

// What the filters of the deliver stage hold back is in the table, and not in the pages.
func TestPagesAreFiltered(t *testing.T) {
	r := newRig(t, nil, core.FilterConfig{Name: "f", Filter: verdict{Decision: core.Reject, Reason: "no"}, Stages: []core.Stage{core.StageDeliver}})
	r.mustCall("discv5_addEnr", quoted(r.peer.Self().String()))
	var table TableView
	var page NodesView
	if err := r.client.Get(t.Context(), "/v1/table", &table); err != nil || table.Nodes != 1 {
		t.Fatalf("%v %v", table, err)
	}
	r.mustCall("host_filterExplain", quoted(r.peer.Self().String()))
	if err := r.client.Get(t.Context(), "/v1/nodes", &page); err != nil || len(page.Nodes) != 0 {
		t.Errorf("%v %v", page, err)
	}
}

func TestReadiness(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Grace = time.Minute })
	check := func(want ...string) {
		t.Helper()
		status, text := r.raw("GET", readyPath, "")
		if (status == 200) != (len(want) == 0) {
			t.Errorf("status %d: %s", status, text)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("no %q in %s", w, text)
			}
		}
	}
	check()
	if err := r.plugins.Disable(t.Context(), "echo"); err != nil {
		t.Fatal(err)
	}
	check("talk.echo")
	if err := r.plugins.Enable(t.Context(), "echo"); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	empty, silent := core.Stats{Drained: now}, core.Stats{TableNodes: 1, TableVerified: 1, Drained: now.Add(-10 * time.Minute)}
	for _, c := range []struct {
		after time.Duration
		stats core.Stats
		want  string
	}{
		{59 * time.Second, empty, ""},
		{62 * time.Second, empty, "no node of the table"},
		{63 * time.Second, core.Stats{TableNodes: 1, TableVerified: 1, Drained: now}, ""},
		{122 * time.Second, empty, ""},
		{124 * time.Second, empty, "no node of the table"},
		{125 * time.Second, silent, "nothing was read"},
	} {
		got := r.server.judge(now.Add(c.after), c.stats)
		if got.Ready != (c.want == "") || !strings.Contains(strings.Join(got.Problems, ";"), c.want) {
			t.Errorf("after %v: %+v, want %q", c.after, got, c.want)
		}
	}
	stuck := make(chan bool)
	r.node.setStats(func() core.Stats { <-stuck; return core.Stats{} })
	if status, text := r.raw("GET", healthPath, ""); status != 503 || !strings.Contains(text, "false") {
		t.Errorf("a node that hangs: %d %s", status, text)
	}
	close(stuck)
	r.node.setStats(nil)
	if status, _ := r.raw("GET", healthPath, ""); status != 200 {
		t.Errorf("a node that hung: %d", status)
	}
}

// Close ends what is under way, soon.
func TestClose(t *testing.T) {
	entered := make(chan bool, 1)
	r := newRig(t, nil)
	r.node.lookup = func(ctx context.Context) ([]*enode.Node, error) {
		entered <- true
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ended := make(chan error, 2)
	go func() {
		ended <- r.client.Call(context.Background(), "discv5_recursiveFindNodes", []string{strings.Repeat("11", 32)}, nil)
	}()
	reading := make(chan bool, 1)
	go func() {
		_, err := r.client.Events(context.Background(), "", nil, func(string, Event) error { reading <- true; return nil })
		ended <- err
	}()
	<-entered
	for open := true; open; { // until the reader is there
		r.server.cfg.Feed.Plugin(plugins.Event{ID: "talk.echo"})
		select {
		case <-reading:
			open = false
		case <-time.After(10 * time.Millisecond):
		}
	}
	started := time.Now()
	if err := r.server.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(started); took > time.Second {
		t.Errorf("it took %v", took)
	}
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("a call ended well")
		}
	}
	if err := r.client.Call(t.Context(), "host_bans", nil, nil); err == nil || !strings.Contains(hint.Of(err), "host run") {
		t.Errorf("after the end: %v", err)
	}
}

func TestConnectionLimit(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{}
	b := &bounded{Listener: l, most: 2, mostFrom: 1, refused: &s.refused}
	defer b.Close()
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := b.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	first := <-accepted
	second := dial()
	if err := second.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a connection beyond the bound: %v", err)
	}
	first.Close()
	first.Close() // counts once
	dial()
	(<-accepted).Close()
	if s.refused.Load() != 1 || b.open != 0 || len(b.from) != 0 {
		t.Errorf("%d refused, %d open, %v", s.refused.Load(), b.open, b.from)
	}
	other := netip.MustParseAddr("192.0.2.1")
	if none := (netip.Addr{}); !b.enter(none) || !b.enter(none) || b.enter(none) || b.enter(other) {
		t.Error("the bound of all connections does not hold")
	}
}

type plainNode = Node

// forgetful is a node whose store fails.
type forgetful struct{ plainNode }

func (forgetful) StoreError() error { return errors.New("the disk is full") }

// A host whose store or plugin fails does its work, and says what is wrong.
func TestDegraded(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Node = forgetful{c.Node} })
	check := func(want ...string) {
		t.Helper()
		var v Readiness
		if err := r.client.Get(t.Context(), readyPath, &v); err != nil || len(v.Degraded) != len(want) {
			t.Fatalf("%+v, %v", v, err)
		}
		for i, w := range want {
			if !strings.Contains(v.Degraded[i], w) {
				t.Errorf("%q says nothing of %q", v.Degraded[i], w)
			}
		}
	}
	check("the disk is full")
	for _, state := range []plugins.State{plugins.Degraded, plugins.Backoff, plugins.Refused} {
		_ = r.plugins.act("fail", "echo", state)
		check("the disk is full", "talk.echo is "+state.String())
	}
	_ = r.plugins.act("off", "echo", plugins.Disabled) // by an operator, who knows
	check("the disk is full")
}
