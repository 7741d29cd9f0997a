package forks

import (
	"testing"
	"time"

	"github.com/discv5/host/sdk/fields"
)

// example has three forks of the beacon chain, at 0, 10,000 and 20,000 s after 2001-09-09T01:46:40Z,
// and one of the execution layer with the second.
func example(t *testing.T) *Network {
	t.Helper()
	s, err := Parse("example.hcl", []byte(`
network "example" {
  execution {
    genesis_hash = "0x0000000000000000000000000000000000000000000000000000000000000001"
    fork "b" { time = 2000010000 }
  }
  consensus {
    genesis_time            = 2000000000
    genesis_validators_root = "0x0000000000000000000000000000000000000000000000000000000000000002"
    seconds_per_slot        = 10
    slots_per_epoch         = 10
    fork "a" {
      epoch     = 0
      version   = "0x00000001"
      max_blobs = 6
    }
    blobs "c" {
      epoch     = 200
      max_blobs = 9
    }
    fork "fulu" {
      epoch   = 100
      version = "0x00000002"
    }
  }
}`))
	if err != nil {
		t.Fatal(err)
	}
	n, _ := s.WithGrace(1000 * time.Second).Network("example")
	return n
}

func second(s int64) time.Time { return time.Unix(2000000000+s, 0) }

func TestDigestsAroundForks(t *testing.T) {
	n := example(t)
	digests := make(map[string]fields.Bytes4)
	for _, f := range n.Consensus.Forks {
		digests[f.Name] = f.Digest
	}
	if len(digests) != 3 || digests["c"] == digests["fulu"] {
		t.Fatalf("digests %v", digests)
	}
	for _, tc := range []struct {
		digest, nfd string
		at          int64
		want        string
		until       int64
	}{
		{"a", "", -50_000, "", 11_000}, // before genesis
		{"a", "", 0, "", 11_000},
		{"a", "", 10_999, "", 11_000},
		{"a", "", 11_000, ReasonOld, 0},
		{"fulu", "", 8_999, ReasonEarly, 9_000},
		{"fulu", "", 9_000, "", 21_000},
		{"fulu", "", 10_000, "", 21_000},
		{"fulu", "", 20_999, "", 21_000},
		{"fulu", "", 21_000, ReasonOld, 0},
		{"c", "", 18_999, ReasonEarly, 19_000},
		{"c", "", 19_000, "", 0},
		{"c", "", 1_000_000_000, "", 0},
		{"x", "", 10_000, ReasonForeign, 0},

		// nfd: no reason to refuse before the fork, but after it
		{"a", "fulu", 10_500, "", 11_000},
		{"a", "0", 10_500, "", 11_000},
		{"a", "c", 9_999, "", 10_000},
		{"a", "c", 10_000, ReasonSplit, 0},
		{"a", "x", 11_000, ReasonOld, 0},
		{"c", "x", 30_000, "", 0},
	} {
		digests["x"] = fields.Bytes4{1, 2, 3, 4}
		a := Announcement{Eth2: &fields.Eth2{ForkDigest: digests[tc.digest]}}
		if tc.nfd != "" {
			nfd := digests[tc.nfd]
			a.NFD = &nfd
		}
		v := n.Accepts(a, second(tc.at))
		until := time.Time{}
		if tc.until != 0 {
			until = second(tc.until)
		}
		if v.Accepted != (tc.want == "") || v.Reason != tc.want || !v.Until.Equal(until) {
			t.Errorf("digest %s, nfd %q at %d: %+v, want %q until %d", tc.digest, tc.nfd, tc.at, v, tc.want, tc.until)
		}
	}
}

// A verdict does not change before it says so, and changes when it does.
func TestUntilIsWhenVerdictsChange(t *testing.T) {
	n := example(t)
	var all []Announcement
	for _, f := range n.Consensus.Forks {
		for _, nfd := range []fields.Bytes4{{}, n.Consensus.Forks[1].Digest, n.Consensus.Forks[2].Digest, {9}} {
			all = append(all, Announcement{Eth2: &fields.Eth2{ForkDigest: f.Digest}, NFD: &nfd})
		}
	}
	for i := range n.Execution.sums {
		for _, next := range []uint64{0, 2000010000, 2000005000} {
			all = append(all, Announcement{Eth: &fields.ForkID{Hash: n.Execution.sums[i], Next: next}})
		}
	}
	for _, a := range all {
		for _, ask := range []func(Announcement, time.Time) Verdict{n.Accepts, n.Prepared} {
			v, now := ask(a, second(-20_000)), second(-20_000)
			for at := int64(-20_000); at <= 30_000; at += 100 {
				now = second(at)
				next := ask(a, now)
				if next.Accepted != v.Accepted && (v.Until.IsZero() || v.Until.After(now)) {
					t.Fatalf("%+v: %+v, but %+v at %d", a, v, next, at)
				}
				if !next.Until.IsZero() && !next.Until.After(now) {
					t.Fatalf("%+v at %d: until %v, which is over", a, at, next.Until)
				}
				v = next
			}
		}
	}
}

