package metrics

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/build"
	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// Real ones can be asked.
var (
	_ Node    = (*core.Node)(nil)
	_ Plugins = (*plugins.Set)(nil)
)

type fakeNode struct {
	stats     core.Stats
	filters   []core.FilterStats
	talks     []core.TalkStats
	store     core.StoreStats
	storeErr  error
	table     core.TableInfo
	self      *enode.Node
	endpoints []core.EndpointInfo
	usage     core.RecordUsage
	recordErr error
}

func (n *fakeNode) Stats() core.Stats               { return n.stats }
func (n *fakeNode) FilterStats() []core.FilterStats { return n.filters }
func (n *fakeNode) TalkStats() []core.TalkStats     { return n.talks }
func (n *fakeNode) StoreStats() core.StoreStats     { return n.store }
func (n *fakeNode) StoreError() error               { return n.storeErr }
func (n *fakeNode) Table() core.TableInfo           { return n.table }
func (n *fakeNode) ID() enode.ID                    { return n.self.ID() }
func (n *fakeNode) Self() *enode.Node               { return n.self }
func (n *fakeNode) Endpoints() []core.EndpointInfo  { return n.endpoints }
func (n *fakeNode) RecordUsage() core.RecordUsage   { return n.usage }
func (n *fakeNode) RecordError() error              { return n.recordErr }

type fakePlugins struct {
	status []plugins.Status
	own    []plugins.PluginMetrics
	hangs  bool // its plugins do not tell their metrics
}

func (p *fakePlugins) Status() []plugins.Status { return p.status }

func (p *fakePlugins) Metrics(ctx context.Context) []plugins.PluginMetrics {
	if p.hangs {
		<-ctx.Done()
		return []plugins.PluginMetrics{{ID: "talk.echo", Name: "echo", Err: ctx.Err()}}
	}
	return p.own
}

