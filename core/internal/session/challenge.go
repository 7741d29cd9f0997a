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
	peer       Peer
	data       [codec.ChallengeDataSize]byte
	node       *enode.Node // record that the WHOAREYOU said we know, nil for none
	expires    time.Time
	tries      int
	spent      bool // answered, or revoked: a check of a handshake that is still under way counts no more
	prev, next *challenge
}

// challenges bounds what is outstanding, in all and per source. Every challenge lives equally long, so the order of
// creation is the order of expiry.
type challenges struct {
	max, maxPerSource int
	byPeer            map[Peer]*challenge
	bySource          map[limit.Source]int
	root              challenge // sentinel of the ring: root.next is the oldest
}

func newChallenges(max, maxPerSource int) *challenges {
	c := &challenges{
		max: max, maxPerSource: maxPerSource,
		byPeer: make(map[Peer]*challenge), bySource: make(map[limit.Source]int),
	}
	c.root.prev, c.root.next = &c.root, &c.root
	return c
}

// room tells whether one more from this source may be outstanding.
func (c *challenges) room(from netip.Addr) bool {
	return limit.Exempt(from) || c.bySource[limit.SourceOf(from)] < c.maxPerSource
}

// full tells whether one more pushes out the oldest.
func (c *challenges) full() bool { return len(c.byPeer) >= c.max }

func (c *challenges) add(ch *challenge) {
	c.byPeer[ch.peer] = ch
	c.bySource[limit.SourceOf(ch.peer.Addr.Addr())]++
	ch.prev, ch.next = c.root.prev, &c.root
	ch.prev.next, c.root.prev = ch, ch
}

// settle takes a challenge out, answered, revoked or expired. Settling twice is harmless.
func (c *challenges) settle(ch *challenge) {
	if c.byPeer[ch.peer] != ch {
		return
	}
	delete(c.byPeer, ch.peer)
	ch.prev.next, ch.next.prev = ch.next, ch.prev
	ch.prev, ch.next = nil, nil
	src := limit.SourceOf(ch.peer.Addr.Addr())
	if c.bySource[src]--; c.bySource[src] <= 0 {
		delete(c.bySource, src)
	}
}

// expire ends the challenges whose time is up.
func (c *challenges) expire(now time.Time) {
	for ch := c.root.next; ch != &c.root && !now.Before(ch.expires); ch = c.root.next {
		c.settle(ch)
	}
}

// next tells when expire has work, zero for never.
func (c *challenges) next() time.Time {
	return c.root.next.expires // the sentinel's is zero
}

// challenge answers an undecryptable packet with WHOAREYOU.
//
// While a challenge is pending the same bytes go out again: the handshake that answers the first copy must fit.
func (m *Machine) challenge(now time.Time, peer Peer, nonce codec.Nonce) Drop {
	m.challenges.expire(now)
	ch := m.challenges.byPeer[peer]
	expected := ch == nil && m.exchanges[peer] != nil // we asked this peer ourselves; repeats are on its account
	if !expected && !m.cfg.Limits.AllowChallenge(now, peer.Addr.Addr()) {
		return DropChallengeLimit
	}
	if ch == nil {
		if !m.challenges.room(peer.Addr.Addr()) {
			return DropChallengesFull
		}
		if m.challenges.full() {
			// Whoever floods us with forged packets must not keep newcomers out until his challenges expire.
			m.challenges.settle(m.challenges.root.next)
			m.stats.ChallengesEvicted++
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
