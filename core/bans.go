package core

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/discv5/host/core/internal/session"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxBans bounds the bans; the one that ends first makes room.
const maxBans = 65_536

// Ban keeps a node or an address range out: its packets are ignored, it is never asked, never in the table and never in a
// result. Exactly one of ID and Prefix is set.
type Ban struct {
	ID     enode.ID
	Prefix netip.Prefix
	Reason string
	Until  time.Time
	// Permanent is one of Config.Bans, which has no end. It is set by the node.
	Permanent bool
}

// Validate reports what is wrong with a ban.
func (b Ban) Validate() error {
	switch {
	case b.validateSubject() != nil:
		return b.validateSubject()
	case b.Until.IsZero():
		return fmt.Errorf("core: a ban ends, say when")
	}
	return nil
}

func (b Ban) validateSubject() error {
	if (b.ID != enode.ID{}) == b.Prefix.IsValid() {
		return fmt.Errorf("core: a ban is for a node id or for an address range, one of them")
	}
	if b.Prefix.IsValid() && b.Prefix.Addr().Is4In6() {
		return fmt.Errorf("core: %v is an IPv4 range in IPv6 form", b.Prefix)
	}
	return nil
}

// banList holds the bans. Expired ones are ignored and cleaned up in passing.
type banList struct {
	ids      map[enode.ID]Ban
	prefixes map[netip.Prefix]Ban
	lengths  map[prefixLength]int // how many prefixes have it
	order    banOrder

	permanent *banList // those of Config.Bans, which hold beside the others; nil in this list itself
}

func (l *banList) id(now time.Time, id enode.ID) bool {
	if l.permanent != nil && l.permanent.id(now, id) {
		return true
	}
	if len(l.ids) == 0 {
		return false
	}
	b, ok := l.ids[id]
	return ok && b.holds(now)
}

// holds tells whether the end of a ban has not come.
func (b *Ban) holds(now time.Time) bool { return b.Permanent || now.Before(b.Until) }

func (l *banList) address(now time.Time, addr netip.Addr) bool {
	if l.permanent != nil && l.permanent.address(now, addr) {
		return true
	}
	if len(l.prefixes) == 0 {
		return false
	}
	if !addr.IsValid() {
		return false
	}
	for length := range l.lengths {
		if length.is4 != addr.Is4() {
			continue
		}
		p, err := addr.WithZone("").Prefix(length.bits)
		if err != nil {
			continue
		}
		if b, ok := l.prefixes[p]; ok && b.holds(now) {
			return true
		}
	}
	return false
}

// prefixLength is a family and a number of bits.
type prefixLength struct {
	is4  bool
	bits int
}

func lengthOf(p netip.Prefix) prefixLength { return prefixLength{p.Addr().Is4(), p.Bits()} }

// add enters a ban. Of two bans of the same subject the longer one holds.
func (l *banList) add(b Ban) (Ban, bool) {
	if l.ids == nil {
		l.ids, l.prefixes, l.lengths = make(map[enode.ID]Ban), make(map[netip.Prefix]Ban), make(map[prefixLength]int)
	}
	if b.Prefix.IsValid() {
		b.Prefix = b.Prefix.Masked()
	}
	old, known := l.subject(b)
	switch {
	case known && old.Until.After(b.Until):
		return old, false
	case !known && l.len() >= maxBans:
		l.dropShortest()
	}
	if !b.Prefix.IsValid() {
		l.ids[b.ID] = b
	} else {
		if !known {
			l.lengths[lengthOf(b.Prefix)]++
		}
		l.prefixes[b.Prefix] = b
	}
	l.note(b)
	return b, true
}

func (l *banList) len() int { return len(l.ids) + len(l.prefixes) }

// subject returns the ban of the subject of b, whose prefix is masked.
func (l *banList) subject(b Ban) (ban Ban, ok bool) {
	if b.Prefix.IsValid() {
		ban, ok = l.prefixes[b.Prefix]
	} else {
		ban, ok = l.ids[b.ID]
	}
	return ban, ok
}