// testSelf is a record with sequence number 7.
func testSelf(t *testing.T) *enode.Node {
	t.Helper()
	key, err := crypto.ToECDSA(append(make([]byte, 31), 1))
	if err != nil {
		t.Fatal(err)
	}
	var r enr.Record
	r.SetSeq(7)
	if err := enode.SignV4(&r, key); err != nil {
		t.Fatal(err)
	}
	node, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// ownMetric is a metric of a plugin with one sample; labels are names and values in turn.
func ownMetric(name, help string, counter bool, value float64, labels ...string) plugins.Metric {
	m := plugins.Metric{Name: name, Help: help, Counter: counter}
	m.Samples = sized(m.Samples, 1)
	m.Samples[0].Value, m.Samples[0].Labels = value, make(map[string]string)
	for i := 0; i+1 < len(labels); i += 2 {
		m.Samples[0].Labels[labels[i]] = labels[i+1]
	}
	return m
}

// atDistance returns a node at a log distance from id.
func atDistance(id enode.ID, distance int) *enode.Node {
	if distance > 0 {
		id[(256-distance)/8] ^= 0x80 >> ((256 - distance) % 8)
	}
	var r enr.Record
	return enode.SignNull(&r, id)
}

// busy is a host in which everything has happened.
func busy(t *testing.T) Config {
	self := testSelf(t)
	n := &fakeNode{self: self}
	st := &n.stats
	st.PacketsReceived, st.BytesReceived, st.PacketsSent, st.BytesSent = 11, 12, 13, 14
	st.SendDropped, st.Oversized, st.BannedPackets, st.JobsDropped = 15, 16, 17, 18
	for i := range st.MessagesReceived {
		st.MessagesReceived[i], st.MessagesSent[i] = uint64(100+i), uint64(200+i)
		st.Timeouts[i], st.InvalidResponses[i] = uint64(30+i), uint64(40+i)
	}
	st.InvalidMessages, st.SessionLimited, st.Unsolicited = 19, 20, 21
	ping := &st.Latencies[codec.PingType]
	ping[core.RequestAnswered] = latency(3*time.Second, 2, 0, 0, 0, 3)
	ping[core.RequestAnswered].Counts[len(core.LatencyBounds)] = 1 // beyond all
	ping[core.RequestTimeout] = latency(4*time.Second, 1)
	ends := &st.LookupEnds
	ends.Results = [...]uint64{301, 302, 303, 304}
	ends.Latency = latency(time.Minute, 0, 4)
	ends.Nodes.Counts[0], ends.Nodes.Counts[5], ends.Nodes.Sum = 1, 2, 32
	ends.Asked.Counts[8], ends.Asked.Sum = 3, 300
	st.LookupsRunning, st.Jobs, st.SessionsOpened = 305, 306, 307
	st.TalkUnknown, st.TalkShed, st.TalkTimeouts, st.TalkLate, st.TalkFailed = 22, 23, 24, 25, 26
	st.NodesAdded, st.NodesRemoved, st.Lookups, st.AutoUpdates, st.FilterRejected = 27, 28, 29, 3, 31
	for i := range st.Sessions.Drops {
		st.Sessions.Drops[i] = uint64(1000 + i)
	}
	st.Sessions.SessionHits, st.Sessions.SessionMisses, st.Sessions.DecryptFailures = 51, 52, 5
	st.Sessions.Challenges, st.Sessions.ChallengesRepeated, st.Sessions.ChallengesEvicted = 60, 4, 6
	st.Sessions.HandshakesSent, st.Sessions.HandshakesAccepted, st.Sessions.SessionsEvicted = 61, 62, 63
	st.Sessions.Sessions, st.Sessions.PendingChallenges = 64, 65
	st.TableNodes, st.TableVerified, st.Calls, st.Bans = 3, 2, 66, 67
	st.Drained = time.Unix(1_700_000_000, 500_000_000)

	n.filters = []core.FilterStats{{
		Name: "eth2", DryRun: true, Calls: 8, Failures: 9, Waiting: 10,
		Decisions: []core.FilterDecision{
			{Stage: core.StageTable, Decision: core.Accept, Count: 70},
			{Stage: core.StageDeliver, Decision: core.Reject, Reason: "wrong_fork", Count: 71},
		},
	}}
	n.filters[0].Latency.Counts[1] = 8
	echo := core.TalkStats{Protocol: "echo"}
	echo.Served = core.TalkServed{Answered: 310, Empty: 10, Timeouts: 311, Failed: 312, Shed: 313, Latency: latency(time.Second, 1, 2)}
	echo.Asked = core.TalkAsked{Results: [...]uint64{320, 321, 322, 323, 324}, Empty: 20, Unawaited: 325, Latency: latency(2*time.Second, 0, 0, 6)}
	other := core.TalkStats{Other: true}
	other.Served.Unknown = 330
	n.talks = []core.TalkStats{{Protocol: ""}, {Protocol: "\x00\xff"}, echo, {Protocol: "other"}, other}
	n.store = core.StoreStats{Waiting: 72, Written: 73, Dropped: 74, Failures: 75, Seeds: 76, Learned: 77, Loaded: true}
	n.store.Ops[core.StoreScan] = core.StoreOpStats{OK: 340, Timeouts: 341, Failures: 342, Latency: latency(time.Second, 0, 0, 0, 5)}
	n.storeErr, n.recordErr = errors.New("disk full"), errors.New("disk full")
	for _, at := range []struct {
		distance int
		verified bool
	}{{256, true}, {250, true}, {3, false}} {
		n.table.Nodes = append(n.table.Nodes, core.NodeInfo{Node: atDistance(self.ID(), at.distance), Verified: at.verified})
	}
	n.table.Buckets = []table.BucketInfo{
		{Prefix: atDistance(self.ID(), 256).ID(), Depth: 1, Entries: 1, Verified: 1, Replacements: 5},
		{Prefix: self.ID(), Depth: 1, Local: true, Entries: 2, Verified: 1, Replacements: 6},
	}
	published := netip.MustParseAddrPort("192.0.2.1:9000")
	four := core.EndpointInfo{Family: "ipv4", Published: published, Pinned: true, Reachable: "reachable"}
	six := core.EndpointInfo{Family: "ipv6", Reachable: "unknown"}
	four.Votes.Voters, four.Votes.Threshold = 15, 10
	votes := sized(four.Votes.Counts, 3)
	votes[0].Addr, votes[0].Votes = netip.MustParseAddr("192.0.2.9"), 8
	votes[1].Addr, votes[1].Votes = published.Addr(), 7
	votes[2].Addr, votes[2].Votes = netip.MustParseAddr("192.0.2.8"), 1
	four.Votes.Counts = votes
	n.endpoints = []core.EndpointInfo{four, six}
	n.usage.Size, n.usage.Max = 150, 300

	talk := &plugins.TalkStats{Requests: 100, Sent: 90, Answered: 80, Late: 1, Failed: 2, TooLarge: 3, Broken: 4, LateAnswers: 5, Repeated: 6, Unknown: 7, Messages: 45, Tripped: 8, InFlight: 9, Queued: 10, Breaker: 1}
	for i := range talk.Shed {
		talk.Shed[i] = uint64(500 + i)
	}
	status := []plugins.Status{
		{
			ID: "talk.echo", Kind: plugins.Talk, Name: "echo", Required: true, State: plugins.Running, Restarts: 2,
			Transitions: map[plugins.State]uint64{plugins.Running: 3, plugins.Crashed: 2},
			PID:         4711, Started: time.Unix(1_700_000_100, 0), Program: "echo\xff", Version: strings.Repeat("9", 500),
			Usage:  plugins.Usage{CPU: 1500 * time.Millisecond, RSS: 1 << 20},
			Output: plugins.OutputStats{Lines: 81, Bytes: 82, Cut: 83, Unlogged: 84},
			Talk:   talk,
			Host:   &plugins.HostStats{Events: 85, Lost: 86, Open: 87, Unsent: 88},
		},
		{
			ID: "filter.eth2", Kind: plugins.Filter, Name: "eth2", State: plugins.Backoff, Pinned: true,
			Filter: &plugins.FilterStats{Batches: 91, Nodes: 92, Decided: 93, Late: 94, Wasted: 95, Failures: 96},
			Calls:  &plugins.SlotStats{Calls: 97, Failures: 98, Open: 99},
		},
	}
	calls := sized(status[0].Host.Calls, 2)
	calls[0].Call, calls[0].Result, calls[0].Count = "find_node", "ok", 89
	calls[1].Call, calls[1].Result, calls[1].Count = "find_node", "not_granted", 90
	status[0].Host.Calls = calls
	reloaded := NewReloads(admin.Outcomes()...)
	reloaded.Done("changed", time.Unix(1_700_000_200, 0))
	reloaded.Done("changed", time.Unix(1_700_000_300, 0))
	reloaded.Done("nonsense", time.Unix(1_700_000_400, 0))
	return Config{
		Node:    n,
		Plugins: &fakePlugins{status: status, own: []plugins.PluginMetrics{{ID: "talk.echo", Name: "echo", Metrics: []plugins.Metric{ownMetric("echoed_total", "Echoes.", true, 5, "kind", "big")}, Dropped: 2}}},
		Admin: func() admin.Stats {
			return admin.Stats{Refused: 350, Unauthorized: 351, Calls: 352, FailedCalls: 52, EventReaders: 353, ReadersDropped: 354, Ready: true}
		},
		Reloads: reloaded,
		Build:   build.Info{Version: "v1.2.3", Commit: "abc", Go: "go1.26", Platform: "linux/amd64"},
	}
}

// latency is a histogram with counts in its first classes.
func latency(sum time.Duration, counts ...uint64) (l core.Latency) {
	l.Sum = sum
	copy(l.Counts[:], counts)
	return l
}

// sized makes a slice of elements whose type may have a name that only its package can write.
func sized[T any](_ []T, count int) []T { return make([]T, count) }
