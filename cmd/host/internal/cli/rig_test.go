package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/daemon"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// past is a time whose distance from now reads the same for half a minute.
func past() time.Time { return time.Now().Add(-2*time.Hour - 30*time.Minute - 30*time.Second) }

// fixedNode is the node of a key, which is a byte repeated.
func fixedNode(b byte, seq uint64, entries ...enr.Entry) *enode.Node {
	key, err := crypto.ToECDSA(slices.Repeat([]byte{b}, 32))
	if err != nil {
		panic(err)
	}
	var r enr.Record
	for _, e := range append(entries, enr.IPv4Addr(netip.AddrFrom4([4]byte{192, 0, 2, b})), enr.UDP(9000)) {
		r.Set(e)
	}
	r.SetSeq(seq)
	if err := enode.SignV4(&r, key); err != nil {
		panic(err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		panic(err)
	}
	return n
}

// plainNode is a node of whom only the events are its own.
type plainNode = core.Node

// stillNode is a node in which nothing happens but what a test does.
type stillNode struct {
	*plainNode

	mu    sync.Mutex
	bans  []core.Ban
	set   map[string]any
	unset []string
}

func (n *stillNode) Self() *enode.Node { return fixedNode(1, 5, enr.WithEntry("client", "mine")) }
func (n *stillNode) LocalAddrs() []netip.AddrPort {
	return []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:9000")}
}
func (n *stillNode) RecordError() error           { return nil }
func (n *stillNode) StoreError() error            { return errors.New("the disk is full") }
func (n *stillNode) Sessions() []core.SessionInfo { return nil }

func (n *stillNode) RecordUsage() (u core.RecordUsage) {
	u.Size, u.Max, u.Fixed = 150, 300, 70
	for _, f := range []core.RecordField{{Key: "client", Owner: "operator", Size: 12}, {Key: "id", Owner: "identity", Size: 6}, {Key: "ip", Owner: "endpoint", Size: 8}, {Key: "secp256k1", Owner: "identity", Size: 44}, {Key: "udp", Owner: "endpoint", Size: 7}} {
		u.Fields = append(u.Fields, f)
	}
	return u
}

func (n *stillNode) SetFields(_ context.Context, _ string, set map[string]any, remove ...string) error {
	if _, taken := set["id"]; taken {
		return core.ErrFieldReserved
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.set, n.unset = set, remove
	return nil
}

func (n *stillNode) Endpoints() []core.EndpointInfo {
	votes := core.Tally{Voters: 12, Threshold: 10}
	votes.Counts = append(votes.Counts, struct {
		Addr      netip.Addr
		Votes     int
		Port      uint16
		PortVotes int
	}{netip.MustParseAddr("192.0.2.1"), 11, 9000, 10})
	return []core.EndpointInfo{
		{Family: "ipv4", Published: netip.MustParseAddrPort("192.0.2.1:9000"), Pinned: true, Reachable: "unreachable", Votes: votes},
		{Family: "ipv6", Reachable: "unknown", Votes: core.Tally{Threshold: 10}},
	}
}

func (n *stillNode) Stats() core.Stats {
	return core.Stats{
		PacketsReceived: 12_345, BytesReceived: 6_543_210, PacketsSent: 1, BytesSent: 99, Lookups: 7, Calls: 1, Bans: 1,
		TableNodes: 3, TableVerified: 2, Sessions: core.SessionStats{Sessions: 4}, Drained: past(),
	}
}

func (n *stillNode) StoreStats() core.StoreStats {
	return core.StoreStats{Waiting: 3, Written: 40, Dropped: 1, Failures: 2, Seeds: 9, Loaded: true}
}

func (n *stillNode) peers() []core.NodeInfo {
	var all []core.NodeInfo
	for b := byte(2); b < 5; b++ {
		node := fixedNode(b, uint64(b))
		at, _ := node.UDPEndpoint()
		p := core.NodeInfo{Node: node, Addr: at, Verified: b < 4, Added: past()}
		if p.Verified {
			p.LastSeen, p.RTT = past(), 12345*time.Microsecond
		}
		all = append(all, p)
	}
	return all
}

func (n *stillNode) Table() core.TableInfo { return core.TableInfo{Nodes: n.peers()} }

func (n *stillNode) Node(id enode.ID) *enode.Node {
	for _, p := range n.peers() {
		if p.Node.ID() == id {
			return p.Node
		}
	}
	return nil
}

func (n *stillNode) Closest(_ enode.ID, _ int, verifiedOnly bool) (all []*enode.Node) {
	for _, p := range n.peers() {
		if p.Verified || !verifiedOnly {
			all = append(all, p.Node)
		}
	}
	return all
}

func (n *stillNode) Bans() []core.Ban {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.bans
}

func (n *stillNode) Ban(b core.Ban) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bans = append(n.bans, b)
	return nil
}

func (n *stillNode) Unban(b core.Ban) bool { return b.Prefix == netip.MustParsePrefix("192.0.2.0/24") }

func (n *stillNode) FilterStats() []core.FilterStats {
	f := core.FilterStats{Name: "mainnet", Calls: 10, Failures: 1, Waiting: 2}
	f.Latency.Sum = 25 * time.Millisecond
	f.Decisions = []core.FilterDecision{
		{Stage: core.StageTable, Decision: core.Accept, Count: 90}, {Stage: core.StageTable, Decision: core.Reject, Reason: "fork", Count: 10},
		{Stage: core.StageServe, Decision: core.Reject, Reason: "late", Count: 1},
	}
	return []core.FilterStats{f, {Name: "trial", DryRun: true}}
}

func (n *stillNode) Explain(context.Context, *enode.Node) []core.Explanation {
	return []core.Explanation{
		{Filter: "mainnet", Stage: core.StageTable, Verdict: core.Verdict{Decision: core.Accept, TTL: 90 * time.Second}},
		{Filter: "trial", Stage: core.StageTable, DryRun: true, Verdict: core.Verdict{Decision: core.Reject, Reason: "old\x1b[31m"}},
		{Filter: "mainnet", Stage: core.StageServe, Verdict: core.Verdict{Decision: core.Reject, Reason: "late"}, Err: core.ErrTimeout},
	}
}

// stillPlugins are plugins to which nothing happens but what a test does.
type stillPlugins struct {
	mu    sync.Mutex
	calls []string
}

func (p *stillPlugins) Status() []plugins.Status {
	return []plugins.Status{
		{
			ID: "talk.echo", Kind: plugins.Talk, Name: "echo", Source: "builtin:echo", Required: true, State: plugins.Running, Since: past(), Restarts: 1,
			PID: 4711, Started: past(), Program: "echo", Version: "1.0.0", Summary: "Answers with the request", Protocols: []string{"echo", "\x00\x01"},
			Grants: []string{"self", "kv"}, Usage: plugins.Usage{CPU: 1234 * time.Millisecond, RSS: 12_345_678},
			Talk: &plugins.TalkStats{Requests: 9, Answered: 7, Late: 1, Failed: 1, InFlight: 2}, LastLines: []string{"hello", "evil\x1b[2J"},
			LastExit: "exit status 1", ExitAt: past(), ExitLines: []string{"panic: no"},
		},
		{
			ID: "store.bolt", Kind: plugins.Store, Name: "bolt", Source: "./bolt", Pinned: true, State: plugins.Refused, Since: past(), Reason: "its checksum differs",
			Hint: "put the new one into the configuration", Calls: &plugins.SlotStats{Calls: 3, Failures: 1},
		},
	}
}

func (p *stillPlugins) Missing() []string { return nil }

func (p *stillPlugins) act(what, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, what+" "+name)
	if name == "store.bolt" {
		return hint.New("it does not start: its checksum differs", "put the new one into the configuration")
	}
	return nil
}

