package sdk

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Bounds of calls.
const (
	maxTalk      = 1176 // bytes of a request's payload and its protocol's name: discv5-wire.md, packets have at most 1280 bytes
	maxCallNodes = 256
	maxDistance  = 256
)

// Self returns the host's own record. Grant: self.
func (h *Host) Self(ctx context.Context) (*enode.Node, error) {
	r, err := h.call(ctx, "self", GrantSelf, &pluginpb.HostCall{Call: &pluginpb.HostCall_Self{Self: &pluginpb.SelfCall{}}})
	if err != nil {
		return nil, err
	}
	n, err := node(r.GetSelf().GetNodeId(), r.GetSelf().GetRecord())
	if err != nil {
		return nil, badReply("self", err)
	}
	return n, nil
}

// Pong is the answer to a PING.
type Pong struct {
	Seq       uint64         // of the record that the node has
	Recipient netip.AddrPort // the host's endpoint as the node sees it
	RTT       time.Duration  // in microseconds
}

// Ping sends a PING. ErrTimeout, ErrNoAddress, ErrBanned, … Grant: ping.
func (h *Host) Ping(ctx context.Context, n *enode.Node) (Pong, error) {
	target, err := targetNode("ping", n)
	if err != nil {
		return Pong{}, err
	}
	r, err := h.call(ctx, "ping", GrantPing, &pluginpb.HostCall{Call: &pluginpb.HostCall_Ping{Ping: &pluginpb.PingCall{Target: target}}})
	if err != nil {
		return Pong{}, err
	}
	p := r.GetPing()
	return Pong{
		Seq:       p.GetEnrSeq(),
		Recipient: addrPort(p.GetRecipientIp(), p.GetRecipientPort()),
		RTT:       time.Duration(min(p.GetRttUs(), math.MaxInt64/1000)) * time.Microsecond,
	}, nil
}

// FindNode asks a node for the nodes in its table at log distances, 0 (the node itself) to 256. Grant: findnode.
func (h *Host) FindNode(ctx context.Context, n *enode.Node, distances []uint) ([]*enode.Node, error) {
	target, err := targetNode("findnode", n)
	if err != nil {
		return nil, err
	}
	c := &pluginpb.FindNodeCall{Target: target}
	for _, d := range distances {
		if d > maxDistance || len(c.Distances) > maxDistance {
			return nil, badCall("findnode", ErrInvalid, "distances are 0 to 256, each once")
		}
		c.Distances = append(c.Distances, uint32(d))
	}
	r, err := h.call(ctx, "findnode", GrantFindNode, &pluginpb.HostCall{Call: &pluginpb.HostCall_FindNode{FindNode: c}})
	return nodesOf("findnode", r, err)
}

// Talk sends a TALKREQ and returns the response's payload. An empty one says that the node does not speak the protocol or
// cannot answer. The payload has at most 1176 bytes less the length of the protocol's name, otherwise ErrTooLarge. Grant: talk.
func (h *Host) Talk(ctx context.Context, n *enode.Node, protocol string, payload []byte) ([]byte, error) {
	target, err := targetNode("talk", n)
	if err != nil {
		return nil, err
	}
	return h.talk(ctx, target, protocol, payload)
}

// TalkTo is Talk with a node that is known by id and address only, such as one that sent a request. It needs a session,
// or a record of the node in the host; otherwise ErrNoRecord. Grant: talk.
func (h *Host) TalkTo(ctx context.Context, id enode.ID, addr netip.AddrPort, protocol string, payload []byte) ([]byte, error) {
	return h.talk(ctx, targetAddr(id, addr), protocol, payload)
}

func (h *Host) talk(ctx context.Context, target *pluginpb.Target, protocol string, payload []byte) ([]byte, error) {
	if err := talkFits("talk", protocol, payload); err != nil {
		return nil, err
	}
	c := &pluginpb.TalkCall{Target: target, Protocol: []byte(protocol), Payload: payload}
	r, err := h.call(ctx, "talk", GrantTalk, &pluginpb.HostCall{Call: &pluginpb.HostCall_Talk{Talk: c}})
	return r.GetTalk().GetPayload(), err
}

// TalkSend sends a TALKREQ and forgets about it. It does not wait, neither for a response nor for the request to leave, and
// does not keep payload. When 4096 wait to go out it fails with ErrExhausted. Grant: talk.
func (h *Host) TalkSend(id enode.ID, addr netip.AddrPort, protocol string, payload []byte) error {
	if err := h.allowed("talk_send", GrantTalk); err != nil {
		return err
	}
	if err := talkFits("talk_send", protocol, payload); err != nil {
		return err
	}
	c := &pluginpb.TalkSendCall{Target: targetAddr(id, addr), Protocol: []byte(protocol), Payload: append([]byte(nil), payload...)}
	return h.link.send("talk_send", &pluginpb.HostCall{Call: &pluginpb.HostCall_TalkSend{TalkSend: c}})
}

func talkFits(call, protocol string, payload []byte) error {
	if len(protocol) == 0 {
		return badCall(call, ErrInvalid, "no protocol")
	}
	if room := maxTalk - len(protocol); len(payload) > room {
		return badCall(call, ErrTooLarge, fmt.Sprintf("payload of %d bytes, at most %d", len(payload), max(room, 0)))
	}
	return nil
}

// Match is a condition on a record: it has the key and, if Value is set, exactly this value; or it matches the expression.
type Match struct {
	Key        string
	Value      []byte // RLP content, without its header; nil: any
	Expression string // in place of Key and Value, see Where
}

// HasKey matches the records that have a key.
func HasKey(key string) Match { return Match{Key: key} }

