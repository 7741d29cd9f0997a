package session

import (
	"net/netip"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/limit"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxTries is how many handshake packets are tried against one challenge. A bad one does not consume it, or anybody
// who can spoof an address could end a handshake; without a bound each would cost a signature check.
const maxTries = 4

// challenge is a WHOAREYOU that was sent and not answered yet. There is one per peer.
type challenge struct {
	peer    Peer
	data    [codec.ChallengeDataSize]byte
	node    *enode.Node // record that the WHOAREYOU said we know, nil for none
	expires time.Time
	tries   int
	settled bool // a handshake succeeded, or time is up
}

// challenges bounds what is outstanding, in all and per source. Every challenge lives equally long, so the order of
// creation is the order of expiry.
type challenges struct {
	max, maxPerSource int
	byPeer            map[Peer]*challenge
	bySource          map[limit.Source]int
	order             []*challenge // oldest first, from head; settled ones are skipped
	head              int
}

func newChallenges(max, maxPerSource int) *challenges {
	return &challenges{
		max: max, maxPerSource: maxPerSource,
		byPeer: make(map[Peer]*challenge), bySource: make(map[limit.Source]int),
	}
}

// room tells whether one more from this source may be outstanding.
func (c *challenges) room(from netip.Addr) bool {
	if len(c.byPeer) >= c.max {
		return false
	}
	return limit.Exempt(from) || c.bySource[limit.SourceOf(from)] < c.maxPerSource
}

func (c *challenges) add(ch *challenge) {
	c.byPeer[ch.peer] = ch
	c.bySource[limit.SourceOf(ch.peer.Addr.Addr())]++
	if c.head > 64 && c.head > len(c.order)/2 {
		n := copy(c.order, c.order[c.head:])
		clear(c.order[n:])
		c.order, c.head = c.order[:n], 0
	}
	c.order = append(c.order, ch)
}

// settle ends a challenge: answered or expired.
func (c *challenges) settle(ch *challenge) {
	if ch.settled {
		return
	}
	ch.settled = true
	delete(c.byPeer, ch.peer)
	src := limit.SourceOf(ch.peer.Addr.Addr())
	if c.bySource[src]--; c.bySource[src] <= 0 {
		delete(c.bySource, src)
	}
}

// expire ends the challenges whose time is up.
func (c *challenges) expire(now time.Time) {
	for c.head < len(c.order) {
		ch := c.order[c.head]
		if !ch.settled && now.Before(ch.expires) {
			return
		}
		c.settle(ch)
		c.order[c.head] = nil
		c.head++
	}
	c.order, c.head = c.order[:0], 0
}

// next tells when expire has work, zero for never.
func (c *challenges) next() time.Time {
	if c.head < len(c.order) {
		return c.order[c.head].expires
	}
	return time.Time{}
}

// challenge answers an undecryptable packet with WHOAREYOU.
//
// While a challenge is pending the same bytes go out again: the handshake that answers the first copy must fit.
func (m *Machine) challenge(now time.Time, peer Peer, nonce codec.Nonce) Drop {
	m.challenges.expire(now)
	expected := m.exchanges[peer] != nil // we asked this peer ourselves: no stranger
	if !expected && !m.cfg.Limits.AllowChallenge(now, peer.Addr.Addr()) {
		return DropChallengeLimit
	}
	ch := m.challenges.byPeer[peer]
	if ch == nil {
		if !m.challenges.room(peer.Addr.Addr()) {
			return DropChallengesFull
		}
		ch = &challenge{peer: peer, expires: now.Add(m.cfg.ChallengeLife), node: m.cfg.Known(peer.ID)}
		if s := m.cache.lookup(peer); s != nil && s.Node != nil && (ch.node == nil || ch.node.Seq() < s.Node.Seq()) {
			ch.node = s.Node
		}
		var seq uint64
		if ch.node != nil {
			seq = ch.node.Seq()
		}
		ch.data = codec.WhoareyouChallengeData(m.cfg.Protocol, m.iv(), nonce, m.idNonce(), seq)
		m.challenges.add(ch)
	} else {
		m.stats.ChallengesRepeated++
	}
	buf := m.cfg.Out.Buffer(peer.Addr)
	m.cfg.Out.Queue(peer.Addr, codec.AppendWhoareyouFromChallengeData(buf, codec.NewMask(peer.ID), ch.data))
	m.stats.Challenges++
	return 0
}
