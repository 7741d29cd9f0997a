package admin

import (
	"context"
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

// hexID is the form of a node id in the API.
func hexID(id enode.ID) string { return "0x" + id.String() }

func hexBytes(b []byte) string { return "0x" + hex.EncodeToString(b) }

func seconds(d time.Duration) float64 { return d.Seconds() }

// Status is how a host is.
type Status struct {
	Version       string           `json:"version"`
	NodeID        string           `json:"nodeId"`
	ENR           string           `json:"enr"`
	Seq           uint64           `json:"seq"`
	Started       time.Time        `json:"started"`
	UptimeSeconds float64          `json:"uptimeSeconds"`
	Listen        []netip.AddrPort `json:"listen"`
	Readiness     Readiness        `json:"readiness"`
	Nodes         int              `json:"nodes"`    // in the table
	Verified      int              `json:"verified"` // of them, those that are known to answer
	Sessions      int              `json:"sessions"`
	Requests      int              `json:"requests"` // of ours under way
	Bans          int              `json:"bans"`
	Lookups       uint64           `json:"lookups"`
	Traffic       Traffic          `json:"traffic"`
	Plugins       PluginCount      `json:"plugins"`
	Store         StoreView        `json:"store"`
	Reload        *ReloadResult    `json:"reload,omitempty"`      // of the last one since the start
	RecordError   string           `json:"recordError,omitempty"` // why the newest record could not be saved
	Admin         AdminView        `json:"admin"`
}

// Traffic counts what went over the sockets since the start.
type Traffic struct {
	PacketsReceived uint64    `json:"packetsReceived"`
	BytesReceived   uint64    `json:"bytesReceived"`
	PacketsSent     uint64    `json:"packetsSent"`
	BytesSent       uint64    `json:"bytesSent"`
	LastRead        time.Time `json:"lastRead"`
}

// PluginCount is how many plugins there are.
type PluginCount struct {
	Total   int      `json:"total"`
	Serving int      `json:"serving"`
	Missing []string `json:"missing"` // required ones that do not serve
}

// StoreView is how the store is; without one it is all zero.
type StoreView struct {
	Error    string `json:"error,omitempty"`
	Loaded   bool   `json:"loaded"`
	Waiting  int    `json:"waiting"` // changes to be written
	Written  uint64 `json:"written"`
	Dropped  uint64 `json:"dropped"`
	Failures uint64 `json:"failures"`
	Seeds    int    `json:"seeds"`   // nodes read at the start
	Learned  int    `json:"learned"` // records that other hosts stored
}

// AdminView is how busy this API is.
type AdminView struct {
	Calls              uint64 `json:"calls"`
	FailedCalls        uint64 `json:"failedCalls"`
	EventReaders       int    `json:"eventReaders"`
	ReadersDropped     uint64 `json:"readersDropped"`
	RefusedConnections uint64 `json:"refusedConnections"`
	Unauthorized       uint64 `json:"unauthorized"`
}

func (s *Server) status(ctx context.Context) (Status, error) {
	stats, alive := s.probe.ask(ctx, s.cfg.Node)
	if !alive {
		return Status{}, fail(CodeUnavailable, silentNode, "silent", "the log of the host may say why; a restart helps")
	}
	n, now := s.cfg.Node, time.Now()
	self, admin := n.Self(), s.counters()
	v := Status{
		Version: s.cfg.Version, NodeID: hexID(self.ID()), ENR: self.String(), Seq: self.Seq(),
		Started: s.started, UptimeSeconds: seconds(now.Sub(s.started)), Listen: list(n.LocalAddrs()), Readiness: s.judge(now, stats),
		Nodes: stats.TableNodes, Verified: stats.TableVerified, Sessions: stats.Sessions.Sessions, Requests: stats.Calls, Bans: stats.Bans, Lookups: stats.Lookups,
		Traffic: Traffic{stats.PacketsReceived, stats.BytesReceived, stats.PacketsSent, stats.BytesSent, stats.Drained},
		Plugins: PluginCount{Missing: []string{}},
		Admin:   AdminView{admin.Calls, admin.FailedCalls, admin.EventReaders, admin.ReadersDropped, admin.Refused, admin.Unauthorized},
	}
	if s.cfg.Plugins != nil {
		all := s.cfg.Plugins.Status()
		v.Plugins = PluginCount{Total: len(all), Missing: list(s.cfg.Plugins.Missing())}
		for i := range all {
			if all[i].State.Serves() {
				v.Plugins.Serving++
			}
		}
	}
	st := n.StoreStats()
	v.Store = StoreView{textOf(n.StoreError()), st.Loaded, st.Waiting, st.Written, st.Dropped, st.Failures, st.Seeds, st.Learned}
	v.RecordError = textOf(n.RecordError())
	v.Reload = s.cfg.Feed.lastReload()
	return v, nil
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// list is a slice that is never null in JSON.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// NodeView is this node.
type NodeView struct {
	NodeID string           `json:"nodeId"`
	ENR    string           `json:"enr"`
	Listen []netip.AddrPort `json:"listen"`
	Record RecordView       `json:"record"`
}

// RecordView is what the local record is made of.
type RecordView struct {
	Seq    uint64      `json:"seq"`
	Size   int         `json:"size"`  // bytes
	Max    int         `json:"max"`   // bytes it may have
	Left   int         `json:"left"`  // bytes that further fields may take
	Fixed  int         `json:"fixed"` // bytes of signature, sequence number and header
	Fields []FieldView `json:"fields"`
	Error  string      `json:"error,omitempty"` // why the newest one could not be saved
}

// FieldView is a pair of the record.
type FieldView struct {
	Key   string `json:"key"`
	Owner string `json:"owner"`
	Size  int    `json:"size"` // bytes of key and value
	// Value is what the value's bytes are in hex, and of a value that is a list, its encoding.
	Value string `json:"value"`
}

func (s *Server) nodeView() NodeView {
	self := s.cfg.Node.Self()
	return NodeView{hexID(self.ID()), self.String(), list(s.cfg.Node.LocalAddrs()), s.recordView()}
}

func (s *Server) recordView() RecordView {
	self, usage := s.cfg.Node.Self(), s.cfg.Node.RecordUsage()
	values := make(map[string]string)
	pairs := self.Record().AppendElements(nil)[1:] // behind the sequence number
	for i := 0; i+1 < len(pairs); i += 2 {
		key, _ := pairs[i].(string)
		raw, _ := pairs[i+1].(rlp.RawValue)
		if content, rest, err := rlp.SplitString(raw); err == nil && len(rest) == 0 {
			raw = content
		}
		values[key] = hexBytes(raw)
	}
	v := RecordView{
		Seq: self.Seq(), Size: usage.Size, Max: usage.Max, Left: max(usage.Max-usage.Size, 0), Fixed: usage.Fixed,
		Fields: []FieldView{}, Error: textOf(s.cfg.Node.RecordError()),
	}
	for _, f := range usage.Fields {
		v.Fields = append(v.Fields, FieldView{f.Key, f.Owner, f.Size, values[f.Key]})
	}
	return v
}

// TableView is the routing table.
type TableView struct {
	Nodes    int          `json:"nodes"`
	Verified int          `json:"verified"`
	Buckets  []BucketView `json:"buckets"` // in the order of ids
}

// BucketView is a bucket.
type BucketView struct {
	Prefix       string `json:"prefix"` // ids in it begin with the first depth bits of it
	Depth        int    `json:"depth"`
	Local        bool   `json:"local"` // this node's id is in its range
	Entries      int    `json:"entries"`
	Verified     int    `json:"verified"`
	Replacements int    `json:"replacements"`
}

func (s *Server) tableView() TableView {
	t := s.cfg.Node.Table()
	v := TableView{Buckets: []BucketView{}}
	for _, b := range t.Buckets {
		v.Nodes += b.Entries
		v.Verified += b.Verified
		v.Buckets = append(v.Buckets, BucketView{hexID(b.Prefix), b.Depth, b.Local, b.Entries, b.Verified, b.Replacements})
	}
	return v
}

// NodesView is a page of nodes.
type NodesView struct {
	Nodes []PeerView `json:"nodes"`
	Next  string     `json:"next,omitempty"` // what to give as after for the next page; absent: this is the last one
}

// PeerView is a node of the table.
type PeerView struct {
	NodeID    string         `json:"nodeId"`
	ENR       string         `json:"enr"`
	Seq       uint64         `json:"seq"`
	Addr      netip.AddrPort `json:"addr"`
	LogDist   int            `json:"logDistance"`
	Verified  bool           `json:"verified"`
	Bootstrap bool           `json:"bootstrap"`
	Added     time.Time      `json:"added"`
	LastSeen  time.Time      `json:"lastSeen,omitzero"`
	RTT       float64        `json:"rttSeconds"`
}

func (s *Server) peerView(n core.NodeInfo) PeerView {
	id := n.Node.ID()
	return PeerView{
		NodeID: hexID(id), ENR: n.Node.String(), Seq: n.Node.Seq(), Addr: n.Addr, LogDist: enode.LogDist(s.cfg.Node.Self().ID(), id),
		Verified: n.Verified, Bootstrap: n.Bootstrap, Added: n.Added, LastSeen: n.LastSeen, RTT: seconds(n.RTT),
	}
}

// FoundView is what a lookup found, the closest first.
type FoundView struct {
	Nodes []FoundNode `json:"nodes"`
}

// FoundNode is a node that a lookup found.
type FoundNode struct {
	NodeID  string `json:"nodeId"`
	ENR     string `json:"enr"`
	Seq     uint64 `json:"seq"`
	LogDist int    `json:"logDistance"` // from what was looked up
}

// SessionsView is the sessions.
type SessionsView struct {
	Sessions []SessionView `json:"sessions"`
}

// SessionView is a session.
type SessionView struct {
	NodeID string         `json:"nodeId"`
	Addr   netip.AddrPort `json:"addr"`
	Seq    uint64         `json:"seq"` // of the record that the peer last showed; 0: none
}

func (s *Server) sessionsView() SessionsView {
	v := SessionsView{Sessions: []SessionView{}}
	for _, x := range s.cfg.Node.Sessions() {
		v.Sessions = append(v.Sessions, SessionView{hexID(x.ID), x.Addr, x.Seq})
	}
	return v
}

// EndpointsView is our endpoints.
type EndpointsView struct {
	Endpoints []EndpointView `json:"endpoints"`
}

// EndpointView is our endpoint of one address family.
type EndpointView struct {
	Family    string         `json:"family"`             // ipv4 or ipv6
	Published netip.AddrPort `json:"published,omitzero"` // in the record
	Pinned    bool           `json:"pinned"`             // votes do not change it
	Reachable string         `json:"reachable"`          // reachable, unreachable or unknown
	Voters    int            `json:"voters"`             // votes that count now
	Threshold int            `json:"threshold"`          // votes that it takes
	Votes     []VoteView     `json:"votes"`
}

// VoteView is how many peers see us at an address.
type VoteView struct {
	Addr      netip.Addr `json:"addr"`
	Votes     int        `json:"votes"`
	Port      uint16     `json:"port"` // named most often with it
	PortVotes int        `json:"portVotes"`
}

func (s *Server) endpointsView() EndpointsView {
	v := EndpointsView{Endpoints: []EndpointView{}}
	for _, e := range s.cfg.Node.Endpoints() {
		x := EndpointView{e.Family, e.Published, e.Pinned, e.Reachable, e.Votes.Voters, e.Votes.Threshold, []VoteView{}}
		if e.Published.Port() == 0 || !e.Published.Addr().IsValid() {
			x.Published = netip.AddrPort{}
		}
		for _, c := range e.Votes.Counts {
			x.Votes = append(x.Votes, VoteView{c.Addr, c.Votes, c.Port, c.PortVotes})
		}
		v.Endpoints = append(v.Endpoints, x)
	}
	return v
}
