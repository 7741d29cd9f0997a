package endpoint

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Endpoint is where the network sees us. Port is zero unless PortKnown.
type Endpoint struct {
	Addr      netip.Addr
	Port      uint16
	PortKnown bool
}

// Majority returns the endpoint that the votes of a family agree on and how many votes its address has; ok is
// false when no address has the threshold and the margin. Its cost is linear in the number of votes: ask at
// intervals, or when Insert says that something changed.
func (v *Votes) Majority(now time.Time, family Family) (e Endpoint, votes int, ok bool) {
	if family >= families {
		return Endpoint{}, 0, false
	}
	b := &v.ballots[family]
	b.expire(now)
	if b.votes.Len() < v.threshold {
		return Endpoint{}, 0, false
	}
	cast := b.votes.Values()
	byAddr := make(map[netip.Addr]int)
	for _, c := range cast {
		byAddr[c.seen.Addr()]++
	}
	e.Addr, votes, ok = winner(byAddr, v.threshold)
	if !ok {
		return Endpoint{}, 0, false
	}
	byPort := make(map[uint16]int)
	for _, c := range cast {
		if c.seen.Addr() == e.Addr {
			byPort[c.seen.Port()]++
		}
	}
	e.Port, _, e.PortKnown = winner(byPort, v.threshold)
	return e, votes, true
}

// winner is the candidate with at least threshold votes that leads the next by the margin.
func winner[K comparable](counts map[K]int, threshold int) (first K, votes int, ok bool) {
	second, total := 0, 0
	for k, n := range counts {
		total += n
		if n > votes {
			first, votes, second = k, n, votes
		} else {
			second = max(second, n)
		}
	}
	margin := max(1, total/MarginShare)
	if votes < threshold || votes-second < margin {
		var none K
		return none, 0, false
	}
	return first, votes, true
}

// MaxTally is how many addresses a Tally lists.
const MaxTally = 16

// Tally is the state of the count of one family, for people.
type Tally struct {
	Voters    int     // votes that count now
	Threshold int     // votes a winner needs
	Counts    []Count // most votes first, at most MaxTally
}

// Count is the votes for one address, and for the port named most often with it.
type Count struct {
	Addr      netip.Addr
	Votes     int
	Port      uint16
	PortVotes int
}

// Tally returns the state of the count of a family.
func (v *Votes) Tally(now time.Time, family Family) Tally {
	t := Tally{Threshold: v.threshold}
	if family >= families {
		return t
	}
	b := &v.ballots[family]
	b.expire(now)
	t.Voters = b.votes.Len()
	byAddr, byPort := make(map[netip.Addr]*Count), make(map[netip.AddrPort]int)
	for _, c := range b.votes.Values() {
		addr := c.seen.Addr()
		if byAddr[addr] == nil {
			byAddr[addr] = &Count{Addr: addr}
		}
		byAddr[addr].Votes++
		byPort[c.seen]++
	}
	for seen, n := range byPort {
		c := byAddr[seen.Addr()]
		if n > c.PortVotes || n == c.PortVotes && seen.Port() < c.Port {
			c.Port, c.PortVotes = seen.Port(), n
		}
	}
	for _, c := range byAddr {
		t.Counts = append(t.Counts, *c)
	}
	slices.SortFunc(t.Counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Votes, a.Votes), a.Addr.Compare(b.Addr))
	})
	t.Counts = t.Counts[:min(len(t.Counts), MaxTally)]
	return t
}
