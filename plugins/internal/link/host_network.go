package link

import (
	"context"
	"net/netip"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// Bounds of what calls carry.
const (
	maxNodes     = 256 // of one reply
	maxMatches   = 16
	maxDistances = 257
)

// target is whom a call is for.
type target struct {
	node *enode.Node // nil: only id and addr are known
	id   enode.ID
	addr netip.AddrPort // invalid: where the record says
}

// target reads a Target.
func (h *Host) target(t *pluginpb.Target) (to target, err error) {
	if len(t.GetIp()) > 0 {
		ip, ok := netip.AddrFromSlice(t.Ip)
		if !ok || t.Port == 0 || t.Port > 65535 {
			return to, &callError{pluginpb.CallCode_CALL_CODE_INVALID, "the target's address is none"}
		}
		to.addr = netip.AddrPortFrom(ip.Unmap(), uint16(t.Port))
	}
	if len(t.GetRecord()) > 0 {
		var known bool
		if to.node, known, err = h.records.verify(t.Record); !known {
			h.pace.spend(signatureCost)
		}
		if err != nil {
			return to, &callError{pluginpb.CallCode_CALL_CODE_INVALID, "the target's record: " + err.Error()}
		}
		to.id = to.node.ID()
		return to, nil
	}
	if to.id, err = idOf(t.GetNodeId()); err != nil {
		return to, err
	}
	return to, nil
}

func idOf(b []byte) (id enode.ID, err error) {
	if len(b) != len(id) {
		return id, &callError{pluginpb.CallCode_CALL_CODE_INVALID, "a node id has 32 bytes"}
	}
	return enode.ID(b), nil
}

// record is the node of a target, for calls that go to the address in its record.
func (h *Host) record(t *pluginpb.Target) (*enode.Node, error) {
	to, err := h.target(t)
	if err != nil {
		return nil, err
	}
	if to.node == nil {
		if to.node = h.cfg.Services.Node(to.id); to.node == nil {
			return nil, &callError{pluginpb.CallCode_CALL_CODE_NO_RECORD, "no record of this node is known"}
		}
	}
	if !to.addr.IsValid() {
		return to.node, nil
	}
	var ip4 enr.IPv4Addr
	var udp4 enr.UDP
	if to.node.Load(&ip4) == nil && to.node.Load(&udp4) == nil && to.addr == netip.AddrPortFrom(netip.Addr(ip4), uint16(udp4)) {
		return to.node, nil
	}
	var ip6 enr.IPv6Addr
	var udp6 enr.UDP6
	if to.node.Load(&ip6) == nil && to.node.Load(&udp6) == nil && to.addr == netip.AddrPortFrom(netip.Addr(ip6), uint16(udp6)) {
		return to.node, nil
	}
	return nil, &callError{pluginpb.CallCode_CALL_CODE_INVALID, "this call goes to the address in the record, and the target's is another"}
}

// talkBatch collects the talk calls of a message: they start together.
type talkBatch struct {
	calls []core.TalkCall
	ids   []uint64
}

// talk starts a TALKREQ. No goroutine waits for its end.
func (h *Host) talk(c *pluginpb.HostCall, call *pluginpb.TalkCall) {
	to, err := h.target(call.GetTarget())
	if err == nil {
		err = checkTalk(call.GetProtocol(), call.GetPayload())
	}
	if err != nil {
		h.end(c.Id, callTalk, outcome{err: err})
		return
	}
	if !h.admit(c.Id, callTalk, nil) {
		return
	}
	id := c.Id
	h.talks.ids = append(h.talks.ids, id)
	h.talks.calls = append(h.talks.calls, core.TalkCall{
		Node: to.node, ID: to.id, Addr: to.addr, Protocol: string(call.Protocol), Payload: call.Payload, Timeout: timeoutOf(c),
		Done: func(response []byte, err error) { h.talkEnded(id, response, err) },
	})
}

// talkEnded is called by core.
func (h *Host) talkEnded(id uint64, response []byte, err error) {
	cancelled := h.finish(id)
	switch {
	case cancelled && err != nil:
		h.end(id, callTalk, outcome{err: context.Canceled})
	case err != nil:
		h.end(id, callTalk, outcome{err: err})
	default:
		h.reply(id, callTalk, &pluginpb.HostReply{Result: &pluginpb.HostReply_Talk{Talk: &pluginpb.TalkResult{Payload: response}}})
	}
}

// talkSend sends a TALKREQ whose response nobody wants.
func (h *Host) talkSend(id uint64, call *pluginpb.TalkSendCall) {
	to, err := h.target(call.GetTarget())
	if err == nil {
		err = checkTalk(call.GetProtocol(), call.GetPayload())
	}
	if err == nil && to.node == nil && !to.addr.IsValid() {
		err = &callError{pluginpb.CallCode_CALL_CODE_INVALID, "the target has no address"}
	}
	switch {
	case err != nil:
		h.end(id, callTalkSend, outcome{err: err})
	case id != 0 && to.node == nil:
		if err := h.cfg.Services.TalkSend(to.id, to.addr, string(call.Protocol), call.Payload); err != nil {
			h.end(id, callTalkSend, outcome{err: err})
			return
		}
		h.end(id, callTalkSend, succeed())
	default:
		h.talks.ids = append(h.talks.ids, 0)
		h.talks.calls = append(h.talks.calls, core.TalkCall{
			Node: to.node, ID: to.id, Addr: to.addr, Protocol: string(call.Protocol), Payload: call.Payload,
		})
		h.end(id, callTalkSend, succeed())
	}
}

func checkTalk(protocol, payload []byte) error {
	if limit := codec.MaxTalkRequest(protocol); len(payload) > limit {
		return &callError{pluginpb.CallCode_CALL_CODE_TOO_LARGE, "the payload exceeds what fits into a packet"}
	}
	return nil
}

// flushTalks starts the talk calls that were collected.
func (h *Host) flushTalks() {
	if len(h.talks.calls) == 0 {
		return
	}
	if err := h.cfg.Services.TalkAsync(h.talks.calls...); err != nil {
		for _, id := range h.talks.ids {
			if id != 0 {
				h.finish(id)
				h.end(id, callTalk, outcome{err: err})
			}
		}
	}
	clear(h.talks.calls)
	h.talks.calls, h.talks.ids = h.talks.calls[:0], h.talks.ids[:0]
}

func (h *Host) ping(call *pluginpb.PingCall) func(context.Context) outcome {
	node, err := h.record(call.GetTarget())
	return func(ctx context.Context) outcome {
		if err != nil {
			return outcome{err: err}
		}
		pong, err := h.cfg.Services.Ping(ctx, node)
		if err != nil {
			return outcome{err: err}
		}
		return outcome{reply: &pluginpb.HostReply{Result: &pluginpb.HostReply_Ping{Ping: &pluginpb.PingResult{
			EnrSeq: pong.ENRSeq, RecipientIp: pong.Recipient.Addr().AsSlice(), RecipientPort: uint32(pong.Recipient.Port()),
			RttUs: uint64(max(pong.RTT, 0) / time.Microsecond),
		}}}}
	}
}

func (h *Host) findNode(call *pluginpb.FindNodeCall) func(context.Context) outcome {
	node, err := h.record(call.GetTarget())
	if err == nil && len(call.GetDistances()) > maxDistances {
		err = &callError{pluginpb.CallCode_CALL_CODE_INVALID, "too many distances"}
	}
	var distances []uint
	for _, d := range call.GetDistances() {
		if d > codec.MaxDistance {
			err = &callError{pluginpb.CallCode_CALL_CODE_INVALID, "a distance is at most 256"}
		}
		distances = append(distances, uint(d))
	}
	return func(ctx context.Context) outcome {
		if err != nil {
			return outcome{err: err}
		}
		return nodes(h.cfg.Services.FindNode(ctx, node, distances))
	}
}

func (h *Host) lookup(call *pluginpb.LookupCall) func(context.Context) outcome {
	match, err := h.matcher(call.GetMatch())
	return func(ctx context.Context) outcome {
		if err != nil {
			return outcome{err: err}
		}
		to := randomID()
		if len(call.GetTarget()) > 0 {
			if to, err = idOf(call.Target); err != nil {
				return outcome{err: err}
			}
		}
		var options []core.LookupOption
		if match != nil {
			options = append(options, core.Matching(match))
		}
		if call.GetWant() > 0 {
			options = append(options, core.Wanting(int(min(call.Want, maxNodes))))
		}
		var found []*enode.Node
		if call.GetQuery() {
			found, err = h.cfg.Services.Query(ctx, to, 0, options...)
		} else {
			found, err = h.cfg.Services.Lookup(ctx, to, options...)
		}
		if len(found) > 0 {
			err = nil // what was found by the deadline counts
		}
		return nodes(found, err)
	}
}

func (h *Host) resolve(call *pluginpb.ResolveCall) func(context.Context) outcome {
	return func(ctx context.Context) outcome {
		id, err := idOf(call.GetNodeId())
		if err != nil {
			return outcome{err: err}
		}
		node, err := h.cfg.Services.Resolve(ctx, id)
		if err != nil {
			return outcome{err: err}
		}
		return nodes([]*enode.Node{node}, nil)
	}
}

// known is a resolve that asks nobody.
func (h *Host) known(call *pluginpb.ResolveCall) outcome {
	id, err := idOf(call.GetNodeId())
	if err != nil {
		return outcome{err: err}
	}
	node := h.cfg.Services.Node(id)
	if node == nil {
		return failure(pluginpb.CallCode_CALL_CODE_NOT_FOUND, "no record of this node is known")
	}
	return nodes([]*enode.Node{node}, nil)
}

func (h *Host) closest(call *pluginpb.ClosestCall) outcome {
	id, err := idOf(call.GetTarget())
	if err != nil {
		return outcome{err: err}
	}
	if call.Count == 0 || call.Count > maxNodes {
		return failure(pluginpb.CallCode_CALL_CODE_INVALID, "a count is 1 to %d", maxNodes)
	}
	return nodes(h.cfg.Services.Closest(id, int(call.Count), call.Verified), nil)
}

func (h *Host) sample(call *pluginpb.SampleCall) outcome {
	match, err := h.matcher(call.GetMatch())
	if err != nil {
		return outcome{err: err}
	}
	if call.GetCount() == 0 || call.Count > maxNodes {
		return failure(pluginpb.CallCode_CALL_CODE_INVALID, "a count is 1 to %d", maxNodes)
	}
	defer h.payFor(time.Now())
	return nodes(h.cfg.Services.Random(int(call.Count), match), nil)
}

// matcher reads conditions on behalf of the reader.
func (h *Host) matcher(all []*pluginpb.FieldMatch) (func(*enode.Node) bool, error) {
	defer h.payFor(time.Now())
	return h.conditions.matcher(all)
}

// payFor makes the plugin pay for what the reader did since, beyond what its calls cost in any case: an expression takes as long as the
// plugin likes.
func (h *Host) payFor(start time.Time) { h.pace.spend(int(time.Since(start) / workPerUnit)) }

// nodes makes a reply of nodes, the first 256.
func nodes(found []*enode.Node, err error) outcome {
	if err != nil {
		return outcome{err: err}
	}
	all := make([]*pluginpb.NodeRecord, 0, min(len(found), maxNodes))
	for _, node := range found[:min(len(found), maxNodes)] {
		all = append(all, nodeRecord(node))
	}
	return outcome{reply: &pluginpb.HostReply{Result: &pluginpb.HostReply_Nodes{Nodes: &pluginpb.Nodes{Nodes: all}}}}
}

func nodeRecord(node *enode.Node) *pluginpb.NodeRecord {
	id := node.ID()
	return &pluginpb.NodeRecord{NodeId: id[:], Record: recordOf(node)}
}
