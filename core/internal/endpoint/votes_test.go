package endpoint

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func node(i int) enode.ID { return enode.ID{30: byte(i >> 8), 31: byte(i)} }

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
func ip(s string) netip.Addr     { return netip.MustParseAddr(s) }

// far is an address for voter i, in a /24 or /64 of its own.
func far(f Family, i int) netip.Addr {
	if f == IPv6 {
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0, byte(i >> 8), byte(i), 15: 1})
	}
	return netip.AddrFrom4([4]byte{80 + byte(i>>16), byte(i >> 8), byte(i), 1})
}

// cast lets n voters, numbered from first on, vote for seen.
func cast(v *Votes, now time.Time, first, n int, seen netip.AddrPort) {
	f, _ := FamilyOf(seen.Addr())
	for i := first; i < first+n; i++ {
		v.Insert(now, node(i), far(f, i), seen)
	}
}

// wantMajority checks the winner of IPv4: "" for none, "1.2.3.4" when its port is unknown.
func wantMajority(t *testing.T, v *Votes, now time.Time, f Family, want string, votes int) {
	t.Helper()
	e, n, ok := v.Majority(now, f)
	got := ""
	if ok {
		got = e.Addr.String()
		if e.PortKnown {
			got = netip.AddrPortFrom(e.Addr, e.Port).String()
		}
	}
	if got != want || n != votes || (e.Port != 0) != e.PortKnown {
		t.Errorf("%q with %d votes (%+v), want %q with %d", got, n, e, want, votes)
	}
}

func TestMajority(t *testing.T) {
	type group struct {
		n    int
		seen string
	}
	for _, tc := range []struct {
		name      string
		threshold int
		cast      []group
		want      string
		votes     int
	}{
		{"the most votes win", 2, []group{{2, "1.1.1.1:1"}, {3, "2.2.2.2:2"}, {2, "3.3.3.3:3"}}, "2.2.2.2:2", 3},
		{"below the threshold", 10, []group{{9, "1.1.1.1:1"}}, "", 0},
		{"at the threshold", 10, []group{{10, "1.1.1.1:1"}}, "1.1.1.1:1", 10},
		{"no threshold given", 0, []group{{9, "1.1.1.1:1"}}, "", 0},
		{"the least threshold", 1, []group{{1, "1.1.1.1:1"}}, "", 0},
		{"the least threshold reached", 1, []group{{2, "1.1.1.1:1"}}, "1.1.1.1:1", 2},
		{"nobody voted", 2, nil, "", 0},
		{"a tie", 2, []group{{5, "1.1.1.1:1"}, {5, "2.2.2.2:2"}}, "", 0},
		{"a tie of the best of three", 2, []group{{5, "1.1.1.1:1"}, {2, "3.3.3.3:1"}, {5, "2.2.2.2:2"}}, "", 0},
		{"too small a lead", 2, []group{{20, "1.1.1.1:1"}, {17, "2.2.2.2:2"}}, "", 0},
		{"just enough of a lead", 2, []group{{20, "1.1.1.1:1"}, {16, "2.2.2.2:2"}}, "1.1.1.1:1", 20},
		{"the threshold is for one address", 10, []group{{9, "1.1.1.1:1"}, {9, "2.2.2.2:2"}}, "", 0},
		{"a port that half of them see", 4, []group{{4, "1.1.1.1:1"}, {4, "1.1.1.1:2"}}, "1.1.1.1", 8},
		{"a port below the threshold", 10, []group{{9, "1.1.1.1:1"}, {3, "1.1.1.1:2"}}, "1.1.1.1", 12},
		{"a port with a majority", 10, []group{{12, "1.1.1.1:1"}, {3, "1.1.1.1:2"}}, "1.1.1.1:1", 15},
		{"ports of other addresses do not matter", 4, []group{{5, "1.1.1.1:1"}, {4, "2.2.2.2:2"}, {3, "1.1.1.1:2"}, {2, "3.3.3.3:2"}}, "1.1.1.1:1", 8},
		{"IPv6", 4, []group{{4, "[2001:db8::1]:1"}, {1, "[2001:db8::2]:1"}}, "[2001:db8::1]:1", 4},
		{"4-in-6 is IPv4", 4, []group{{2, "[::ffff:1.1.1.1]:1"}, {2, "1.1.1.1:1"}}, "1.1.1.1:1", 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, i, family := NewVotes(tc.threshold), 0, IPv4
			for _, g := range tc.cast {
				cast(v, start, i, g.n, ap(g.seen))
				family, _ = FamilyOf(ap(g.seen).Addr())
				i += g.n
			}
			wantMajority(t, v, start, family, tc.want, tc.votes)
			wantMajority(t, v, start, 1-family, "", 0)
			wantMajority(t, v, start, 7, "", 0)
		})
	}
}

