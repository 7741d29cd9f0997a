package sdktest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// Bounds of what a host does for plugins.
const (
	maxTalk     = 1176 // bytes of a TALKREQ's protocol and payload
	maxRecord   = 300
	maxKV       = 256 // entries of a call
	maxKVKey    = 256
	maxKVValue  = 32 << 10
	maxNodes    = 256
	lookupNodes = 16
)

// describe reads what a call is about. "" is the name of one that is empty.
func describe(m *pluginpb.HostCall) Call {
	c := Call{Message: m}
	target := func(name string, t *pluginpb.Target) {
		c.Name = name
		c.Node, c.Addr = target(t)
	}
	switch call := m.GetCall().(type) {
	case *pluginpb.HostCall_Self:
		c.Name = sdk.GrantSelf
	case *pluginpb.HostCall_Ping:
		target(sdk.GrantPing, call.Ping.GetTarget())
	case *pluginpb.HostCall_FindNode:
		target(sdk.GrantFindNode, call.FindNode.GetTarget())
	case *pluginpb.HostCall_Talk:
		target(sdk.GrantTalk, call.Talk.GetTarget())
		c.Protocol, c.Payload = string(call.Talk.GetProtocol()), call.Talk.GetPayload()
	case *pluginpb.HostCall_TalkSend:
		target(sdk.GrantTalk, call.TalkSend.GetTarget())
		c.Protocol, c.Payload = string(call.TalkSend.GetProtocol()), call.TalkSend.GetPayload()
	case *pluginpb.HostCall_Lookup:
		c.Name = sdk.GrantLookup
		copy(c.Node[:], call.Lookup.GetTarget())
	case *pluginpb.HostCall_Resolve:
		c.Name = sdk.GrantResolve
		copy(c.Node[:], call.Resolve.GetNodeId())
	case *pluginpb.HostCall_Closest:
		c.Name = sdk.GrantClosest
		copy(c.Node[:], call.Closest.GetTarget())
	case *pluginpb.HostCall_Sample:
		c.Name = sdk.GrantSample
	case *pluginpb.HostCall_Watch:
		c.Name = sdk.GrantWatch
	case *pluginpb.HostCall_SetFields:
		c.Name = sdk.GrantRecord
	case *pluginpb.HostCall_KvPut, *pluginpb.HostCall_KvGet, *pluginpb.HostCall_KvScan, *pluginpb.HostCall_KvDelete:
		c.Name = sdk.GrantKV
	case *pluginpb.HostCall_Ban:
		c.Name = sdk.GrantBan
		copy(c.Node[:], call.Ban.GetNodeId())
	case *pluginpb.HostCall_Unban:
		c.Name = sdk.GrantBan
		copy(c.Node[:], call.Unban.GetNodeId())
	}
	return c
}

// target reads whom a call is for.
func target(t *pluginpb.Target) (id enode.ID, addr netip.AddrPort) {
	copy(id[:], t.GetNodeId())
	if len(t.GetRecord()) > 0 {
		var r enr.Record
		if err := rlp.DecodeBytes(t.GetRecord(), &r); err == nil {
			if n, err := enode.New(enode.ValidSchemes, &r); err == nil {
				id = n.ID()
				addr, _ = n.UDPEndpoint()
			}
		}
	}
	if ip, ok := netip.AddrFromSlice(t.GetIp()); ok {
		addr = netip.AddrPortFrom(ip, uint16(t.GetPort()))
	}
	return id, addr
}

// doTalk answers a TALKREQ as the node would.
func doTalk(answer func(enode.ID, string, []byte) ([]byte, error), call Call, m *pluginpb.HostCall, reply *pluginpb.HostReply) error {
	if len(call.Protocol)+len(call.Payload) > maxTalk {
		return sdk.ErrTooLarge
	}
	var response []byte
	if answer != nil {
		var err error
		if response, err = answer(call.Node, call.Protocol, bytes.Clone(call.Payload)); err != nil {
			return err
		}
	}
	if m.GetTalkSend() != nil {
		reply.Result = &pluginpb.HostReply_Done{Done: &pluginpb.Done{}}
	} else {
		reply.Result = &pluginpb.HostReply_Talk{Talk: &pluginpb.TalkResult{Payload: response}}
	}
	return nil
}

