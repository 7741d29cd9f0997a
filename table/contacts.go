package table

import (
	"bytes"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// state is how far a lookup has come with a node.
type state uint8

const (
	met      state = iota // not asked
	asked                 // asked, counts towards alpha
	silent                // asked, silent for longer than Patience
	givenUp               // silent for so long that it counts as failed, unless it answers after all
	answered              // it answered
	failed                // the caller said so
)

// contact is a node that a lookup has met.
type contact struct {
	node  *enode.Node
	id    enode.ID
	dist  [32]byte // from the target
	state state
	since time.Time // when it was asked
	match bool      // fulfils the predicate
}

func (c *contact) waiting() bool { return c.state == asked || c.state == silent || c.state == givenUp }

// out reports whether a contact has dropped out of the closest nodes.
func (c *contact) out() bool { return c.state == failed || c.state == givenUp }

// meet takes note of a node: a new one, or a newer record of a known one. An address that changed is worth another try
// if the old one failed.
func (l *Lookup) meet(n *enode.Node) {
	if n == nil || n.ID() == l.cfg.Self {
		return
	}
	id := n.ID()
	c := l.byID[id]
	if c != nil {
		if n.Seq() <= c.node.Seq() {
			return
		}
		oldAddr, _ := c.node.UDPEndpoint()
		newAddr, _ := n.UDPEndpoint()
		l.count(c, -1)
		c.node, c.match = n, l.matches(n)
		if c.state == failed && oldAddr != newAddr {
			c.state = met
		}
		l.count(c, +1)
		return
	}
	c = &contact{node: n, id: id, dist: l.distance(id), match: l.matches(n)}
	at := len(l.contacts)
	if !l.cfg.Query {
		at, _ = slices.BinarySearchFunc(l.contacts, c, compare)
	}
	if len(l.contacts) == MaxContacts {
		if at == MaxContacts {
			return
		}
		l.drop(l.contacts[MaxContacts-1])
		l.contacts = l.contacts[:MaxContacts-1]
	}
	l.contacts = slices.Insert(l.contacts, at, c)
	l.byID[id] = c
	l.count(c, +1)
}

// drop forgets a contact, and what it may answer.
func (l *Lookup) drop(c *contact) {
	l.count(c, -1)
	l.unfly(c)
	delete(l.byID, c.id)
}

// set moves a contact to another state.
func (l *Lookup) set(c *contact, s state) {
	l.count(c, -1)
	c.state = s
	l.count(c, +1)
}

// count adds c to the number of matches, if it is one.
func (l *Lookup) count(c *contact, by int) {
	if c.match && (l.cfg.Query || !c.out()) {
		l.found += by
	}
}

func (l *Lookup) matches(n *enode.Node) bool { return l.cfg.Predicate == nil || l.cfg.Predicate(n) }

func (l *Lookup) distance(id enode.ID) [32]byte {
	if l.cfg.Distance != nil {
		return l.cfg.Distance(l.cfg.Target, id)
	}
	for i := range id {
		id[i] ^= l.cfg.Target[i]
	}
	return id
}

// compare orders contacts by distance, equal ones by id.
func compare(a, b *contact) int {
	if c := bytes.Compare(a.dist[:], b.dist[:]); c != 0 {
		return c
	}
	return bytes.Compare(a.id[:], b.id[:])
}

// window returns the contacts worth asking, and how many of them, from the front, the result depends on. In a query both
// are the first K met. In a lookup the result depends on the K closest that have not dropped out; for each of them that is
// silent one more is worth asking, up to alpha more, so that the next ones are not found dead one after the other at the
// very end. Contacts that dropped out may be among them.
func (l *Lookup) window() (worth []*contact, core int) {
	if l.cfg.Query {
		n := min(l.cfg.K, len(l.contacts))
		return l.contacts[:n], n
	}
	n, limit, more := 0, l.cfg.K, l.cfg.Alpha
	core = len(l.contacts)
	for i, c := range l.contacts {
		if c.out() {
			continue
		}
		if c.state == silent && more > 0 {
			more--
			limit++
		}
		if n++; n == l.cfg.K {
			core = i + 1
		}
		if n >= limit {
			return l.contacts[:i+1], core
		}
	}
	return l.contacts, core
}