// TestRandomPorts is a NAT that gives every contact another port.
func TestRandomPorts(t *testing.T) {
	v := NewVotes(10)
	for i := range 30 {
		cast(v, start, i, 1, netip.AddrPortFrom(ip("1.2.3.4"), uint16(20000+i)))
	}
	wantMajority(t, v, start, IPv4, "1.2.3.4", 30)
}

func TestOneVotePerNode(t *testing.T) {
	v := NewVotes(2)
	for range 3 {
		cast(v, start, 1, 1, ap("1.1.1.1:1"))
	}
	wantMajority(t, v, start, IPv4, "", 0)
	cast(v, start, 1, 1, ap("2.2.2.2:1")) // only the last vote of node 1 counts
	cast(v, start, 1, 1, ap("3.3.3.3:1"))
	cast(v, start, 2, 1, ap("1.1.1.1:1"))
	wantMajority(t, v, start, IPv4, "", 0)
	cast(v, start, 3, 1, ap("3.3.3.3:1"))
	wantMajority(t, v, start, IPv4, "3.3.3.3:1", 2)
	if got := v.Tally(start, IPv4).Voters; got != 3 {
		t.Errorf("%d voters", got)
	}
	for i := range 5 { // the same node from everywhere
		v.Insert(start, node(9), far(IPv4, 100+i), ap("1.1.1.1:1"))
	}
	if got := v.Tally(start, IPv4).Voters; got != 4 {
		t.Errorf("%d voters", got)
	}
	if got := len(v.ballots[IPv4].groups); got != 4 {
		t.Errorf("%d prefixes are taken, want 4", got)
	}
}

func TestFamiliesAreSeparate(t *testing.T) {
	v := NewVotes(2)
	cast(v, start, 1, 2, ap("1.1.1.1:1"))
	cast(v, start, 1, 2, ap("[2001:db8::1]:2")) // the same nodes
	wantMajority(t, v, start, IPv4, "1.1.1.1:1", 2)
	wantMajority(t, v, start, IPv6, "[2001:db8::1]:2", 2)
}

func TestVotesExpire(t *testing.T) {
	v := NewVotes(2)
	cast(v, start, 1, 1, ap("1.1.1.1:1"))
	cast(v, start.Add(time.Minute), 2, 1, ap("1.1.1.1:1"))
	wantMajority(t, v, start.Add(Life), IPv4, "1.1.1.1:1", 2)
	wantMajority(t, v, start.Add(Life+1), IPv4, "", 0)
	cast(v, start.Add(Life+1), 3, 1, ap("1.1.1.1:1"))
	cast(v, start.Add(2*time.Minute), 2, 1, ap("1.1.1.1:1")) // renewed
	wantMajority(t, v, start.Add(Life+2*time.Minute), IPv4, "1.1.1.1:1", 2)
	wantMajority(t, v, start.Add(time.Hour), IPv4, "", 0)
	if len(v.ballots[IPv4].groups) != 0 {
		t.Error("an expired vote holds its prefix")
	}
}

// TestOneMachine votes with many identities from one /24 or /64 against an honest majority.
func TestOneMachine(t *testing.T) {
	for _, tc := range []struct {
		family       Family
		honest, evil string
		from         func(i int) netip.Addr
	}{
		{IPv4, "1.1.1.1:1", "6.6.6.6:6", func(i int) netip.Addr { return netip.AddrFrom4([4]byte{70, 1, 1, byte(i)}) }},
		{IPv6, "[2001:db8::1]:1", "[2001:db8::6]:6", func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 1, 9, 15: byte(i)}) }},
	} {
		v := NewVotes(10)
		cast(v, start, 0, 12, ap(tc.honest))
		for i := range 5 * MaxVoters {
			v.Insert(start, node(1000+i), tc.from(i), ap(tc.evil))
		}
		wantMajority(t, v, start, tc.family, tc.honest, 12)
		if got := v.Tally(start, tc.family); got.Voters != 13 || got.Counts[1].Votes != 1 {
			t.Errorf("%v: %+v", tc.family, got)
		}
	}
}