// do does every other call. h.mu is held.
func (h *Host) do(m *pluginpb.HostCall, call Call, reply *pluginpb.HostReply) error {
	reply.Result = &pluginpb.HostReply_Done{Done: &pluginpb.Done{}}
	switch c := m.GetCall().(type) {
	case *pluginpb.HostCall_Self:
		reply.Result = &pluginpb.HostReply_Self{Self: nodeRecord(h.self)}
	case *pluginpb.HostCall_Ping:
		if !call.Addr.IsValid() {
			return sdk.ErrNoAddress
		}
		to, _ := h.self.UDPEndpoint()
		reply.Result = &pluginpb.HostReply_Ping{Ping: &pluginpb.PingResult{
			EnrSeq: 1, RecipientIp: to.Addr().AsSlice(), RecipientPort: uint32(to.Port()), RttUs: 20_000,
		}}
	case *pluginpb.HostCall_FindNode:
		reply.Result = h.found(h.atDistances(call.Node, c.FindNode.GetDistances()), lookupNodes)
	case *pluginpb.HostCall_Lookup:
		id := call.Node
		if len(c.Lookup.GetTarget()) == 0 {
			id = randomID()
		}
		most := lookupNodes
		if c.Lookup.GetQuery() {
			most = len(h.nodes)
		}
		if want := int(c.Lookup.GetWant()); want > 0 {
			most = min(most, want)
		}
		nodes, err := h.closest(id, c.Lookup.GetMatch())
		reply.Result = h.found(nodes, most)
		return err
	case *pluginpb.HostCall_Resolve:
		for _, n := range h.nodes {
			if n.ID() == call.Node {
				reply.Result = h.found([]*enode.Node{n}, 1)
				return nil
			}
		}
		return sdk.ErrNotFound
	case *pluginpb.HostCall_Closest:
		nodes, err := h.closest(call.Node, nil)
		reply.Result = h.found(nodes, min(int(c.Closest.GetCount()), maxNodes))
		return err
	case *pluginpb.HostCall_Sample:
		nodes, err := h.closest(randomID(), c.Sample.GetMatch())
		reply.Result = h.found(nodes, min(int(c.Sample.GetCount()), maxNodes))
		return err
	case *pluginpb.HostCall_Watch:
		// events come when the plugin knows that it watches
	case *pluginpb.HostCall_SetFields:
		return h.setFields(c.SetFields.GetFields(), reply)
	case *pluginpb.HostCall_Ban:
		h.bans[subject(c.Ban.GetNodeId(), c.Ban.GetPrefix())] = c.Ban.GetReason()
	case *pluginpb.HostCall_Unban:
		delete(h.bans, subject(c.Unban.GetNodeId(), c.Unban.GetPrefix()))
	case *pluginpb.HostCall_KvPut, *pluginpb.HostCall_KvGet, *pluginpb.HostCall_KvScan, *pluginpb.HostCall_KvDelete:
		return h.doKV(m, reply)
	default:
		return sdk.ErrInvalid
	}
	return nil
}

func subject(id []byte, prefix string) string {
	if prefix != "" {
		return prefix
	}
	return hex.EncodeToString(id)
}

func nodeRecord(n *enode.Node) *pluginpb.NodeRecord {
	return &pluginpb.NodeRecord{NodeId: n.ID().Bytes(), Record: record(n)}
}