// Where matches the records that match an expression in the language of package expr, like enr.eth2.fork_digest ==
// "0x8c9f62fe". The host compiles it: the call fails with ErrInvalid when it cannot.
func Where(expression string) Match { return Match{Expression: expression} }

func matches(all []Match) []*pluginpb.FieldMatch {
	var out []*pluginpb.FieldMatch
	for _, m := range all {
		out = append(out, &pluginpb.FieldMatch{Key: valid(m.Key), Value: m.Value, Expression: valid(m.Expression)})
	}
	return out
}

// LookupOption changes what a lookup returns: Matching, Want or Everything.
type LookupOption func(*lookupOptions)

type lookupOptions struct {
	match []Match
	want  int
	query bool
}

// Matching makes only nodes count that match all of these.
func Matching(all ...Match) LookupOption {
	return func(o *lookupOptions) { o.match = append(o.match, all...) }
}

// Want ends a lookup as soon as it found n nodes that match.
func Want(n int) LookupOption { return func(o *lookupOptions) { o.want = n } }

// Everything makes a lookup return all nodes that it met on the way instead of the 16 closest.
func Everything() LookupOption { return func(o *lookupOptions) { o.query = true } }

// Lookup looks for the 16 nodes closest to a target, in the network. Grant: lookup.
func (h *Host) Lookup(ctx context.Context, target enode.ID, options ...LookupOption) ([]*enode.Node, error) {
	return h.lookup(ctx, target[:], options)
}

// LookupRandom looks for the nodes closest to a random target. Grant: lookup.
func (h *Host) LookupRandom(ctx context.Context, options ...LookupOption) ([]*enode.Node, error) {
	return h.lookup(ctx, nil, options)
}

func (h *Host) lookup(ctx context.Context, target []byte, options []LookupOption) ([]*enode.Node, error) {
	var o lookupOptions
	for _, option := range options {
		option(&o)
	}
	c := &pluginpb.LookupCall{Target: target, Query: o.query, Match: matches(o.match), Want: uint32(min(max(o.want, 0), math.MaxUint32))}
	r, err := h.call(ctx, "lookup", GrantLookup, &pluginpb.HostCall{Call: &pluginpb.HostCall_Lookup{Lookup: c}})
	return nodesOf("lookup", r, err)
}

// Resolve finds the newest record of a node, in the network; ErrNotFound. Grant: resolve.
func (h *Host) Resolve(ctx context.Context, id enode.ID) (*enode.Node, error) {
	return h.resolve(ctx, id, false)
}

// Node returns the newest record of a node that the host knows by itself; ErrNotFound. Grant: resolve.
func (h *Host) Node(ctx context.Context, id enode.ID) (*enode.Node, error) {
	return h.resolve(ctx, id, true)
}

func (h *Host) resolve(ctx context.Context, id enode.ID, local bool) (*enode.Node, error) {
	c := &pluginpb.ResolveCall{NodeId: id[:], Local: local}
	r, err := h.call(ctx, "resolve", GrantResolve, &pluginpb.HostCall{Call: &pluginpb.HostCall_Resolve{Resolve: c}})
	nodes, err := nodesOf("resolve", r, err)
	if err != nil {
		return nil, err
	}
	if len(nodes) == 0 {
		return nil, badCall("resolve", ErrNotFound, "")
	}
	return nodes[0], nil
}

// Closest returns the k nodes of the host's table, 1 to 256, that are closest to a target, closest first; verified: only among
// those that have answered. Grant: closest.
func (h *Host) Closest(ctx context.Context, target enode.ID, k int, verified bool) ([]*enode.Node, error) {
	if k < 1 || k > maxCallNodes {
		return nil, badCall("closest", ErrInvalid, "k is 1 to 256")
	}
	c := &pluginpb.ClosestCall{Target: target[:], Count: uint32(k), Verified: verified}
	r, err := h.call(ctx, "closest", GrantClosest, &pluginpb.HostCall{Call: &pluginpb.HostCall_Closest{Closest: c}})
	return nodesOf("closest", r, err)
}

// Sample returns k random nodes of the host's table, 1 to 256, among those that match all conditions; fewer, if there are no
// more. Grant: sample.
func (h *Host) Sample(ctx context.Context, k int, all ...Match) ([]*enode.Node, error) {
	if k < 1 || k > maxCallNodes {
		return nil, badCall("sample", ErrInvalid, "k is 1 to 256")
	}
	c := &pluginpb.SampleCall{Count: uint32(k), Match: matches(all)}
	r, err := h.call(ctx, "sample", GrantSample, &pluginpb.HostCall{Call: &pluginpb.HostCall_Sample{Sample: c}})
	return nodesOf("sample", r, err)
}

func targetNode(call string, n *enode.Node) (*pluginpb.Target, error) {
	record, err := recordOf(n)
	if err != nil {
		return nil, badCall(call, ErrInvalid, err.Error())
	}
	return &pluginpb.Target{Record: record}, nil
}

func targetAddr(id enode.ID, addr netip.AddrPort) *pluginpb.Target {
	return &pluginpb.Target{NodeId: id[:], Ip: addr.Addr().Unmap().AsSlice(), Port: uint32(addr.Port())}
}

func nodesOf(call string, r *pluginpb.HostReply, err error) ([]*enode.Node, error) {
	if err != nil {
		return nil, err
	}
	nodes := make([]*enode.Node, 0, len(r.GetNodes().GetNodes()))
	for _, record := range r.GetNodes().GetNodes() {
		n, err := node(record.GetNodeId(), record.GetRecord())
		if err != nil {
			return nil, badReply(call, err)
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// badReply is a reply that makes no sense: the host's fault.
func badReply(call string, err error) error {
	return badCall(call, nil, "the host's reply: "+err.Error())
}
