package core

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/limit"
	"github.com/discv5/host/core/internal/session"
	"github.com/discv5/host/core/internal/udp"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// A socket that does nothing but fail is tried again after pauses that grow up to maxReadPause.
const (
	firstReadPause = time.Millisecond
	maxReadPause   = time.Second
)

// read takes packets off a socket, a batch a turn, until the node is closed.
func (n *Node) read(l *link) {
	var batch udp.ReadBatch
	var pause time.Duration
	take := func(count int) bool {
		pause = 0
		return n.readTurn(&batch, count)
	}
	for {
		err := l.conn.ReadEach(&batch, take)
		if err == nil || errors.Is(err, net.ErrClosed) {
			return
		}
		pause = min(max(2*pause, firstReadPause), maxReadPause)
		n.log.Warn("socket cannot be read", "addr", l.local, "err", err)
		select {
		case <-time.After(pause):
		case <-n.done:
			return
		}
	}
}

// readTurn handles a batch in a turn. It returns false when the node is closed.
func (n *Node) readTurn(batch *udp.ReadBatch, count int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	now := time.Now()
	n.drained.Store(now.UnixNano())
	for i := range count {
		data, from, truncated := batch.At(i)
		n.receive(now, from, data, truncated)
	}
	n.endTurn(now)
	return true
}

// receive handles one datagram.
func (n *Node) receive(now time.Time, from netip.AddrPort, data []byte, truncated bool) {
	n.stats.PacketsReceived++
	n.stats.BytesReceived += uint64(len(data))
	if truncated || !from.IsValid() || from.Port() == 0 {
		n.stats.Oversized++
		return
	}
	if n.bans.address(now, from.Addr()) {
		n.stats.BannedPackets++
		return
	}
	r := n.sessions.HandlePacket(now, from, data)
	if r.Drop == session.DropBanned {
		n.stats.BannedPackets++
	}
	n.apply(now, r)
}

// apply does what a step of the session machine led to.
func (n *Node) apply(now time.Time, r session.Result) {
	if r.Evicted != nil {
		n.events.publish(Event{Type: SessionDown, ID: r.Evicted.Peer.ID, Addr: r.Evicted.Peer.Addr})
	}
	switch {
	case r.Job != nil:
		n.handshakeJob(now, r.Job)
	case r.Failed != nil:
		if c, ok := r.Failed.Owner.(*call); ok {
			n.end(now, c, reply{err: r.Err})
		}
	case r.Message != nil:
		n.messageArrived(now, r)
	}
}

// handshakeJob gives the elliptic-curve part of a handshake to a worker.
func (n *Node) handshakeJob(now time.Time, j *session.Job) {
	finish := func(now time.Time) { n.apply(now, n.sessions.Finish(now, j)) }
	if !n.offload(j.Ours(), j.Run, finish) {
		n.sessions.Abandon(now, j)
		n.stats.JobsDropped++
	}
}

// messageArrived handles a message that a session authenticated.
func (n *Node) messageArrived(now time.Time, r session.Result) {
	if n.bans.id(now, r.Peer.ID) {
		n.stats.BannedPackets++
		return
	}
	n.validPacket(now)
	n.inboundSeen(now, r.Peer.Addr)
	if r.Established || r.Opened {
		n.events.publish(Event{Type: SessionUp, ID: r.Peer.ID, Addr: r.Peer.Addr, Node: r.Session.Node})
	}
	if r.Opened {
		n.stats.SessionsOpened++
	}
	if r.Established {
		n.established(now, r)
	}
	kind, body, err := codec.SplitMessage(r.Message)
	if err != nil {
		n.stats.InvalidMessages++
		return
	}
	n.stats.MessagesReceived[min(kind, UnknownMessageType)]++
	switch kind {
	case codec.PongType, codec.NodesType, codec.TalkRespType:
		n.response(now, r.Peer, kind, body)
		return
	}
	if !limit.Exempt(r.Peer.Addr.Addr()) && !r.Session.Requests.Allow(now, n.limits.cfg.Session) {
		n.stats.SessionLimited++
		return
	}
	ok := true
	switch kind {
	case codec.PingType:
		ok = n.handlePing(now, r.Session, body)
	case codec.FindNodeType:
		ok = n.handleFindNode(now, r.Session, body)
	case codec.TalkReqType:
		ok = n.handleTalkReq(now, r.Session, body)
	default:
		n.handleUnknown(now, r.Session, kind, body)
	}
	if !ok {
		n.stats.InvalidMessages++
	}
}

// established handles the news that a peer opened a session.
//
// Its record is a candidate for the table only if it names the endpoint that the packet came from. A handshake omits the
// record that the challenge said we have: then it is the one that the session was verified with.
func (n *Node) established(now time.Time, r session.Result) {
	record := r.Record
	if record == nil {
		record = r.Session.Node
	}
	n.offerBack(now, record, r.Peer.Addr)
}

// reply sends a message over the session that a request came by.
func (n *Node) reply(s *session.Session, kind codec.MessageType, message []byte) {
	if n.sessions.Reply(s, message) {
		n.stats.MessagesSent[kind]++
	} else {
		n.stats.SendDropped++
	}
}

