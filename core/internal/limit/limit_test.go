package limit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestBucket(t *testing.T) {
	type step struct {
		after time.Duration // since the start
		tries int
		want  int // of which pass
	}
	for _, tc := range []struct {
		name  string
		rate  Rate
		steps []step
	}{
		{"zero rate is no limit", Rate{}, []step{{0, 1000, 1000}}},
		{"a burst and no more", Rate{50, 200}, []step{{0, 300, 200}}},
		{"refills at its rate", Rate{50, 200}, []step{{0, 200, 200}, {time.Second, 60, 50}, {2 * time.Second, 60, 50}}},
		{"fills no higher than its burst", Rate{50, 200}, []step{{0, 200, 200}, {time.Hour, 500, 200}}},
		{"refusals cost nothing", Rate{1, 1}, []step{{0, 1, 1}, {time.Second / 2, 100, 0}, {time.Second, 2, 1}}},
		{"a burst below one is one", Rate{1, -3}, []step{{0, 5, 1}, {time.Second, 5, 1}}},
		{"less than one a second", Rate{0.1, 1}, []step{{0, 2, 1}, {9 * time.Second, 1, 0}, {10 * time.Second, 1, 1}}},
		{"next to nothing", Rate{1e-300, 2}, []step{{0, 5, 1}, {1000 * time.Hour, 1, 0}}},
		{"a fast one", Rate{20000, 100}, []step{{0, 200, 100}, {time.Millisecond, 200, 20}}},
		{"the clock is set back", Rate{10, 10}, []step{{0, 10, 10}, {-24 * time.Hour, 1, 0}, {-24*time.Hour + time.Second, 20, 10}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b Bucket
			for i, s := range tc.steps {
				passed := 0
				for range s.tries {
					if b.Allow(start.Add(s.after), tc.rate) {
						passed++
					}
				}
				if passed != s.want {
					t.Fatalf("step %d: %d of %d passed, want %d", i, passed, s.tries, s.want)
				}
			}
		})
	}
}

func TestBucketFull(t *testing.T) {
	var b Bucket
	if !b.Full(start) {
		t.Error("a new bucket is not full")
	}
	b.Allow(start, Rate{10, 10})
	if b.Full(start) {
		t.Error("full after a token was taken")
	}
	if !b.Full(start.Add(100 * time.Millisecond)) {
		t.Error("not full again after the token came back")
	}
}

// TestBucketHoldsItsRate tries random instants: no window may see more than burst + rate × length pass.
func TestBucketHoldsItsRate(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	rate := Rate{100, 30}
	var b Bucket
	var passed []time.Duration
	var at time.Duration
	for range 20000 {
		at += time.Duration(rng.ExpFloat64() * float64(4*time.Millisecond))
		if b.Allow(start.Add(at), rate) {
			passed = append(passed, at)
		}
	}
	for i := range passed {
		for _, n := range []int{31, 50, 130} {
			if j := i + n; j < len(passed) {
				if took := passed[j] - passed[i]; float64(n+1) > float64(rate.Burst)+took.Seconds()*rate.PerSecond+1e-6 {
					t.Fatalf("seed %d: %d packets passed in %v", seed, n+1, took)
				}
			}
		}
	}
	if want := at.Seconds() * rate.PerSecond; float64(len(passed)) < 0.95*want {
		t.Fatalf("seed %d: %d passed, want about %.0f", seed, len(passed), want)
	}
}

func TestRateValidate(t *testing.T) {
	for _, tc := range []struct {
		rate Rate
		ok   bool
	}{
		{Rate{}, true}, {Rate{0, -1}, true}, {Rate{50, 200}, true}, {Rate{0.5, 1}, true},
		{Rate{-1, 1}, false}, {Rate{math.NaN(), 1}, false}, {Rate{math.Inf(1), 1}, false}, {Rate{1, 0}, false},
	} {
		if err := tc.rate.Validate(); (err == nil) != tc.ok {
			t.Errorf("%+v: %v", tc.rate, err)
		}
		new(Bucket).Allow(start, tc.rate) // whatever it is, no panic
	}
}

func TestSourceOf(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"1.2.3.4", "1.2.3.4", true},
		{"1.2.3.4", "1.2.3.5", false},
		{"1.2.3.4", "::ffff:1.2.3.4", true},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"0.0.0.0", "::", false},
		{"1.2.3.4", "0:0:102:304::", false},
	} {
		a, b := SourceOf(netip.MustParseAddr(tc.a)), SourceOf(netip.MustParseAddr(tc.b))
		if (a == b) != tc.same {
			t.Errorf("%s is %v, %s is %v", tc.a, a, tc.b, b)
		}
	}
	for in, want := range map[string]string{"1.2.3.4": "1.2.3.4/32", "2001:db8:1:2::1": "2001:db8:1:2::/64"} {
		if got := SourceOf(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s prints as %s, want %s", in, got, want)
		}
	}
	if s := SourceOf(netip.Addr{}); s != (Source{}) || s.Prefix().IsValid() {
		t.Errorf("the invalid address is %v", s)
	}
}

