package core

import (
	"net/netip"
	"time"

	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Pauses of table refresh.
const (
	// refreshInterval is when a random lookup runs if no other lookup ran meanwhile.
	refreshInterval = 5 * time.Minute
	// formingPause is the pause between rounds while the table is young and each round still finds new nodes.
	formingPause = time.Second
	// lonelyPause is the first pause while nobody answers; it doubles up to maxLonelyPause.
	lonelyPause    = time.Second
	maxLonelyPause = time.Minute
	// formingRounds bounds the rounds in quick succession.
	formingRounds = 30
	// nearlyEmpty is how few verified nodes make the table nearly empty.
	nearlyEmpty = 4
)

// refreshState is the state of table refresh.
type refreshState struct {
	lastLookup time.Time
	timer      *timer
	running    bool
	pause      time.Duration // the last pause while lonely
	rounds     int           // in quick succession
	settled    bool          // the next round is for want of other lookups
	added      uint64        // stats.NodesAdded after the last round
	verified   int           // after the last round
}

// begin is the first turn of a node: the bootstrap nodes enter the table. What the store remembers follows.
func (n *Node) begin(now time.Time) {
	n.publishEndpoints(now)
	n.banPermanently(now)
	n.enterBootnodes(now)
	if !n.cfg.NoRefresh {
		n.refreshRound(now)
	}
}

// enterBootnodes makes sure that the bootstrap nodes are in the table.
func (n *Node) enterBootnodes(now time.Time) {
	for _, b := range n.cfg.Bootnodes {
		n.offer(now, b, netip.AddrPort{})
	}
}

// refreshRound looks up ourselves and then a random target, and plans the next round.
func (n *Node) refreshRound(now time.Time) {
	if n.refresh.running {
		return
	}
	n.refresh.running = true
	n.stop(n.refresh.timer)
	n.bans.expire(now)
	n.enterBootnodes(now)
	random := func(now time.Time, _ *table.Lookup) {
		n.startQuery(now, table.LookupConfig{Target: n.randomID(), Query: true}, func(now time.Time, _ *table.Lookup) { n.planRefresh(now) })
	}
	if n.refresh.rounds == 0 || n.table.Verified() < nearlyEmpty {
		n.startQuery(now, table.LookupConfig{Target: n.self}, random)
		return
	}
	random(now, nil)
}

// planRefresh decides when the next round is due: soon as long as the table is young and grows, with growing pauses while
// nobody answers, otherwise when no lookup has run for a while.
func (n *Node) planRefresh(now time.Time) {
	r := &n.refresh
	r.running = false
	grew := n.stats.NodesAdded > r.added || n.table.Verified() > r.verified
	r.added, r.verified = n.stats.NodesAdded, n.table.Verified()
	pause := refreshInterval
	switch {
	case r.verified < nearlyEmpty && !grew:
		r.pause = min(max(2*r.pause, lonelyPause), maxLonelyPause)
		pause = r.pause
	case grew && r.rounds < formingRounds:
		r.rounds++
		r.pause = 0
		pause = formingPause
	default:
		r.pause = 0
	}
	r.settled = pause == refreshInterval
	r.timer = n.after(now, pause, n.refreshDue)
}

// refreshDue runs a round unless other lookups made it unnecessary.
func (n *Node) refreshDue(now time.Time) {
	r := &n.refresh
	if quiet := now.Sub(r.lastLookup); r.settled && n.table.Verified() >= nearlyEmpty && quiet < refreshInterval {
		r.timer = n.after(now, refreshInterval-quiet, n.refreshDue)
		return
	}
	n.refreshRound(now)
}

// refreshIfEmpty starts a round at once when the table has become nearly empty.
func (n *Node) refreshIfEmpty(now time.Time) {
	r := &n.refresh
	if n.cfg.NoRefresh || r.running || r.pause > 0 || n.table.Verified() >= nearlyEmpty || now.Sub(r.lastLookup) < formingPause {
		return
	}
	r.rounds = 0
	n.putOff(n.refreshRound)
}

// randomID draws a random target.
func (n *Node) randomID() (id enode.ID) {
	for i := 0; i < len(id); i += 8 {
		v := n.rand.Uint64()
		for j := range 8 {
			id[i+j] = byte(v >> (8 * j))
		}
	}
	return id
}
