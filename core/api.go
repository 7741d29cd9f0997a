package core

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/endpoint"
	"github.com/discv5/host/core/internal/session"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// Pong is the answer to a PING.
type Pong struct {
	ENRSeq    uint64         // of the node's record
	Recipient netip.AddrPort // our endpoint as the node sees it
	RTT       time.Duration
}

// ID returns the node's id.
func (n *Node) ID() enode.ID { return n.self }

// LocalAddrs returns the addresses of the sockets.
func (n *Node) LocalAddrs() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, l := range n.links {
		addrs = append(addrs, l.local)
	}
	return addrs
}

// Ping sends a PING and waits for the PONG.
func (n *Node) Ping(ctx context.Context, node *enode.Node) (Pong, error) {
	r, err := n.awaitTarget(ctx, node, n.ping)
	if err != nil {
		return Pong{}, err
	}
	return Pong{ENRSeq: r.pong.ENRSeq, Recipient: r.pong.Recipient, RTT: r.rtt}, nil
}

// FindNode asks a node for the records that it knows at the given log distances from itself, 0 to 256; 0 is its own record.
// It returns those that pass the checks: valid signature, asked distance, an address that the node can know better, no
// doubles, at most 16. What has come by the deadline counts.
func (n *Node) FindNode(ctx context.Context, node *enode.Node, distances []uint) ([]*enode.Node, error) {
	for _, d := range distances {
		if d > codec.MaxDistance {
			return nil, fmt.Errorf("core: distance %d is beyond %d", d, codec.MaxDistance)
		}
	}
	r, err := n.awaitTarget(ctx, node, func(now time.Time, to target, done func(time.Time, reply)) *call {
		return n.findNode(now, to, slices.Clone(distances), done)
	})
	if err != nil {
		return nil, err
	}
	return n.deliver(ctx, r.nodes)
}

// Talk sends a TALKREQ and waits for the TALKRESP. An empty response means that the node does not speak the protocol, or could not
// answer. ErrTooLarge says that the payload exceeds codec.MaxTalkRequest.
func (n *Node) Talk(ctx context.Context, node *enode.Node, protocol string, payload []byte) ([]byte, error) {
	if err := checkTalk(protocol, payload); err != nil {
		return nil, err
	}
	r, err := n.awaitTarget(ctx, node, func(now time.Time, to target, done func(time.Time, reply)) *call {
		return n.startTalk(now, to, protocol, payload, done)
	})
	return r.payload, err
}