// What a record has of the two layers must agree with the schedule; what it has not does not count.
func TestLayersOfARecord(t *testing.T) {
	n := example(t)
	good2, bad2 := &fields.Eth2{ForkDigest: n.Consensus.Forks[0].Digest}, &fields.Eth2{}
	good1, bad1 := &fields.ForkID{Hash: n.Execution.sums[0]}, &fields.ForkID{}
	for _, tc := range []struct {
		a    Announcement
		want string
	}{
		{Announcement{}, ReasonNone},
		{Announcement{NFD: &fields.Bytes4{}}, ReasonNone},
		{Announcement{Eth2: good2}, ""},
		{Announcement{Eth2: bad2}, ReasonForeign},
		{Announcement{Eth: good1}, ""},
		{Announcement{Eth: bad1}, ReasonForeign},
		{Announcement{Eth2: good2, Eth: good1}, ""},
		{Announcement{Eth2: good2, Eth: bad1}, ReasonForeign},
		{Announcement{Eth2: bad2, Eth: good1}, ReasonForeign},
	} {
		if v := n.Accepts(tc.a, second(0)); v.Reason != tc.want || v.Accepted != (tc.want == "") {
			t.Errorf("%+v: %+v, want %q", tc.a, v, tc.want)
		}
	}
	beacon := &Network{Consensus: n.Consensus}
	if v := beacon.Accepts(Announcement{Eth: good1}, second(0)); v.Reason != ReasonNone {
		t.Errorf("eth where the schedule has no execution layer: %+v", v)
	}
	if v := (&Network{Execution: n.Execution}).Accepts(Announcement{Eth2: good2}, second(0)); v.Reason != ReasonNone {
		t.Errorf("eth2 where the schedule has no beacon chain: %+v", v)
	}
}

func TestPrepared(t *testing.T) {
	n := example(t)
	d := n.Consensus.Forks
	e := n.Execution
	for _, tc := range []struct {
		name string
		a    Announcement
		at   int64
		want string
	}{
		{"nfd says so", Announcement{Eth2: &fields.Eth2{ForkDigest: d[0].Digest}, NFD: &d[1].Digest}, 0, ""},
		{"nfd says nothing", Announcement{Eth2: &fields.Eth2{ForkDigest: d[0].Digest}, NFD: new(fields.Bytes4)}, 0, ReasonStale},
		{"eth2 says so", Announcement{Eth2: &fields.Eth2{ForkDigest: d[0].Digest, NextForkVersion: d[1].Version, NextForkEpoch: 100}}, 0, ""},
		{"eth2 has another epoch", Announcement{Eth2: &fields.Eth2{ForkDigest: d[0].Digest, NextForkVersion: d[1].Version, NextForkEpoch: 101}}, 0, ReasonStale},
		{"it is there already", Announcement{Eth2: &fields.Eth2{ForkDigest: d[1].Digest}}, 9_500, ""},
		{"it is late", Announcement{Eth2: &fields.Eth2{ForkDigest: d[0].Digest}}, 10_500, ReasonStale},
		{"blobs only: eth2 cannot tell", Announcement{Eth2: &fields.Eth2{ForkDigest: d[1].Digest}}, 15_000, ""},
		{"nothing is scheduled", Announcement{Eth2: &fields.Eth2{ForkDigest: d[2].Digest}}, 25_000, ""},
		{"it is late for the last one", Announcement{Eth2: &fields.Eth2{ForkDigest: d[1].Digest}}, 20_500, ReasonStale},
		{"not accepted", Announcement{Eth2: &fields.Eth2{ForkDigest: d[0].Digest}}, 25_000, ReasonOld},
		{"eth knows it", Announcement{Eth: &fields.ForkID{Hash: e.sums[0], Next: 2000010000}}, 0, ""},
		{"eth does not", Announcement{Eth: &fields.ForkID{Hash: e.sums[0]}}, 0, ReasonStale},
		{"eth knows more", Announcement{Eth: &fields.ForkID{Hash: e.sums[1], Next: 2000090000}}, 15_000, ""},
		{"eth is ahead", Announcement{Eth: &fields.ForkID{Hash: e.sums[1]}}, 0, ""},
	} {
		if v := n.Prepared(tc.a, second(tc.at)); v.Reason != tc.want || v.Accepted != (tc.want == "") {
			t.Errorf("%s: %+v, want %q", tc.name, v, tc.want)
		}
	}
}

// With grace windows that overlap, three digests are accepted at a time, and who is two forks ahead is prepared.
func TestGraceWindowsThatOverlap(t *testing.T) {
	forks := example(t).Consensus.Forks
	n := *example(t)
	n.grace = 15_000 * time.Second
	for i, want := range []struct{ accepted, prepared string }{{"", ReasonStale}, {"", ReasonStale}, {"", ""}} {
		a := Announcement{Eth2: &fields.Eth2{ForkDigest: forks[i].Digest}, NFD: new(fields.Bytes4)}
		if v := n.Accepts(a, second(9_000)); v.Reason != want.accepted {
			t.Errorf("%s: %+v", forks[i].Name, v)
		}
		at := int64(9_000)
		if i == 1 {
			at = 20_000
		}
		if v := n.Prepared(a, second(at)); v.Reason != want.prepared {
			t.Errorf("%s prepared at %d: %+v, want %q", forks[i].Name, at, v, want.prepared)
		}
	}
}