func (l *banList) remove(b Ban) bool {
	if b.Prefix.IsValid() {
		p := b.Prefix.Masked()
		if _, ok := l.prefixes[p]; !ok {
			return false
		}
		delete(l.prefixes, p)
		if k := lengthOf(p); l.lengths[k] == 1 {
			delete(l.lengths, k)
		} else {
			l.lengths[k]--
		}
		return true
	}
	_, ok := l.ids[b.ID]
	delete(l.ids, b.ID)
	return ok
}

func (l *banList) all(yield func(Ban) bool) {
	for _, b := range l.ids {
		if !yield(b) {
			return
		}
	}
	for _, b := range l.prefixes {
		if !yield(b) {
			return
		}
	}
}

// expire removes the bans whose time is up.
func (l *banList) expire(now time.Time) {
	var over []Ban
	for b := range l.all {
		if !now.Before(b.Until) {
			over = append(over, b)
		}
	}
	for _, b := range over {
		l.remove(b)
	}
}

// ban bans in a turn: the subject leaves the table, its sessions end, calls to it fail.
func (n *Node) ban(now time.Time, b Ban) {
	b, changed := n.bans.add(b)
	if !changed {
		return
	}
	n.expelBanned(now, b)
	n.log.Info("banned", "who", banSubject(b), "reason", b.Reason, "until", b.Until.UTC().Format(time.RFC3339))
	n.events.publish(Event{Type: Banned, ID: b.ID, Prefix: b.Prefix, Detail: b.Reason})
	n.store.ban(now, b)
}

// expelBanned takes whom a ban is for out of the table, and ends the sessions and calls.
func (n *Node) expelBanned(now time.Time, b Ban) {
	n.expel(now, func(id enode.ID, addr netip.Addr) bool {
		if b.Prefix.IsValid() {
			return b.Prefix.Contains(addr)
		}
		return id == b.ID
	})
	if !b.Prefix.IsValid() {
		n.table.Remove(b.ID) // a replacement
	}
}

// expel takes whom hit names out of the table, and ends the sessions with them and the calls to them. hit is asked about
// addresses without a zone: no range contains one with a zone.
func (n *Node) expel(now time.Time, hit func(id enode.ID, addr netip.Addr) bool) {
	concerns := func(id enode.ID, at netip.AddrPort) bool { return hit(id, at.Addr().WithZone("")) }
	var ids []enode.ID
	for e := range n.table.All() {
		if concerns(e.ID(), e.Addr) {
			ids = append(ids, e.ID())
		}
	}
	for _, id := range ids {
		n.removeNode(now, id)
	}
	var ended []session.Peer
	n.sessions.Sessions(func(s *session.Session) bool {
		if concerns(s.Peer.ID, s.Peer.Addr) {
			ended = append(ended, s.Peer)
		}
		return true
	})
	for _, p := range ended {
		n.endSession(p, "banned")
	}
	for _, c := range n.calls {
		if concerns(c.peer.ID, c.peer.Addr) {
			n.putOff(func(now time.Time) { n.end(now, c, reply{err: ErrBanned}) })
		}
	}
}

// endSession ends a session, if there is one, for a reason that is told.
func (n *Node) endSession(p session.Peer, why string) {
	up := n.sessions.Session(p) != nil
	n.sessions.End(p)
	if up {
		n.events.publish(Event{Type: SessionDown, ID: p.ID, Addr: p.Addr, Detail: why})
	}
}

// bannedNode tells whether a node is kept out: by its id, or by a range that one of its endpoints is in.
func (n *Node) bannedNode(now time.Time, node *enode.Node) bool {
	if n.bans.id(now, node.ID()) {
		return true
	}
	if len(n.bans.prefixes)+len(n.bans.permanent.prefixes) == 0 {
		return false
	}
	v4, v6 := endpoints(node)
	return n.bans.address(now, v4.Addr()) || n.bans.address(now, v6.Addr())
}

func banSubject(b Ban) string {
	if b.Prefix.IsValid() {
		return b.Prefix.String()
	}
	return b.ID.String()
}