// TalkTo is Talk to an address, for a node whose record may be unknown here. Without a session and without a record it is
// ErrNoRecord: a handshake needs the node's key.
func (n *Node) TalkTo(ctx context.Context, id enode.ID, addr netip.AddrPort, protocol string, payload []byte) ([]byte, error) {
	if err := checkTalk(protocol, payload); err != nil {
		return nil, err
	}
	r, err := n.await(ctx, func(now time.Time, done func(time.Time, reply)) *call {
		return n.startTalk(now, target{id: id, addr: unmapped(addr)}, protocol, payload, done)
	})
	return r.payload, err
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func checkTalk(protocol string, payload []byte) error {
	if limit := codec.MaxTalkRequest([]byte(protocol)); len(payload) > limit {
		return fmt.Errorf("%w: payload of %d bytes, and %d is the most for this protocol", ErrTooLarge, len(payload), max(limit, 0))
	}
	return nil
}

func (n *Node) startTalk(now time.Time, to target, protocol string, payload []byte, done func(time.Time, reply)) *call {
	stats := n.talk.asked(protocol)
	c := n.startCall(now, to, codec.TalkReqType, func(id codec.RequestID) []byte {
		return codec.TalkReq{RequestID: id, Protocol: []byte(protocol), Payload: payload}.Append(nil)
	}, done)
	if c == nil {
		stats.Asked.count(RequestFailed, 0)
	} else {
		c.talk = stats
	}
	return c
}

// awaitTarget finds the address of a node, starts a call to it and waits.
func (n *Node) awaitTarget(ctx context.Context, node *enode.Node, start func(time.Time, target, func(time.Time, reply)) *call) (reply, error) {
	return n.await(ctx, func(now time.Time, done func(time.Time, reply)) *call {
		to, err := n.targetOf(now, node)
		if err != nil {
			done(now, reply{err: err})
			return nil
		}
		return start(now, to, done)
	})
}

// LookupOption narrows a lookup.
type LookupOption func(*table.LookupConfig)

// Matching makes a lookup return only nodes that a predicate accepts; the others still show the way. It is called on the
// goroutine of the lookup's caller.
func Matching(predicate func(*enode.Node) bool) LookupOption {
	return func(c *table.LookupConfig) { c.Predicate = predicate }
}

// Wanting stops a lookup when that many nodes that match were found.
func Wanting(count int) LookupOption {
	return func(c *table.LookupConfig) { c.Want = count }
}

// Lookup finds the 16 nodes closest to target, closest first. When ctx ends first, it returns those found so far together
// with the error of ctx; so do Query and QueryRandom.
func (n *Node) Lookup(ctx context.Context, target enode.ID, options ...LookupOption) ([]*enode.Node, error) {
	return n.lookup(ctx, table.LookupConfig{Target: target}, options)
}

// Query asks the k nodes that it meets first, on the way to target, and returns everything met; k is 16 when 0.
func (n *Node) Query(ctx context.Context, target enode.ID, k int, options ...LookupOption) ([]*enode.Node, error) {
	return n.lookup(ctx, table.LookupConfig{Target: target, K: k, Query: true}, options)
}

// QueryRandom is Query for a random target.
func (n *Node) QueryRandom(ctx context.Context, options ...LookupOption) ([]*enode.Node, error) {
	var target enode.ID
	if !n.turn(func(time.Time) { target = n.randomID() }) {
		return nil, ErrClosed
	}
	return n.Query(ctx, target, 0, options...)
}

func (n *Node) lookup(ctx context.Context, cfg table.LookupConfig, options []LookupOption) ([]*enode.Node, error) {
	for _, o := range options {
		o(&cfg)
	}
	var found []*enode.Node
	err := n.runQuery(ctx, cfg, func(l *table.Lookup) { found = n.unbanned(time.Now(), l.Result()) })
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	delivered, closed := n.deliver(ctx, found)
	return delivered, cmp.Or(closed, err)
}

// Resolve finds the newest record of a node: it asks the node itself if it is known, and looks it up if it does not answer or
// is unknown. The newest of what is found and what was known wins. ErrNotFound says that there is none, or that a filter of
// the deliver stage rejects it.
func (n *Node) Resolve(ctx context.Context, id enode.ID) (*enode.Node, error) {
	if id == n.self {
		return n.Self(), nil
	}
	if n.banned(id) {
		return nil, fmt.Errorf("%w: %v", ErrBanned, id)
	}
	known := n.Node(id)
	if known != nil {
		if nodes, err := n.FindNode(ctx, known, []uint{0}); err == nil && len(nodes) > 0 {
			return newest(known, nodes[0]), nil
		}
	}
	// A lookup leaves silent nodes out of its result; their records were met all the same.
	err := n.runQuery(ctx, table.LookupConfig{Target: id}, func(l *table.Lookup) {
		if met := l.Node(id); met != nil && !n.bannedNode(time.Now(), met) {
			known = newest(known, met)
		}
	})
	if err != nil {
		return nil, err
	}
	if known != nil {
		delivered, err := n.deliver(ctx, []*enode.Node{known})
		if err != nil {
			return nil, err
		}
		if len(delivered) > 0 {
			return delivered[0], nil
		}
	}
	return nil, fmt.Errorf("%w: %v", ErrNotFound, id)
}

// newest returns the record with the higher sequence number; a may be nil.
func newest(a, b *enode.Node) *enode.Node {
	if a != nil && a.Seq() >= b.Seq() {
		return a
	}
	return b
}

func (n *Node) banned(id enode.ID) (banned bool) {
	n.turn(func(now time.Time) { banned = n.bans.id(now, id) })
	return banned
}

// Add offers a node to the table and tells what became of it: table.Pending says that filters of the table stage may let it
// enter later, table.Rejected that they do not. A banned id, or an address in a banned range, is ErrBanned.
func (n *Node) Add(node *enode.Node) (result table.Result, err error) {
	if node == nil {
		return 0, ErrNoNode
	}
	if !n.turn(func(now time.Time) { result = n.offer(now, node, netip.AddrPort{}) }) {
		return 0, ErrClosed
	}
	if result == table.Banned {
		return result, ErrBanned
	}
	return result, nil
}

// AddENR is Add for the text form of a record.
func (n *Node) AddENR(text string) (table.Result, error) {
	node, err := enode.Parse(enode.ValidSchemes, text)
	if err != nil {
		return 0, fmt.Errorf("core: record: %w", err)
	}
	return n.Add(node)
}

// Remove takes a node out of the table. It reports whether it was there.
func (n *Node) Remove(id enode.ID) (removed bool) {
	n.turn(func(now time.Time) { removed = n.removeNode(now, id) })
	return removed
}

// Node returns the newest record known of a node, from the table or the bootstrap nodes, or nil.
func (n *Node) Node(id enode.ID) (node *enode.Node) {
	n.turn(func(now time.Time) {
		if node = n.known(id); node != nil && n.bannedNode(now, node) {
			node = nil
		}
	})
	return node
}

// Len returns the number of nodes in the table, and how many of them are verified to be alive.
func (n *Node) Len() (nodes, verified int) {
	n.turn(func(time.Time) { nodes, verified = n.table.Len(), n.table.Verified() })
	return nodes, verified
}

// Closest returns the k nodes of the table closest to id, closest first. Like AtDistances and Random it leaves out nodes
// that a filter of the deliver stage rejects or has not decided about yet.
func (n *Node) Closest(id enode.ID, k int, verifiedOnly bool) []*enode.Node {
	return n.pick(func(pass func(*table.Entry) bool) []*table.Entry {
		return n.table.Closest(nil, id, k, func(e *table.Entry) bool { return (e.Verified || !verifiedOnly) && pass(e) })
	})
}

// AtDistances returns up to k nodes of the table at the given log distances.
func (n *Node) AtDistances(distances []uint, k int) []*enode.Node {
	return n.pick(func(pass func(*table.Entry) bool) []*table.Entry { return n.table.AtDistances(nil, distances, k, pass) })
}

// Random returns up to count different nodes of the table that match, chosen at random; a nil predicate matches all. It is
// called on the caller's goroutine.
func (n *Node) Random(count int, match func(*enode.Node) bool) []*enode.Node {
	take := count
	if match != nil {
		take = math.MaxInt
	}
	all := n.pick(func(pass func(*table.Entry) bool) []*table.Entry {
		return n.table.Random(nil, min(take, n.table.Len()), pass)
	})
	if match == nil {
		return all
	}
	var nodes []*enode.Node
	for _, node := range all {
		if len(nodes) >= count {
			break
		}
		if match(node) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

func (n *Node) pick(choose func(pass func(*table.Entry) bool) []*table.Entry) (nodes []*enode.Node) {
	n.turn(func(now time.Time) {
		for _, e := range choose(func(e *table.Entry) bool { return n.filters.passes(now, StageDeliver, e.Node) }) {
			nodes = append(nodes, e.Node)
		}
	})
	return nodes
}

// HasField is a predicate: the record contains a pair whose value is exactly these bytes.
func HasField(key string, value []byte) func(*enode.Node) bool {
	return func(node *enode.Node) bool {
		var v []byte
		return node.Load(enr.WithEntry(key, &v)) == nil && string(v) == string(value)
	}
}

// NodeInfo is a node as the table keeps it.
type NodeInfo struct {
	Node      *enode.Node
	Addr      netip.AddrPort
	Verified  bool
	Bootstrap bool
	Added     time.Time
	LastSeen  time.Time // zero: never
	RTT       time.Duration
}

// TableInfo describes the routing table.
type TableInfo struct {
	Nodes   []NodeInfo // in the order of distance from this node
	Buckets []table.BucketInfo
}

// Table returns a copy of the routing table.
func (n *Node) Table() (info TableInfo) {
	n.turn(func(time.Time) {
		for e := range n.table.All() {
			info.Nodes = append(info.Nodes, NodeInfo{
				Node: e.Node, Addr: e.Addr, Verified: e.Verified, Bootstrap: e.Bootstrap,
				Added: e.Added, LastSeen: e.LastSeen, RTT: e.RTT,
			})
		}
		for b := range n.table.Buckets() {
			info.Buckets = append(info.Buckets, b)
		}
	})
	slices.SortFunc(info.Nodes, func(a, b NodeInfo) int { return enode.DistCmp(n.self, a.Node.ID(), b.Node.ID()) })
	return info
}

// SessionInfo is an established session.
type SessionInfo struct {
	ID   enode.ID
	Addr netip.AddrPort
	Seq  uint64 // of the record that the peer last showed; 0: none
}

// Sessions returns the established sessions in the order of node ids.
func (n *Node) Sessions() (all []SessionInfo) {
	n.turn(func(time.Time) {
		n.sessions.Sessions(func(s *session.Session) bool {
			info := SessionInfo{ID: s.Peer.ID, Addr: s.Peer.Addr}
			if s.Node != nil {
				info.Seq = s.Node.Seq()
			}
			all = append(all, info)
			return true
		})
	})
	slices.SortFunc(all, func(a, b SessionInfo) int {
		return cmp.Or(slices.Compare(a.ID[:], b.ID[:]), a.Addr.Compare(b.Addr))
	})
	return all
}

// EndSession forgets the session with a node at an address; the next packet starts a handshake.
func (n *Node) EndSession(id enode.ID, addr netip.AddrPort) {
	n.turn(func(time.Time) { n.endSession(session.Peer{ID: id, Addr: unmapped(addr)}, "ended") })
}

// Ban bans a node or an address range. Of two bans of the same subject the longer one holds.
func (n *Node) Ban(b Ban) error {
	if err := b.Validate(); err != nil {
		return err
	}
	b.Permanent = false
	if !n.turn(func(now time.Time) { n.ban(now, b) }) {
		return ErrClosed
	}
	return nil
}

// Unban ends a ban. It reports whether there was one. Those of Config.Bans go on.
func (n *Node) Unban(b Ban) (was bool) {
	n.turn(func(now time.Time) {
		if was = n.bans.remove(b); was {
			n.log.Info("ban lifted", "who", banSubject(b))
			n.events.publish(Event{Type: Unbanned, ID: b.ID, Prefix: b.Prefix.Masked()})
		}
		if was || !n.store.stats.Loaded { // the store may remember one
			n.store.unban(now, b)
		}
	})
	return was
}

// Bans returns the bans that hold, in the order of their end, the permanent ones last.
func (n *Node) Bans() (all []Ban) {
	n.turn(func(now time.Time) {
		n.bans.expire(now)
		all = slices.AppendSeq(slices.Collect(n.bans.all), n.bans.permanent.all)
	})
	slices.SortFunc(all, func(a, b Ban) int {
		switch {
		case a.Permanent == b.Permanent:
			return a.Until.Compare(b.Until)
		case a.Permanent:
			return 1
		}
		return -1
	})
	return all
}

// EndpointInfo is what is known about our endpoint of one address family.
type EndpointInfo struct {
	Family    string         // ipv4 or ipv6
	Published netip.AddrPort // in the record; invalid: none
	Pinned    bool           // votes do not change it
	Reachable string         // reachable, unreachable or unknown
	Votes     Tally
}

// Tally is how the votes of peers about our endpoint stand.
type Tally = endpoint.Tally

// Endpoints tells what the record names, whether strangers reach us there, and how peers see us.
func (n *Node) Endpoints() (all []EndpointInfo) {
	n.turn(func(now time.Time) {
		for i, published := range n.local.published.Load().endpoints {
			family := endpoint.Family(i)
			all = append(all, EndpointInfo{
				Family: family.String(), Published: published, Pinned: n.local.pinned[family],
				Reachable: n.reach.State(now, family).String(), Votes: n.votes.Tally(now, family),
			})
		}
	})
	return all
}

// StoreError is why the store does not work, nil when it does or when there is none.
func (n *Node) StoreError() (err error) {
	n.turn(func(time.Time) { err = n.store.degraded })
	return err
}