func TestLANVotersCountEach(t *testing.T) {
	v := NewVotes(10)
	for i := range 10 {
		v.Insert(start, node(i), ip("127.0.0.1"), ap("127.0.0.1:9000"))
	}
	wantMajority(t, v, start, IPv4, "127.0.0.1:9000", 10)
	v = NewVotes(10)
	for i := range 10 {
		v.Insert(start, node(i), netip.AddrFrom4([4]byte{192, 168, 1, byte(i)}), ap("192.168.1.200:9000"))
	}
	wantMajority(t, v, start, IPv4, "192.168.1.200:9000", 10)
}

func TestVotesNotCounted(t *testing.T) {
	for _, tc := range []struct {
		from, seen string
		counts     bool
	}{
		{"8.8.8.8", "1.1.1.1:1", true},
		{"8.8.8.8", "1.1.1.1:0", false},
		{"8.8.8.8", "0.0.0.0:1", false},
		{"8.8.8.8", "224.0.0.1:1", false},
		{"8.8.8.8", "255.255.255.255:1", false},
		{"8.8.8.8", "127.0.0.1:1", false},
		{"8.8.8.8", "10.0.0.1:1", false},
		{"8.8.8.8", "169.254.0.1:1", false},
		{"8.8.8.8", "[2001:db8::1]:1", false},
		{"10.0.0.2", "10.0.0.1:1", true},
		{"10.0.0.2", "1.1.1.1:1", true},
		{"10.0.0.2", "127.0.0.1:1", false},
		{"127.0.0.1", "127.0.0.1:1", true},
		{"127.0.0.1", "10.0.0.1:1", true},
		{"::ffff:8.8.8.8", "1.1.1.1:1", true},
		{"2001:db8::9", "[2001:db8::1]:1", true},
		{"2001:db8::9", "[::]:1", false},
		{"2001:db8::9", "[ff02::1]:1", false},
		{"2001:db8::9", "[fe80::1]:1", false},
		{"2001:db8::9", "[fd00::1]:1", false},
		{"2001:db8::9", "1.1.1.1:1", false},
		{"fe80::2%eth0", "[fe80::1%eth1]:1", true},
	} {
		v := NewVotes(2)
		if got := v.Insert(start, node(1), ip(tc.from), ap(tc.seen)); got != tc.counts {
			t.Errorf("%s from %s: %v", tc.seen, tc.from, got)
		}
	}
	v := NewVotes(2)
	if v.Insert(start, node(1), netip.Addr{}, ap("1.1.1.1:1")) || v.Insert(start, node(1), ip("8.8.8.8"), netip.AddrPort{}) {
		t.Error("a vote without addresses counts")
	}
}

func TestInsertTellsChanges(t *testing.T) {
	v := NewVotes(2)
	for i, step := range []struct {
		id         int
		from, seen string
		want       bool
	}{
		{1, "8.8.8.8", "1.1.1.1:1", true},
		{1, "8.8.8.8", "1.1.1.1:1", false},
		{1, "8.8.8.8", "1.1.1.1:2", true},
		{1, "8.8.8.9", "1.1.1.1:2", false}, // another address of the same prefix
		{1, "8.8.4.4", "1.1.1.1:2", true},  // may free a prefix, or take one
		{2, "8.8.4.4", "1.1.1.1:2", true},
	} {
		if got := v.Insert(start, node(step.id), ip(step.from), ap(step.seen)); got != step.want {
			t.Errorf("vote %d: %v", i, got)
		}
	}
}

func TestVotesAreBounded(t *testing.T) {
	v := NewVotes(2)
	cast(v, start, 0, 3*MaxVoters, ap("1.1.1.1:1"))
	if _, n, _ := v.Majority(start, IPv4); n != MaxVoters || len(v.ballots[IPv4].groups) != MaxVoters {
		t.Errorf("%d votes, %d prefixes", n, len(v.ballots[IPv4].groups))
	}
	cast(v, start, 9*MaxVoters, MaxVoters-1, ap("2.2.2.2:1")) // the oldest leave
	tally := v.Tally(start, IPv4)
	if tally.Voters != MaxVoters || tally.Counts[1].Votes != 1 {
		t.Errorf("%+v", tally)
	}
}