func (n *Node) handlePing(now time.Time, s *session.Session, body []byte) bool {
	ping, err := codec.ParsePing(body)
	if err != nil {
		return false
	}
	pong := codec.Pong{RequestID: ping.RequestID, ENRSeq: n.local.node().Seq(), Recipient: s.Peer.Addr}
	n.reply(s, codec.PongType, pong.Append(n.message[:0]))
	if n.table.Node(s.Peer.ID) == nil { // it was away, and its session outlived its place in the table
		n.offerBack(now, s.Node, s.Peer.Addr)
	}
	n.heardSeq(now, s.Peer, ping.ENRSeq)
	return true
}

// handleFindNode answers with records from the table at the distances asked for.
//
// Only nodes that proved to be alive are handed on, never the asker itself, and no record with a LAN address to the outside.
func (n *Node) handleFindNode(now time.Time, s *session.Session, body []byte) bool {
	request, err := codec.ParseFindNode(body)
	if err != nil {
		return false
	}
	records := n.answer.records[:0]
	rest := n.answer.distances[:0]
	for i := range request.Distances.Len() {
		if d := request.Distances.At(i); d == 0 {
			records = append(records, n.local.rlp())
		} else {
			rest = append(rest, uint(d))
		}
	}
	if len(rest) > 0 {
		reach, id := reachOf(s.Peer.Addr.Addr()), s.Peer.ID
		entries := n.table.AtDistances(n.answer.entries[:0], rest, maxAnswerRecords-len(records), func(e *table.Entry) bool {
			return e.Verified && scope(e.Scope) <= reach && e.ID() != id && n.filters.passes(now, StageServe, e.Node)
		})
		for _, e := range entries {
			records = append(records, e.Record)
		}
		n.answer.entries = entries[:0]
	}
	n.sendNodes(s, request.RequestID, records)
	n.answer.records, n.answer.distances = records[:0], rest[:0]
	return true
}

// answer is scratch space for NODES answers.
type answer struct {
	records   [][]byte
	distances []uint
	entries   []*table.Entry
}

// sendNodes sends records in as few packets as they fit in, every packet with the same total.
func (n *Node) sendNodes(s *session.Session, id codec.RequestID, records [][]byte) {
	total := 0
	for rest := records; ; {
		rest = rest[codec.FitNodes(id, rest):]
		total++
		if len(rest) == 0 {
			break
		}
	}
	for range total {
		fit := codec.FitNodes(id, records)
		n.reply(s, codec.NodesType, codec.AppendNodes(n.message[:0], id, total, records[:fit]))
		records = records[fit:]
	}
}

// scope is how far an address may be told: LAN addresses stay in the LAN, loopback addresses on the machine. The same rule
// says whose word about an address is taken.
type scope uint8

const (
	scopePublic scope = iota
	scopeLAN
	scopeMachine
	scopeNowhere
)

// scopeOfAddr returns the scope of an address.
func scopeOfAddr(addr netip.Addr) scope {
	addr = addr.Unmap()
	switch {
	case !addr.IsValid(), addr.IsUnspecified(), addr.IsMulticast(), addr == broadcast:
		return scopeNowhere
	case addr.IsLoopback():
		return scopeMachine
	case addr.IsPrivate(), addr.IsLinkLocalUnicast():
		return scopeLAN
	}
	return scopePublic
}

// scopeOf returns the scope of a record that is used at an address: the narrowest of all its endpoints, since whoever gets
// the record gets them all.
func scopeOf(node *enode.Node, addr netip.AddrPort) scope {
	s := scopeOfAddr(addr.Addr())
	v4, v6 := endpoints(node)
	for _, at := range [...]netip.AddrPort{v4, v6} {
		if usable(at) {
			s = max(s, scopeOfAddr(at.Addr()))
		}
	}
	return s
}

// reachOf returns the widest scope of what a node at an address may be told.
func reachOf(to netip.Addr) scope {
	switch to = to.Unmap(); {
	case to.IsLoopback():
		return scopeMachine
	case limit.Exempt(to):
		return scopeLAN
	}
	return scopePublic
}

// relayable tells whether an address may be told to a node at another one.
func relayable(addr, to netip.Addr) bool { return scopeOfAddr(addr) <= reachOf(to) }

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// hasEndpoint tells whether a record names addr as one of its UDP endpoints.
func hasEndpoint(node *enode.Node, addr netip.AddrPort) bool {
	v4, v6 := endpoints(node)
	return addr.IsValid() && (addr == v4 || addr == v6)
}

// inboundLimits implements session.Limits.
type inboundLimits struct {
	cfg        Limits
	sources    *limit.Sources
	challenges limit.Bucket
	handshakes limit.Bucket
	bans       *banList
}

// Banned implements session.Limits.
func (l *inboundLimits) Banned(now time.Time, id enode.ID) bool { return l.bans.id(now, id) }

// AllowChallenge implements session.Limits.
func (l *inboundLimits) AllowChallenge(now time.Time, from netip.Addr) bool {
	return l.allow(now, from, &l.challenges, l.cfg.Challenges)
}

// AllowHandshake implements session.Limits.
func (l *inboundLimits) AllowHandshake(now time.Time, from netip.Addr) bool {
	return l.allow(now, from, &l.handshakes, l.cfg.Handshakes)
}

func (l *inboundLimits) allow(now time.Time, from netip.Addr, total *limit.Bucket, rate Rate) bool {
	return limit.Exempt(from) || l.sources.Allow(now, from, l.cfg.Source) && total.Allow(now, rate)
}
