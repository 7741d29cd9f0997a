package core

import (
	"bytes"
	"hash/maphash"
	"slices"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/session"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	// maxAnswerRecords is how many records of one answer are looked at, and how many we put into one.
	maxAnswerRecords = 16
	// maxAnswerPackets is the largest total of a NODES answer.
	maxAnswerPackets = 16
)

// nodesAnswer collects the packets of a NODES answer, which may come in any order.
type nodesAnswer struct {
	distances []uint // asked for
	total     int
	packets   int
	seen      []uint64 // hashes of the packets so far
	records   [][]byte
}

// contents makes the hashes of packets.
var contents = maphash.MakeSeed()

// repeated tells whether a packet of the answer came before, and remembers it. A datagram may come twice, and a peer may seal
// the same message twice when handshakes cross, so it is the content that tells.
func (a *nodesAnswer) repeated(body []byte) bool {
	h := maphash.Bytes(contents, body)
	if slices.Contains(a.seen, h) {
		return true
	}
	a.seen = append(a.seen, h)
	return false
}

// response handles a response: it must fit a call in id, node and address.
func (n *Node) response(now time.Time, from session.Peer, kind codec.MessageType, body []byte) {
	c, r, err := n.parseResponse(kind, body)
	if err != nil {
		n.stats.InvalidMessages++
		return
	}
	if c == nil || c.peer != from {
		if kind != codec.PongType || !n.sessions.Primed(from, r.pong.RequestID) {
			n.stats.Unsolicited++
		}
		return
	}
	if kind != c.kind+1 {
		n.lied(now, c)
		return
	}
	if kind == codec.NodesType {
		n.nodesArrived(now, c, body)
		return
	}
	r.rtt = now.Sub(c.request.Sent)
	n.answered(now, c, r.rtt)
	if c.talk != nil && len(r.payload) == 0 {
		c.talk.Asked.Empty++
	}
	if kind == codec.PongType {
		n.vote(now, c.peer, r.pong.Recipient)
	}
	n.end(now, c, r)
}

// parseResponse finds the call that a response names.
func (n *Node) parseResponse(kind codec.MessageType, body []byte) (c *call, r reply, err error) {
	var id codec.RequestID
	switch kind {
	case codec.PongType:
		r.pong, err = codec.ParsePong(body)
		id = r.pong.RequestID
	case codec.NodesType:
		var m codec.Nodes
		m, err = codec.ParseNodes(body)
		id = m.RequestID
	default:
		var m codec.TalkResp
		m, err = codec.ParseTalkResp(body)
		id, r.payload = m.RequestID, bytes.Clone(m.Payload)
		if r.payload == nil {
			r.payload = []byte{}
		}
	}
	return n.calls[id], r, err
}

// lied ends a call whose node proved to lie: a response of the wrong kind over an authenticated session.
func (n *Node) lied(now time.Time, c *call) {
	n.stats.InvalidResponses[c.kind]++
	if n.cfg.BanInvalid > 0 && !n.isBootnode(c.peer.ID) {
		n.ban(now, Ban{ID: c.peer.ID, Reason: "response of the wrong kind", Until: now.Add(n.cfg.BanInvalid)})
	} else {
		n.failedNode(now, c.peer.ID)
	}
	n.end(now, c, reply{err: ErrInvalidResponse})
}

// nodesArrived collects one packet of a NODES answer. All packets must name the same total. A total beyond the bounds makes
// the answer useless and proves no lie: the specification names no bounds.
func (n *Node) nodesArrived(now time.Time, c *call, body []byte) {
	m, _ := codec.ParseNodes(body)
	a := c.nodes
	if m.Total < 1 || m.Total > maxAnswerPackets || a.packets > 0 && m.Total != a.total {
		n.stats.InvalidMessages++
		if a.packets == 0 {
			n.stats.InvalidResponses[c.kind]++
			n.end(now, c, reply{err: ErrInvalidResponse})
		}
		return
	}
	if a.repeated(body) {
		n.stats.Unsolicited++
		return
	}
	if a.packets == 0 {
		n.answered(now, c, now.Sub(c.request.Sent))
	}
	a.total = m.Total
	a.packets++
	for record := range m.Records.All() {
		if len(a.records) == maxAnswerRecords {
			break
		}
		a.records = append(a.records, bytes.Clone(record))
	}
	if a.packets >= a.total {
		n.finishNodes(now, c)
	}
}

// finishNodes checks what a NODES answer brought. Signatures that were never checked before go to a worker.
func (n *Node) finishNodes(now time.Time, c *call) {
	if !n.drop(now, c) {
		return
	}
	rtt := now.Sub(c.request.Sent)
	finish := func(now time.Time, nodes []*enode.Node) {
		c.done(now, reply{nodes: n.unbanned(now, n.acceptable(c, nodes)), rtt: rtt})
	}
	nodes := make([]*enode.Node, len(c.nodes.records))
	missing := false
	for i, record := range c.nodes.records {
		nodes[i] = n.records.lookup(record)
		missing = missing || nodes[i] == nil
	}
	if !missing {
		finish(now, nodes)
		return
	}
	verify := func() {
		for i, record := range c.nodes.records {
			if nodes[i] == nil {
				nodes[i], _ = n.records.verify(record) // a bad record is left out
			}
		}
	}
	if !n.offload(true, verify, func(now time.Time) { finish(now, nodes) }) {
		n.stats.JobsDropped++
		c.done(now, reply{err: ErrBusy})
	}
}

// acceptable leaves out what a node may not tell us: records without an endpoint, addresses that the sender cannot know
// better, distances that were not asked for, doubles.
func (n *Node) acceptable(c *call, nodes []*enode.Node) []*enode.Node {
	kept := nodes[:0]
	for _, node := range nodes {
		if node == nil || !n.tellable(c, node) {
			continue
		}
		double := false
		for _, k := range kept {
			double = double || k.ID() == node.ID()
		}
		if !double {
			kept = append(kept, node)
		}
	}
	return kept
}

func (n *Node) tellable(c *call, node *enode.Node) bool {
	v4, v6 := endpoints(node)
	if !usable(v4) && !usable(v6) {
		return false
	}
	// Both endpoints may be used later, so one that the sender cannot know better spoils the record.
	from := c.peer.Addr.Addr()
	if usable(v4) && !relayable(v4.Addr(), from) || usable(v6) && !relayable(v6.Addr(), from) {
		return false
	}
	return slices.Contains(c.nodes.distances, uint(table.LogDist(c.peer.ID, node.ID())))
}
