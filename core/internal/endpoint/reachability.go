package endpoint

import (
	"net/netip"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/discv5/host/core/internal/limit"
)

const (
	// ContactLife is how long after our last exchange with an address a packet from it proves nothing: a NAT
	// keeps a mapping for about as long.
	ContactLife = 5 * time.Minute
	// MaxContacts is how many contacts are held per family.
	MaxContacts = 16384
	// contactRefresh is how exactly the time of the last exchange is kept, so that most packets change nothing.
	contactRefresh = time.Second
	// ReachableFor is how long one proof holds.
	ReachableFor = 30 * time.Minute
	// UnreachableAfter is how long an endpoint must have been advertised, and traffic must have come in, before
	// the absence of strangers says something.
	UnreachableAfter = 10 * time.Minute
	// TrafficGap is the longest silence that does not interrupt the traffic.
	TrafficGap = 2 * time.Minute
)

// State is what is known about our reachability.
type State uint8

const (
	Unknown State = iota
	Reachable
	Unreachable
)

// String is "unknown", "reachable" or "unreachable".
func (s State) String() string {
	switch s {
	case Reachable:
		return "reachable"
	case Unreachable:
		return "unreachable"
	}
	return "unknown"
}

// Reachability tells whether strangers reach the endpoint we advertise. Per family:
//
//   - Reachable: within ReachableFor a packet that authenticates came from an address that we had not exchanged
//     anything with for ContactLife.
//   - Unreachable: a public endpoint has been advertised and packets have come in for UnreachableAfter, without
//     a silence of TrafficGap and still going on, none of them a proof.
//   - Unknown otherwise, always so when nothing is advertised.
//
// A loopback or LAN sender proves only an endpoint of that kind, and such an endpoint is never called unreachable:
// in a small network everybody is a contact. One Reachability has one owner.
type Reachability struct {
	reach [families]reach
}

// reach is the state of one family.
type reach struct {
	contacts *simplelru.LRU[limit.Source, time.Time] // the value is the last exchange
	blind    time.Time                               // until then a forgotten contact may look like a stranger

	advertised netip.Addr
	since      time.Time // of the advertisement
	proven     time.Time
	first      time.Time // packet of the present traffic
	last       time.Time // packet of all
}

// NewReachability returns a Reachability that knows nothing.
func NewReachability() *Reachability {
	r := new(Reachability)
	for i := range r.reach {
		r.reach[i].contacts, _ = simplelru.NewLRU[limit.Source, time.Time](MaxContacts, nil) // the size is positive: no error
	}
	return r
}

// Advertise tells which address of a family our record names, the zero Addr for none. Another address than before
// makes the state unknown; the same one changes nothing.
func (r *Reachability) Advertise(now time.Time, family Family, addr netip.Addr) {
	if family >= families {
		return
	}
	f := &r.reach[family]
	if addr = addr.Unmap().WithZone(""); addr == f.advertised {
		return
	}
	f.advertised, f.since = addr, now
	f.proven, f.first, f.last = time.Time{}, time.Time{}, time.Time{}
}

// Contacted is to be called when we send something to addr without having been asked.
func (r *Reachability) Contacted(now time.Time, addr netip.Addr) {
	if family, ok := FamilyOf(addr); ok {
		r.reach[family].contact(now, limit.SourceOf(addr))
	}
}

// contact remembers an exchange with source.
func (f *reach) contact(now time.Time, source limit.Source) {
	if f.contacts.Len() == MaxContacts && !f.contacts.Contains(source) {
		if _, at, ok := f.contacts.RemoveOldest(); ok && at.Add(ContactLife).After(now) {
			f.blind = at.Add(ContactLife)
		}
	}
	f.contacts.Add(source, now)
}

// Inbound is to be called for a packet from addr that authenticates, or a handshake that does. It reports whether
// that proves that strangers reach us. Its sender is a contact from now on, for we answer.
func (r *Reachability) Inbound(now time.Time, addr netip.Addr) (proof bool) {
	family, ok := FamilyOf(addr)
	if !ok {
		return false
	}
	f, source := &r.reach[family], limit.SourceOf(addr)
	at, known := f.contacts.Peek(source)
	known = known && now.Sub(at) <= ContactLife
	if !known || now.Sub(at) > contactRefresh {
		f.contact(now, source)
	}
	if !f.advertised.IsValid() || limit.Exempt(addr) && !limit.Exempt(f.advertised) {
		return false
	}
	if f.first.IsZero() || now.Sub(f.last) > TrafficGap {
		f.first = now
	}
	f.last = now
	if known || now.Before(f.blind) {
		return false
	}
	f.proven = now
	return true
}

// State is the state of a family.
func (r *Reachability) State(now time.Time, family Family) State {
	if family >= families {
		return Unknown
	}
	f := &r.reach[family]
	switch {
	case !f.advertised.IsValid():
		return Unknown
	case !f.proven.IsZero() && now.Sub(f.proven) <= ReachableFor:
		return Reachable
	case limit.Exempt(f.advertised):
		return Unknown
	case f.first.IsZero(), now.Sub(f.last) > TrafficGap, now.Sub(f.first) < UnreachableAfter, now.Sub(f.since) < UnreachableAfter:
		return Unknown
	case now.Sub(f.blind) < UnreachableAfter:
		return Unknown // strangers may have come without being told from contacts
	}
	return Unreachable
}
