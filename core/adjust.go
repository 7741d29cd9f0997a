package core

import (
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// SetBootnodes replaces Config.Bootnodes. Those that are new are offered to the table; those that are none any more stay in it
// like any other node. A node that knows nearly nobody searches at once. It returns ErrClosed, or what is wrong with one of them, and changes nothing then.
func (n *Node) SetBootnodes(nodes []*enode.Node) error {
	var before []*enode.Node
	return n.adjust(func(c *Config) { before, c.Bootnodes = c.Bootnodes, slices.Clone(nodes) }, func(now time.Time) {
		for _, b := range before {
			n.table.SetBootstrap(b.ID(), n.isBootnode(b.ID()))
		}
		n.enterBootnodes(now)
		if !n.cfg.NoRefresh && n.table.Verified() < nearlyEmpty {
			n.refreshRound(now)
		}
	})
}

// SetBans replaces Config.Bans. What was banned by somebody else too stays banned. It returns ErrClosed, or what is wrong with one
// of them, and changes nothing then.
func (n *Node) SetBans(bans []Ban) error {
	return n.adjust(func(c *Config) { c.Bans = slices.Clone(bans) }, n.banPermanently)
}

// banPermanently makes the bans of the configuration hold.
func (n *Node) banPermanently(now time.Time) {
	before := n.bans.permanent
	n.bans.permanent = new(banList)
	for _, b := range n.cfg.Bans {
		b.Permanent, b.Until = true, time.Time{}
		b, _ = n.bans.permanent.add(b)
		if _, held := before.subject(b); !held {
			n.expelBanned(now, b)
		}
	}
}

// SetLimits replaces Config.Limits; a rate that is zero is the default. Tokens that were taken count at the old rates. It returns
// ErrClosed, or what is wrong with a rate, and changes nothing then.
func (n *Node) SetLimits(l Limits) error {
	return n.adjust(func(c *Config) { c.Limits = l }, func(time.Time) { n.limits.cfg = n.cfg.Limits })
}

// SetTalkLimits replaces Config.Talk; what is zero is the default. Requests that are being served keep their places. It
// returns ErrClosed, or what is wrong with a limit, and changes nothing then.
func (n *Node) SetTalkLimits(l TalkLimits) error {
	return n.adjust(func(c *Config) { c.Talk = l }, func(time.Time) {})
}

// adjust changes the configuration and does, in the same turn, what follows from it.
func (n *Node) adjust(change func(*Config), then func(time.Time)) (err error) {
	open := n.turn(func(now time.Time) {
		changed := n.cfg
		change(&changed)
		changed.setDefaults()
		if err = changed.Validate(); err != nil {
			return
		}
		n.cfg.Bootnodes, n.cfg.Bans, n.cfg.Limits, n.cfg.Talk = changed.Bootnodes, changed.Bans, changed.Limits, changed.Talk
		then(now)
	})
	if !open {
		return ErrClosed
	}
	return err
}
