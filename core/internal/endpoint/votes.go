package endpoint

import (
	"net/netip"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/discv5/host/core/internal/limit"
)

const (
	// Life is how long a vote counts. It counts at that very instant still, and not after it.
	Life = 5 * time.Minute
	// MaxVoters is how many votes are held per family.
	MaxVoters = 1024
	// DefaultThreshold is how many votes a winner needs unless told otherwise.
	DefaultThreshold = 10
	// MinThreshold is the least threshold there is.
	MinThreshold = 2
	// MarginShare is the part of all votes, one in so many and at least one vote, by which a winner must lead
	// the next, so that two addresses of nearly equal support do not take turns in our record.
	MarginShare = 8
	// VoterBits4 and VoterBits6 are the prefix lengths that have one vote together.
	VoterBits4 = 24
	VoterBits6 = 64
)

// vote is what one voter saw.
type vote struct {
	seen  netip.AddrPort
	group netip.Prefix // the zero Prefix when the voter's address is exempt
	at    time.Time
}

// ballot holds the votes of one family, the oldest first to leave.
type ballot struct {
	votes  *simplelru.LRU[enode.ID, vote]
	groups map[netip.Prefix]enode.ID // whose vote is the vote of a prefix
}

// Votes collects what peers say our endpoint is. It has one owner.
type Votes struct {
	threshold int
	ballots   [families]ballot
}

// NewVotes returns an empty Votes in which a winner needs threshold votes: zero or less means
// DefaultThreshold, anything else below MinThreshold means MinThreshold.
func NewVotes(threshold int) *Votes {
	if threshold <= 0 {
		threshold = DefaultThreshold
	}
	v := &Votes{threshold: max(threshold, MinThreshold)}
	for i := range v.ballots {
		b := &v.ballots[i]
		b.groups = make(map[netip.Prefix]enode.ID)
		b.votes, _ = simplelru.NewLRU(MaxVoters, func(id enode.ID, old vote) { // the size is positive: no error
			if old.group.IsValid() && b.groups[old.group] == id {
				delete(b.groups, old.group)
			}
		})
	}
	return v
}

// Insert takes the vote of a node that has the address from and saw us at seen. It reports whether the vote
// may change the majority: false for one that repeats the voter's last, and for one that is not counted. Not
// counted are an endpoint that cannot be ours to advertise (unspecified, multicast, port zero), one of another
// family than the voter's address, and a loopback or LAN address seen from outside of it.
func (v *Votes) Insert(now time.Time, voter enode.ID, from netip.Addr, seen netip.AddrPort) (changed bool) {
	from = from.Unmap().WithZone("")
	seen = netip.AddrPortFrom(seen.Addr().Unmap().WithZone(""), seen.Port())
	family, ok := FamilyOf(seen.Addr())
	if !ok || from.BitLen() != seen.Addr().BitLen() || !plausible(from, seen) {
		return false
	}
	b := &v.ballots[family]
	b.expire(now)
	group := voterGroup(from)
	last, voted := b.votes.Peek(voter)
	if voted {
		b.votes.Remove(voter) // gives its prefix free, which may be another one now
	}
	if other, taken := b.groups[group]; taken {
		b.votes.Remove(other)
	}
	b.votes.Add(voter, vote{seen: seen, group: group, at: now})
	if group.IsValid() {
		b.groups[group] = voter
	}
	return !voted || last.seen != seen || last.group != group
}

// plausible reports whether someone at from can have seen us at seen.
func plausible(from netip.Addr, seen netip.AddrPort) bool {
	addr := seen.Addr()
	switch {
	case seen.Port() == 0, addr.IsUnspecified(), addr.IsMulticast(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return false
	case addr.IsLoopback():
		return from.IsLoopback()
	}
	return !limit.Exempt(addr) || limit.Exempt(from)
}

// voterGroup is the prefix that from votes with, the zero Prefix when it votes for itself.
func voterGroup(from netip.Addr) netip.Prefix {
	if limit.Exempt(from) {
		return netip.Prefix{}
	}
	bits := VoterBits6
	if from.Is4() {
		bits = VoterBits4
	}
	group, _ := from.Prefix(bits) // the bits suit the family: no error
	return group
}

// expire drops the votes whose time is over. They stand in the order of their arrival.
func (b *ballot) expire(now time.Time) {
	for {
		_, oldest, ok := b.votes.GetOldest()
		if !ok || now.Sub(oldest.at) <= Life {
			return
		}
		b.votes.RemoveOldest()
	}
}