func TestTally(t *testing.T) {
	v := NewVotes(3)
	cast(v, start, 0, 2, ap("3.3.3.3:7"))
	cast(v, start, 2, 2, ap("2.2.2.2:9"))
	cast(v, start, 4, 1, ap("1.1.1.1:5"))
	cast(v, start, 5, 2, ap("1.1.1.1:6"))
	want := []Count{{ip("1.1.1.1"), 3, 6, 2}, {ip("2.2.2.2"), 2, 9, 2}, {ip("3.3.3.3"), 2, 7, 2}}
	if got := v.Tally(start, IPv4); got.Voters != 7 || got.Threshold != 3 || !slices.Equal(got.Counts, want) {
		t.Errorf("%+v", got)
	}
	for i := range 100 {
		cast(v, start, 100+i, 1, netip.AddrPortFrom(far(IPv4, i), 1))
	}
	if got := v.Tally(start, IPv4); len(got.Counts) != MaxTally || got.Counts[0].Votes != 3 {
		t.Errorf("%d lines", len(got.Counts))
	}
	if got := v.Tally(start.Add(time.Hour), IPv4); got.Voters != 0 || got.Counts != nil {
		t.Errorf("%+v", got)
	}
	if got := v.Tally(start, 9); got.Voters != 0 || got.Counts != nil {
		t.Errorf("%+v", got)
	}
}

// TestVotesModel compares with a plain list of votes.
func TestVotesModel(t *testing.T) {
	type cast struct {
		id    int
		group int
		seen  netip.AddrPort
		at    time.Time
	}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	v, now := NewVotes(3), start
	var model []cast
	won := 0
	for n := range 5000 {
		now = now.Add(time.Duration(rng.IntN(20)) * time.Second)
		c := cast{rng.IntN(60), rng.IntN(40), netip.AddrPortFrom(far(IPv4, 500+min(rng.IntN(3), rng.IntN(3))), uint16(1+min(rng.IntN(3), rng.IntN(3)))), now}
		v.Insert(now, node(c.id), far(IPv4, c.group), c.seen)
		model = slices.DeleteFunc(model, func(o cast) bool {
			return o.id == c.id || o.group == c.group || now.Sub(o.at) > Life
		})
		model = append(model, c)

		counts, ports := make(map[netip.Addr]int), make(map[netip.AddrPort]int)
		for _, o := range model {
			counts[o.seen.Addr()]++
			ports[o.seen]++
		}
		var want Endpoint
		var votes int
		for addr, got := range counts {
			best := got >= 3
			for other, n := range counts {
				best = best && (other == addr || got-n >= max(1, len(model)/8))
			}
			if best {
				want, votes = Endpoint{Addr: addr}, got
			}
		}
		for at, got := range ports {
			best := at.Addr() == want.Addr && got >= 3
			for other, n := range ports {
				best = best && (other == at || other.Addr() != at.Addr() || got-n >= max(1, votes/8))
			}
			if best {
				want.Port, want.PortKnown = at.Port(), true
			}
		}
		got, gotVotes, ok := v.Majority(now, IPv4)
		if got != want || gotVotes != votes || ok != (votes > 0) || v.Tally(now, IPv4).Voters != len(model) {
			t.Fatalf("seed %d, vote %d: %+v with %d, want %+v with %d", seed, n, got, gotVotes, want, votes)
		}
		if ok {
			won++
		}
	}
	if won == 0 || won == 5000 {
		t.Fatalf("seed %d: %d of 5000 had a winner", seed, won)
	}
}

func TestFamily(t *testing.T) {
	for in, want := range map[string]Family{"1.2.3.4": IPv4, "::ffff:1.2.3.4": IPv4, "::1": IPv6} {
		if got, ok := FamilyOf(ip(in)); got != want || !ok {
			t.Errorf("%s: %v, %v", in, got, ok)
		}
	}
	if _, ok := FamilyOf(netip.Addr{}); ok {
		t.Error("the invalid address has a family")
	}
	if got := fmt.Sprint(IPv4, IPv6, Family(9)); got != "ipv4 ipv6 unknown family" {
		t.Error(got)
	}
}