func (p *stillPlugins) Restart(_ context.Context, name string) error { return p.act("restart", name) }
func (p *stillPlugins) Disable(_ context.Context, name string) error { return p.act("disable", name) }
func (p *stillPlugins) Enable(_ context.Context, name string) error  { return p.act("enable", name) }

func (p *stillPlugins) Methods() []plugins.Method { return nil }

func (p *stillPlugins) Call(context.Context, string, json.RawMessage) (json.RawMessage, error) {
	return nil, plugins.ErrNoMethod
}

// rig is a running host as far as commands can tell.
type rig struct {
	node    *stillNode
	plugins *stillPlugins
	feed    *admin.Feed
	server  *admin.Server
	dir     string // its data folder
}

func newRig(t *testing.T, change func(*admin.Config)) *rig {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	node, err := core.Listen(core.Config{PrivateKey: key, NewKey: true, NoRefresh: true, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	dir, err := os.MkdirTemp(daemon.SocketDir(), "cli") // a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &rig{node: &stillNode{plainNode: node}, plugins: &stillPlugins{}, feed: admin.NewFeed(), dir: dir}
	level := "info"
	cfg := admin.Config{
		Node: r.node, Plugins: r.plugins, Feed: r.feed, Version: "v1.2.3", Socket: admin.SocketPath(dir),
		LogLevel: func() string { return level },
		SetLogLevel: func(to string) error {
			if to != "debug" {
				return hint.New(to+" is not a level", "use debug")
			}
			level = to
			return nil
		},
		Compile: func(text string) (func(*enode.Node) bool, error) {
			if text != "seq > 2" {
				return nil, hint.New("1:1: unknown name", "did you mean seq?")
			}
			return func(n *enode.Node) bool { return n.Seq() > 2 }, nil
		},
		Reload: func(context.Context) (v admin.ReloadResult, err error) {
			v.Changed, v.Restart, v.Unchanged = []string{"log_level", "talk.echo"}, []string{"listen"}, []string{"store.bolt"}
			v.Refuse("config.hcl:3:1", hint.New("no such key", "did you mean listen?"))
			return v, nil
		},
	}
	if change != nil {
		change(&cfg)
	}
	if r.server, err = admin.Listen(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.server.Close() })
	return r
}
