package outage

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func node(i int) enode.ID { return enode.ID{31: byte(i), 30: byte(i >> 8)} }

// play runs a script: one event per line, "<seconds> ask 1 2 3", "… answer 1", "… packet", "… timeout 1 counts",
// "… timeout 1 held", "… recovered 1 2", "… recovered" for nobody, "… out" and "… up". Events happen in order.
func play(t *testing.T, d *Detector, script string) {
	t.Helper()
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var secs float64
		fmt.Sscan(words[0], &secs)
		now := start.Add(time.Duration(secs * float64(time.Second)))
		var ids []enode.ID
		for _, w := range words[2:] {
			var i int
			if n, _ := fmt.Sscan(w, &i); n == 1 {
				ids = append(ids, node(i))
			}
		}
		switch words[1] {
		case "ask":
			for _, id := range ids {
				d.Asked(now, id)
			}
		case "answer":
			d.Answered(now, ids[0])
		case "packet":
			d.ValidPacket(now)
		case "timeout":
			want := words[len(words)-1]
			for _, id := range ids {
				if got := map[bool]string{true: "counts", false: "held"}[d.TimedOut(now, id)]; got != want {
					t.Fatalf("%s: %s", strings.TrimSpace(line), got)
				}
			}
		case "recovered":
			if got := d.Recovered(); !slices.Equal(got, ids) {
				t.Fatalf("%s: %v", strings.TrimSpace(line), got)
			}
		case "out", "up":
			if _, out := d.Out(); out != (words[1] == "out") {
				t.Fatalf("%s: out is %v", strings.TrimSpace(line), out)
			}
		default:
			t.Fatalf("no such event: %s", line)
		}
	}
}

func TestDetector(t *testing.T) {
	for _, tc := range []struct{ name, script string }{
		{"all silent after an answer is our outage", `
			0   answer 9
			1   ask 1 2 3 4 5
			5   timeout 1 2 3 4 5 held
			5   out
			5   recovered`},
		{"traffic returns", `
			0   answer 9
			1   ask 1 2 3 4 5
			5   timeout 1 2 3 4 5 held
			30  packet
			30  up
			30  recovered 1 2 3 4 5
			31  recovered`},
		{"fewer than five asked", `
			0   answer 9
			1   ask 1 2 3 4
			5   timeout 1 2 3 4 counts
			5   up`},
		{"five requests to four nodes", `
			0   answer 9
			1   ask 1 2 3 4 1
			5   timeout 1 2 3 4 counts`},
		{"nobody has ever answered", `
			1   ask 1 2 3 4 5 6 7 8
			5   timeout 1 2 3 4 5 6 7 8 counts
			5   recovered`},
		{"packets alone are no answers", `
			0   packet
			1   ask 1 2 3 4 5
			5   timeout 1 2 3 4 5 counts`},
		{"the last answer is more than a minute before the silence", `
			0    answer 9
			61   ask 1 2 3 4 5
			65   timeout 1 counts`},
		{"the last answer is just a minute before", `
			0    answer 9
			60   ask 1 2 3 4 5
			64   timeout 1 held`},
		{"one of them answers", `
			0   answer 9
			1   ask 1 2 3 4 5
			2   answer 3
			5   timeout 1 2 4 5 counts
			5   up`},
		{"somebody else's packet comes in", `
			0   answer 9
			1   ask 1 2 3 4 5
			4.9 packet
			5   timeout 1 2 3 4 5 counts`},
		{"a packet at the instant of the requests is before the silence", `
			1   answer 9
			1   ask 1 2 3 4 5
			5   timeout 1 held`},
		{"the requests are spread over the whole timeout", `
			0   answer 9
			1   ask 1
			2   ask 2
			3   ask 3
			4   ask 4
			4.9 ask 5
			5   timeout 1 held
			6   timeout 2 held`},
		{"the requests are spread over more than the timeout", `
			0   answer 9
			1   ask 1
			3   ask 2
			5   ask 3
			5.2 timeout 1 counts
			7   ask 4
			7.2 timeout 2 counts`},
		{"late timers", `
			0    answer 9
			1    ask 1 2 3 4 5
			5.2  timeout 1 held
			5.3  timeout 2 3 4 5 held`},
		{"too late timers", `
			0    answer 9
			1    ask 1 2 3 4 5
			5.3  timeout 1 2 3 4 5 counts`},
		{"an outage lasts until traffic returns, however few are asked", `
			0    answer 9
			1    ask 1 2 3 4 5
			5    timeout 1 2 3 4 5 held
			600  ask 6
			604  timeout 6 held
			605  ask 6
			609  timeout 6 held
			700  answer 1
			700  recovered 1 2 3 4 5 6`},
		{"a request sent into the outage times out after it", `
			0    answer 9
			1    ask 1 2 3 4 5
			5    timeout 1 2 3 4 5 held
			9.5  ask 6
			10   packet
			10   recovered 1 2 3 4 5
			10.1 ask 1
			13.5 timeout 6 held
			13.5 recovered 6
			14.1 timeout 1 counts
			14.1 recovered`},
		{"a second outage", `
			0    answer 9
			1    ask 1 2 3 4 5
			5    timeout 1 held
			10   packet
			10   recovered 1
			11   ask 1 2 3 4 5
			12   answer 1
			20   ask 1 2 3 4 5
			24   timeout 1 held
			24   out
			24   recovered
			30   packet
			30   recovered 1`},
	} {
		t.Run(tc.name, func(t *testing.T) { play(t, New(4*time.Second), tc.script) })
	}
}

