package crawl

import (
	"net/netip"
	"time"
)

// Politeness towards others. Nodes on this machine and in private networks are exempt: whoever crawls them owns them.
const (
	// addressGap is the pause between two requests to one IPv4 address or IPv6 /64. Common clients drop what exceeds 8 to 10
	// packets a second, and the first request takes two.
	addressGap = 250 * time.Millisecond
	// maxPerAddress bounds the nodes that are asked at one address: whoever has one can invent any number of them.
	maxPerAddress = 1024
)

// bucket spaces requests evenly, with bursts of a twentieth of a second.
type bucket struct {
	gap  time.Duration
	next time.Time // when the next request is due
}

func newBucket(perSecond float64) bucket {
	return bucket{gap: time.Duration(float64(time.Second) / perSecond)}
}

// wait is how long until the next request may leave.
func (b *bucket) wait(now time.Time) time.Duration { return max(b.next.Sub(now), 0) }

func (b *bucket) take(now time.Time) {
	if earliest := now.Add(-time.Second / 20); b.next.Before(earliest) {
		b.next = earliest
	}
	b.next = b.next.Add(b.gap)
}

// place is an address where nodes are asked.
type place struct {
	free  time.Time // when the next request to it may leave
	nodes int       // asked there
}

// placeOf returns the address range that shares limits, and false if there are none.
func placeOf(a netip.Addr) (netip.Prefix, bool) {
	if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() {
		return netip.Prefix{}, false
	}
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	return p, err == nil
}
