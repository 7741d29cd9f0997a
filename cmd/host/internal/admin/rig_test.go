package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// loopback is a node under another name: Node is a method of it.
type loopback = core.Node

// fakeNode is a node on loopback, some of whose answers a test decides.
type fakeNode struct {
	*loopback

	mu     sync.Mutex
	stats  func() core.Stats // nil: the node's
	lookup func(context.Context) ([]*enode.Node, error)
	talked []string // protocol and payload
}

func (n *fakeNode) Stats() core.Stats {
	n.mu.Lock()
	f := n.stats
	n.mu.Unlock()
	if f != nil {
		return f()
	}
	return n.loopback.Stats()
}

func (n *fakeNode) setStats(f func() core.Stats) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stats = f
}

func (n *fakeNode) Lookup(ctx context.Context, target enode.ID, options ...core.LookupOption) ([]*enode.Node, error) {
	if n.lookup != nil {
		return n.lookup(ctx)
	}
	return n.loopback.Lookup(ctx, target, options...)
}

func (n *fakeNode) Talk(ctx context.Context, node *enode.Node, protocol string, payload []byte) ([]byte, error) {
	n.mu.Lock()
	n.talked = append(n.talked, protocol+" "+string(payload))
	n.mu.Unlock()
	return n.loopback.Talk(ctx, node, protocol, payload)
}

// fakePlugins is a talk plugin that does as it is told.
type fakePlugins struct {
	mu    sync.Mutex
	state plugins.State
	calls []string
}

func (p *fakePlugins) Status() []plugins.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	talk := plugins.TalkStats{Requests: 3}
	talk.Shed[2] = 1
	return []plugins.Status{{
		ID: "talk.echo", Kind: plugins.Talk, Name: "echo", Source: "builtin:echo", Required: true, State: p.state, Since: time.Unix(1700000000, 0),
		Protocols: []string{"echo\x00"}, Talk: &talk, Transitions: map[plugins.State]uint64{plugins.Running: 1},
		Host: &plugins.HostStats{}, LastExit: "exit status 1", LastLines: []string{"one", "two", "three"}, Calls: &plugins.SlotStats{Calls: 1},
	}}
}

func (p *fakePlugins) Missing() []string {
	if st := p.Status()[0]; !st.State.Serves() {
		return []string{st.ID}
	}
	return nil
}

func (p *fakePlugins) act(what, name string, to plugins.State) error {
	if name != "echo" && name != "talk.echo" {
		return plugins.ErrUnknown
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls, p.state = append(p.calls, what), to
	return nil
}

func (p *fakePlugins) Restart(_ context.Context, name string) error {
	return p.act("restart", name, plugins.Running)
}

func (p *fakePlugins) Disable(_ context.Context, name string) error {
	return p.act("disable", name, plugins.Disabled)
}

func (p *fakePlugins) Enable(_ context.Context, name string) error {
	return p.act("enable", name, plugins.Running)
}

func (p *fakePlugins) Methods() []plugins.Method {
	return []plugins.Method{{Name: "echo_count", Plugin: "talk.echo", Params: []string{"of?"}, Summary: "Counts"}, {Name: "host_count", Plugin: "talk.host"}}
}

// Call answers with the parameters.
func (p *fakePlugins) Call(_ context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	switch method {
	case "echo_count":
		return params, nil
	case "echo_refuse":
		return nil, &plugins.MethodError{Code: -39001, Message: "content not found", Data: json.RawMessage(`[1,{"trace":null}]`)}
	case "echo_down":
		return nil, plugins.ErrUnavailable
	case "echo_busy":
		return nil, plugins.ErrBusy
	case "echo_panic":
		panic("no")
	}
	return nil, plugins.ErrNoMethod
}

// rig is a server on a unix socket, with a node, a peer and a client.
type rig struct {
	t       *testing.T
	node    *fakeNode
	peer    *core.Node
	plugins *fakePlugins
	server  *Server
	client  *Client
}

func newNode(t *testing.T, filters ...core.FilterConfig) *core.Node {
	t.Helper()
	n, err := listenLoopback(filters...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func listenLoopback(filters ...core.FilterConfig) (*core.Node, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	at := netip.MustParseAddrPort("127.0.0.1:0")
	return core.Listen(core.Config{PrivateKey: key, NewKey: true, Listen: []netip.AddrPort{at}, Advertise: []netip.AddrPort{at}, Filters: filters})
}

// shortDir is a folder whose path leaves room for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "adm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newRig(t *testing.T, change func(*Config), filters ...core.FilterConfig) *rig {
	t.Helper()
	r := &rig{t: t, node: &fakeNode{loopback: newNode(t, filters...)}, peer: newNode(t), plugins: &fakePlugins{state: plugins.Running}}
	cfg := Config{Node: r.node, Plugins: r.plugins, Version: "v1", Socket: SocketPath(shortDir(t))}
	if change != nil {
		change(&cfg)
	}
	var err error
	if r.server, err = Listen(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.server.Close(); err != nil {
			t.Error(err)
		}
	})
	if r.client, err = Dial(cfg.Socket, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.client.Close)
	return r
}

// raw sends a request over the socket.
func (r *rig) raw(method, path, body string) (status int, answer string) {
	r.t.Helper()
	request, err := http.NewRequest(method, "http://host"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := r.client.http.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(response.Body); err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, b.String()
}

func (r *rig) call(method string, params string) (result any, err error) {
	err = r.client.Call(r.t.Context(), method, json.RawMessage(params), &result)
	return result, err
}

func (r *rig) mustCall(method string, params string) any {
	r.t.Helper()
	result, err := r.call(method, params)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, params, err)
	}
	return result
}

func quoted(s ...string) string {
	text, _ := json.Marshal(s) // strings always do
	return string(text)
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

// verdict is a filter that says the same about all nodes.
type verdict core.Verdict

func (v verdict) Decide(_ context.Context, _ core.Stage, nodes []*enode.Node, out []core.Verdict) error {
	for i := range nodes {
		out[i] = core.Verdict(v)
	}
	return nil
}

func accepting(name string) core.FilterConfig {
	return core.FilterConfig{
		Name: name, Filter: verdict{Decision: core.Accept, Reason: "fine"},
		Stages: []core.Stage{core.StageTable, core.StageServe, core.StageDeliver},
	}
}

// fill gives the node something of everything: a peer in the table that passes the filters, a session, a ban.
func (r *rig) fill(t *testing.T) {
	t.Helper()
	events, err := r.node.Events(64)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	if _, err := r.node.Ping(t.Context(), r.peer.Self()); err != nil {
		t.Fatal(err)
	}
	r.mustCall("discv5_addEnr", quoted(r.peer.Self().String()))
	for len(r.node.Table().Nodes) == 0 {
		select {
		case <-events.C:
		case <-time.After(5 * time.Second):
			t.Fatal("the peer does not enter the table")
		}
	}
	r.node.Explain(t.Context(), r.peer.Self())
	r.mustCall("host_banAdd", `["192.0.2.0/24", "1h", "test"]`)
}
