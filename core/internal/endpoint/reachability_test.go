package endpoint

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// play runs a script of one event per line: "<minutes> advertise ADDR" ("none" for none), "… send ADDR",
// "… in ADDR" for a packet that proves nothing, "… proof ADDR" for one that does, "… reachable", "… unknown",
// "… unreachable". A family is that of the address; a state is asked of IPv4.
func play(t *testing.T, r *Reachability, script string) {
	t.Helper()
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var minutes float64
		fmt.Sscan(words[0], &minutes)
		now := start.Add(time.Duration(minutes * float64(time.Minute)))
		var addr netip.Addr
		if len(words) > 2 && words[2] != "none" {
			addr = ip(words[2])
		}
		switch words[1] {
		case "advertise":
			family, _ := FamilyOf(addr)
			r.Advertise(now, family, addr)
		case "send":
			r.Contacted(now, addr)
		case "in", "proof":
			if got := r.Inbound(now, addr); got != (words[1] == "proof") {
				t.Fatalf("%s: proof is %v", strings.TrimSpace(line), got)
			}
		default:
			if got := r.State(now, IPv4); got.String() != words[1] {
				t.Fatalf("%s: %v", strings.TrimSpace(line), got)
			}
		}
	}
}

// traffic is a packet a minute from one contact.
func traffic(from, to int) string {
	var b strings.Builder
	for m := from; m <= to; m++ {
		fmt.Fprintf(&b, "%d send 9.9.9.9\n%d in 9.9.9.9\n", m, m)
	}
	return b.String()
}

func TestReachability(t *testing.T) {
	for _, tc := range []struct{ name, script string }{
		{"nothing known", "0 unknown"},
		{"a stranger gets through", `
			0 advertise 1.1.1.1
			1 proof 8.8.8.8
			1 reachable
			31 reachable
			31.1 unknown`},
		{"a contact proves nothing", `
			0 advertise 1.1.1.1
			1 send 8.8.8.8
			2 in 8.8.8.8
			2 unknown`},
		{"a contact of long ago is a stranger", `
			0 advertise 1.1.1.1
			0 send 8.8.8.8
			5 in 8.8.8.8
			10.1 proof 8.8.8.8`},
		{"who talks to us stays a contact", `
			0 advertise 1.1.1.1
			1 proof 8.8.8.8
			2 in 8.8.8.8
			6.5 in 8.8.8.8
			11 in 8.8.8.8`},
		{"another address of the contact's IPv6 /64 proves nothing", `
			0 advertise 2001:db8::1
			0 send 2001:db8:9::1
			1 in 2001:db8:9::2
			1 proof 2001:db8:8::2`},
		{"4-in-6 is IPv4", `
			0 advertise ::ffff:1.1.1.1
			0 send ::ffff:8.8.8.8
			1 in 8.8.8.8
			1 proof ::ffff:8.8.4.4
			1 reachable`},
		{"nothing advertised", `
			1 in 8.8.8.8
			1 unknown`},
		{"strangers stay away", `
			0 advertise 1.1.1.1
			` + traffic(0, 12) + `
			9.9 unknown
			12 unreachable`},
		{"a stranger after all", `
			0 advertise 1.1.1.1
			` + traffic(0, 12) + `
			12 unreachable
			12 proof 8.8.8.8
			12 reachable`},
		{"strangers stay away after a time", `
			0 advertise 1.1.1.1
			0 proof 8.8.8.8
			` + traffic(0, 31) + `
			30 reachable
			31 unreachable`},
		{"no traffic says nothing", `
			0 advertise 1.1.1.1
			60 unknown`},
		{"too little time with traffic", `
			0 advertise 1.1.1.1
			` + traffic(30, 38) + `
			38 unknown`},
		{"traffic that has stopped", `
			0 advertise 1.1.1.1
			` + traffic(0, 12) + `
			14 unreachable
			14.1 unknown`},
		{"traffic with a gap begins anew", `
			0 advertise 1.1.1.1
			` + traffic(0, 6) + traffic(9, 15) + `
			15 unknown
			` + traffic(16, 19) + `
			19 unreachable`},
		{"a new address begins anew", `
			0 advertise 1.1.1.1
			1 proof 8.8.8.8
			2 advertise 1.1.1.1
			2 reachable
			3 advertise 2.2.2.2
			3 unknown`},
		{"no address any more", `
			0 advertise 1.1.1.1
			1 proof 8.8.8.8
			2 advertise none
			2 unknown`},
		{"LAN senders prove no public address", `
			0 advertise 1.1.1.1
			1 in 192.168.1.9
			1 in 127.0.0.1
			1 unknown`},
		{"LAN senders prove a LAN address", `
			0 advertise 192.168.1.1
			1 proof 192.168.1.9
			1 reachable`},
		{"a LAN address is never unreachable", `
			0 advertise 192.168.1.1
			` + traffic(0, 12) + `
			12 unknown`},
		{"IPv6 says nothing about IPv4", `
			0 advertise 1.1.1.1
			0 advertise 2001:db8::1
			1 proof 2001:db8:8::2
			1 unknown`},
	} {
		t.Run(tc.name, func(t *testing.T) { play(t, NewReachability(), tc.script) })
	}
}

// TestForgottenContacts has more contacts than are remembered: one of them must not look like a stranger.
func TestForgottenContacts(t *testing.T) {
	r := NewReachability()
	r.Advertise(start, IPv4, ip("1.1.1.1"))
	for i := range MaxContacts + 10 {
		r.Contacted(start.Add(time.Minute), far(IPv4, i))
	}
	if got := r.reach[IPv4].contacts.Len(); got != MaxContacts {
		t.Fatalf("%d contacts", got)
	}
	if r.Inbound(start.Add(2*time.Minute), far(IPv4, 0)) {
		t.Error("a forgotten contact is a proof")
	}
	if r.Inbound(start.Add(2*time.Minute), ip("8.8.8.8")) {
		t.Error("a stranger is a proof while contacts are forgotten too early")
	}
	play(t, r, traffic(3, 11)+"11 unknown") // and their absence says nothing
	if !r.Inbound(start.Add(20*time.Minute), ip("8.8.4.4")) {
		t.Error("a stranger is no proof after all contacts have expired")
	}
}

func TestReachabilityOfNothing(t *testing.T) {
	r := NewReachability()
	r.Advertise(start, 9, ip("1.1.1.1"))
	r.Contacted(start, netip.Addr{})
	if r.Inbound(start, netip.Addr{}) || r.State(start, 9) != Unknown {
		t.Error("something is known about nothing")
	}
}

func BenchmarkInbound(b *testing.B) {
	r := NewReachability()
	r.Advertise(start, IPv4, ip("1.1.1.1"))
	addrs := make([]netip.Addr, 1000)
	for i := range addrs {
		addrs[i] = far(IPv4, i)
	}
	b.ReportAllocs()
	now, i := start, 0
	for b.Loop() {
		now = now.Add(time.Millisecond)
		r.Inbound(now, addrs[i])
		if i++; i == len(addrs) {
			i = 0
		}
	}
}

func BenchmarkMajority(b *testing.B) {
	v := NewVotes(10)
	cast(v, start, 0, MaxVoters, ap("1.1.1.1:1"))
	b.ReportAllocs()
	for b.Loop() {
		v.Majority(start, IPv4)
	}
}

func BenchmarkInsert(b *testing.B) {
	v, i := NewVotes(10), 0
	b.ReportAllocs()
	for b.Loop() {
		v.Insert(start, node(i&2047), far(IPv4, i&2047), ap("1.1.1.1:1"))
		i++
	}
}