func TestOutTellsSince(t *testing.T) {
	d := New(0)
	play(t, d, "0 answer 9\n1 ask 1 2 3 4 5\n5 timeout 1 held\n6 timeout 2 held")
	if since, out := d.Out(); !out || !since.Equal(start.Add(5*time.Second)) {
		t.Errorf("out since %v, %v", since, out)
	}
}

func TestHeldNodesAreBounded(t *testing.T) {
	d := New(0)
	d.Answered(start, node(1))
	for i := range 5 {
		d.Asked(start, node(i))
	}
	now := start.Add(DefaultTimeout)
	for i := range 3 * MaxHeld {
		if d.TimedOut(now, node(i)) {
			t.Fatalf("timeout of node %d counts in an outage", i)
		}
	}
	d.ValidPacket(now.Add(time.Minute))
	if got := d.Recovered(); len(got) != MaxHeld {
		t.Errorf("%d nodes to ask again, want %d", len(got), MaxHeld)
	}
}

// TestAskedModel compares the number of different nodes asked in the last timeout with a full list of requests.
func TestAskedModel(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	d := New(4 * time.Second)
	last := make(map[int]time.Time)
	now, began := start, 0
	for n := range 20000 {
		now = now.Add(time.Duration(rng.IntN(1500)) * time.Millisecond)
		i := rng.IntN(12)
		d.Asked(now, node(i))
		last[i] = now
		at := now.Add(time.Duration(rng.IntN(4000)) * time.Millisecond)
		fresh := 0
		for _, asked := range last {
			if at.Sub(asked) <= 4*time.Second+Slack {
				fresh++
			}
		}
		d.answer, d.packet = at.Add(-4*time.Second), at.Add(-4*time.Second)
		if got, want := d.begins(at), fresh >= MinAsked; got != want {
			t.Fatalf("seed %d, request %d: %v with %d different nodes", seed, n, got, fresh)
		} else if got {
			began++
		}
	}
	if began == 0 {
		t.Fatalf("seed %d: the test never met an outage", seed)
	}
}

func TestNothingIsAllocatedPerPacket(t *testing.T) {
	d, i := New(0), 0
	if n := testing.AllocsPerRun(1000, func() {
		i++
		now := start.Add(time.Duration(i) * time.Millisecond)
		d.Asked(now, node(i%40))
		d.Answered(now, node(i%40))
		d.ValidPacket(now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAsked(b *testing.B) {
	d, i := New(0), 0
	ids := make([]enode.ID, 64)
	for i := range ids {
		ids[i] = node(i)
	}
	for b.Loop() {
		d.Asked(start, ids[i&63])
		i++
	}
}

func BenchmarkValidPacket(b *testing.B) {
	d := New(0)
	for b.Loop() {
		d.ValidPacket(start)
	}
}