func TestExempt(t *testing.T) {
	for in, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "::ffff:127.0.0.1": true, "10.1.2.3": true, "172.16.0.1": true, "172.32.0.1": false,
		"192.168.0.1": true, "169.254.1.1": true, "fe80::1": true, "fd00::1": true, "8.8.8.8": false, "2001:db8::1": false,
		"0.0.0.0": false, "::": false, "100.64.0.1": false,
	} {
		if got := Exempt(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
	if Exempt(netip.Addr{}) {
		t.Error("the invalid address is exempt")
	}
}

func addr4(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(i>>24) + 1, byte(i >> 16), byte(i >> 8), byte(i)})
}

func TestSourcesAreSeparate(t *testing.T) {
	s := NewSources(0)
	rate := Rate{1, 2}
	for i := range 100 {
		for j, want := range []bool{true, true, false} {
			if got := s.Allow(start, addr4(i), rate); got != want {
				t.Fatalf("source %d, packet %d: %v", i, j, got)
			}
		}
	}
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	if !s.Allow(start, a, rate) || !s.Allow(start, b, rate) || s.Allow(start, a, rate) {
		t.Error("addresses of one /64 do not share a bucket")
	}
	if s.Len() != 101 {
		t.Errorf("%d sources", s.Len())
	}
}

func TestSourcesUnlimitedRemembersNothing(t *testing.T) {
	s := NewSources(4)
	for i := range 100 {
		if !s.Allow(start, addr4(i), Rate{}) {
			t.Fatal("refused without a limit")
		}
	}
	if s.Len() != 0 {
		t.Errorf("%d sources remembered", s.Len())
	}
}

// TestSourcesModel compares with a naive list of the most recently seen sources.
func TestSourcesModel(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 2))
	for _, size := range []int{1, 2, 7} {
		s, rate, now := NewSources(size), Rate{5, 3}, start
		type known struct {
			addr   netip.Addr
			bucket Bucket
		}
		var model []*known // oldest first
		for n := range 5000 {
			now = now.Add(time.Duration(rng.IntN(100)) * time.Millisecond)
			addr := addr4(rng.IntN(2 * size))
			entry := &known{addr: addr}
			for i, k := range model {
				if k.addr == addr {
					entry, model = k, append(model[:i:i], model[i+1:]...)
					break
				}
			}
			if model = append(model, entry); len(model) > size {
				model = model[1:]
			}
			if got, want := s.Allow(now, addr, rate), entry.bucket.Allow(now, rate); got != want {
				t.Fatalf("seed %d, size %d, call %d: %v, want %v", seed, size, n, got, want)
			}
			if s.Len() != len(model) || len(s.index) != len(model) {
				t.Fatalf("seed %d, size %d, call %d: %d sources, %d indexed, want %d", seed, size, n, s.Len(), len(s.index), len(model))
			}
		}
	}
}

func TestSourcesDoNotAllocate(t *testing.T) {
	s, rate := NewSources(1024), Rate{50, 200}
	for i := range 4096 {
		s.Allow(start, addr4(i), rate)
	}
	i := 0
	if n := testing.AllocsPerRun(5000, func() { s.Allow(start, addr4(4095-i%1000), rate); i++ }); n != 0 {
		t.Errorf("a known source costs %v allocations", n)
	}
	if n := testing.AllocsPerRun(5000, func() { s.Allow(start, addr4(i), rate); i++ }); n >= 0.01 {
		t.Errorf("a new source costs %v allocations in a full set", n)
	}
}

func BenchmarkBucket(b *testing.B) {
	var bucket Bucket
	now, rate := start, Rate{5000, 5000}
	for b.Loop() {
		now = now.Add(time.Microsecond)
		bucket.Allow(now, rate)
	}
}

func BenchmarkSources(b *testing.B) {
	for _, known := range []int{1, 1000, DefaultSources} {
		b.Run(fmt.Sprintf("known=%d", known), func(b *testing.B) {
			s, rate, now, i := NewSources(0), Rate{50, 200}, start, 0
			addrs := make([]netip.Addr, known)
			for i := range addrs {
				addrs[i] = addr4(i)
				s.Allow(start, addrs[i], rate)
			}
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Microsecond)
				s.Allow(now, addrs[i], rate)
				if i++; i == known {
					i = 0
				}
			}
		})
	}
	b.Run("flood", func(b *testing.B) {
		s, rate, i := NewSources(0), Rate{50, 200}, 0
		b.ReportAllocs()
		for b.Loop() {
			s.Allow(start, addr4(i), rate)
			i++
		}
	})
}