func (h *Host) found(nodes []*enode.Node, most int) *pluginpb.HostReply_Nodes {
	out := &pluginpb.Nodes{}
	for _, n := range nodes[:min(len(nodes), max(most, 0))] {
		out.Nodes = append(out.Nodes, nodeRecord(n))
	}
	return &pluginpb.HostReply_Nodes{Nodes: out}
}

func (h *Host) atDistances(from enode.ID, distances []uint32) (nodes []*enode.Node) {
	for _, n := range h.nodes {
		if slices.Contains(distances, uint32(enode.LogDist(from, n.ID()))) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// setFields changes the fields that the plugin owns. Those of the record itself belong to the operator.
func (h *Host) setFields(fields []*pluginpb.RecordField, reply *pluginpb.HostReply) error {
	next := make(map[string][]byte, len(h.fields))
	for key, value := range h.fields {
		next[key] = value
	}
	size := len(record(h.self))
	for _, f := range fields {
		if slices.Contains([]string{"id", "secp256k1", "ip", "ip6", "udp", "udp6", "tcp", "tcp6"}, f.GetKey()) {
			return sdk.ErrOwned
		}
		if len(f.GetValue()) == 0 {
			delete(next, f.GetKey())
		} else {
			next[f.GetKey()] = f.GetValue()
		}
	}
	for key, value := range next {
		size += 1 + len(key) + len(value)
	}
	if size > maxRecord {
		return sdk.ErrTooLarge
	}
	h.fields = next
	reply.Result = &pluginpb.HostReply_SetFields{SetFields: &pluginpb.SetFieldsResult{Seq: 2, Size: uint32(size), Limit: maxRecord}}
	return nil
}

// doKV does the calls of the key-value space.
func (h *Host) doKV(m *pluginpb.HostCall, reply *pluginpb.HostReply) error {
	now := time.Now()
	out := &pluginpb.KvEntries{}
	add := func(e sdk.KVEntry, ok bool) {
		if !ok || !e.Expires.IsZero() && !now.Before(e.Expires) {
			return
		}
		entry := &pluginpb.KvEntry{Key: e.Key, Value: e.Value}
		if !e.Expires.IsZero() {
			entry.ExpiresMs = uint64(e.Expires.UnixMilli())
		}
		out.Entries = append(out.Entries, entry)
	}
	switch c := m.GetCall().(type) {
	case *pluginpb.HostCall_KvPut:
		if len(c.KvPut.GetEntries()) > maxKV {
			return sdk.ErrTooLarge
		}
		for _, e := range c.KvPut.GetEntries() {
			if len(e.GetKey()) == 0 {
				return sdk.ErrInvalid
			}
			if len(e.GetKey()) > maxKVKey || len(e.GetValue()) > maxKVValue {
				return sdk.ErrTooLarge
			}
		}
		for _, e := range c.KvPut.GetEntries() {
			stored := sdk.KVEntry{Key: e.GetKey(), Value: e.GetValue()}
			if ms := e.GetExpiresMs(); ms != 0 {
				stored.Expires = time.UnixMilli(int64(ms))
			}
			h.kv[string(e.GetKey())] = stored
		}
		return nil
	case *pluginpb.HostCall_KvDelete:
		for _, key := range c.KvDelete.GetKeys() {
			delete(h.kv, string(key))
		}
		return nil
	case *pluginpb.HostCall_KvGet:
		for _, key := range c.KvGet.GetKeys() {
			e, ok := h.kv[string(key)]
			add(e, ok)
		}
	case *pluginpb.HostCall_KvScan:
		var keys []string
		for key := range h.kv {
			if strings.HasPrefix(key, string(c.KvScan.GetPrefix())) && key > string(c.KvScan.GetAfter()) {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			if len(out.Entries) < int(min(c.KvScan.GetLimit(), maxKV)) {
				add(h.kv[key], true)
			}
		}
	default:
		return errors.ErrUnsupported
	}
	reply.Result = &pluginpb.HostReply_Kv{Kv: out}
	return nil
}
