package supervise

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var start = time.Unix(1_700_000_000, 0)

func middle() float64 { return 0.5 } // no spread

// step is an event at a time after the start, and the states that it leads to.
type step struct {
	after  time.Duration
	event  Event
	states string
}

func run(t *testing.T, name string, m *Machine, steps []step) {
	t.Helper()
	for i, s := range steps {
		var got []string
		for _, change := range m.Handle(start.Add(s.after), s.event, fmt.Sprintf("reason %d", i)) {
			got = append(got, change.To.String())
		}
		if strings.Join(got, " ") != s.states {
			state, _, _ := m.State()
			t.Errorf("%s, step %d: event %d led to %q (now %v), want %q", name, i, s.event, got, state, s.states)
		}
	}
}

func TestLives(t *testing.T) {
	const s, m = time.Second, time.Minute
	tests := map[string][]step{
		"a good one": {
			{0, Start, "starting"}, {0, Launched, "configuring"}, {0, Ready, "running"}, {s, Worse, "degraded"}, {2 * s, Worse, "degraded"},
			{3 * s, Better, "running"}, {3 * s, Better, ""}, {4 * s, Drain, "draining"}, {4 * s, Crash, ""}, {5 * s, Ended, "stopped"}, {6 * s, Start, "starting"},
		},
		"it crashes at every stage": {
			{0, Start, "starting"}, {0, Crash, "crashed backoff"}, {s, Start, "starting"}, {s, Launched, "configuring"}, {s, Crash, "crashed backoff"},
			{3 * s, Start, "starting"}, {3 * s, Launched, "configuring"}, {3 * s, Ready, "running"}, {3 * s, Crash, "crashed backoff"},
			{9 * s, Start, "starting"}, {9 * s, Launched, "configuring"}, {9 * s, Ready, "running"}, {9 * s, Worse, "degraded"}, {9 * s, Crash, "crashed backoff"},
			{20 * s, Start, "starting"}, {20 * s, Crash, "crashed disabled"}, {21 * s, Start, ""}, {21 * s, Crash, ""}, {22 * s, Revive, "starting"}, {22 * s, Crash, "crashed backoff"},
		},
		"crashes far apart are no reason to give up": {
			{0, Start, "starting"}, {0, Crash, "crashed backoff"}, {3 * m, Start, "starting"}, {3 * m, Crash, "crashed backoff"},
			{6 * m, Start, "starting"}, {6 * m, Crash, "crashed backoff"}, {9 * m, Start, "starting"}, {9 * m, Crash, "crashed backoff"},
			{10 * m, Start, "starting"}, {10 * m, Crash, "crashed backoff"}, {10*m + s, Start, "starting"}, {10*m + s, Crash, "crashed disabled"},
		},
		"it is refused": {
			{0, Start, "starting"}, {0, Refuse, "refused"}, {s, Start, ""}, {s, Crash, ""}, {s, Drain, ""}, {s, Revive, "starting"}, {s, Launched, "configuring"}, {s, Refuse, "refused"},
			{2 * s, Ended, "stopped"},
		},
		"an operator ends it": {
			{0, Start, "starting"}, {0, Disable, ""}, {0, Drain, "draining"}, {0, Ended, "stopped"}, {0, Disable, "disabled"}, {0, Disable, ""}, {0, Start, ""},
			{0, Launched, ""}, {0, Ready, ""}, {0, Worse, ""}, {0, Replaced, ""}, {0, Revive, "starting"}, {0, Revive, ""},
		},
		"it is replaced": {
			{0, Replaced, ""}, {0, Start, "starting"}, {0, Replaced, ""}, {0, Launched, "configuring"}, {0, Ready, "running"}, {s, Replaced, "running"},
			{2 * s, Worse, "degraded"}, {3 * s, Replaced, "running"},
		},
	}
	for name, steps := range tests {
		run(t, name, New(start, Policy{}, middle), steps)
	}
}

func TestBackoff(t *testing.T) {
	m := New(start, Policy{Crashes: 100}, middle)
	now := start
	var pauses []string
	crash := func() {
		t.Helper()
		m.Handle(now, Start, "")
		m.Handle(now, Crash, "exit status 3")
		at, ok := m.Next()
		if !ok {
			t.Fatal("no pause")
		}
		pauses = append(pauses, at.Sub(now).String())
		now = at
	}
	for range 9 {
		crash()
	}
	if got := strings.Join(pauses, " "); got != "500ms 1s 2s 4s 8s 16s 32s 1m0s 1m0s" {
		t.Errorf("pauses are %s", got)
	}
	if state, since, reason := m.State(); state != Backoff || reason != "exit status 3; another start in 1m0s" || since.IsZero() {
		t.Errorf("%v since %v: %q", state, since, reason)
	}
	for _, served := range []time.Duration{2*time.Minute - 1, 2 * time.Minute} {
		m.Handle(now, Start, "")
		m.Handle(now, Launched, "")
		m.Handle(now, Ready, "")
		m.Handle(now.Add(time.Second), Worse, "") // still serves
		now = now.Add(served)
		m.Handle(now, Crash, "")
		at, _ := m.Next()
		if want := map[bool]time.Duration{true: 500 * time.Millisecond, false: time.Minute}[served >= 2*time.Minute]; at.Sub(now) != want {
			t.Errorf("a pause of %v after %v of service, want %v", at.Sub(now), served, want)
		}
		now = at
	}
	if m.Restarts() != 10 {
		t.Errorf("%d restarts", m.Restarts())
	}
}

func TestJitter(t *testing.T) {
	for _, r := range []float64{0, 0.3, 0.999} {
		m := New(start, Policy{Crashes: 100}, func() float64 { return r })
		for i := range 12 {
			m.Handle(start, Revive, "")
			m.streak = i
			m.Handle(start, Crash, "")
			at, _ := m.Next()
			if d := at.Sub(start); d < 500*time.Millisecond || d > time.Minute {
				t.Errorf("crash %d with %v: a pause of %v", i, r, d)
			}
		}
	}
	m := New(start, Policy{Crashes: 1000}, rand.Float64)
	seen := make(map[time.Duration]bool)
	for range 50 {
		m.Handle(start, Revive, "")
		m.streak = 3
		m.Handle(start, Crash, "")
		at, _ := m.Next()
		seen[at.Sub(start)] = true
	}
	if len(seen) < 10 {
		t.Errorf("only %d different pauses", len(seen))
	}
}

// No sequence of events leads into a state that the table does not know, or to more crashes than the policy allows.
func TestAnyEvents(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	m := New(start, Policy{}, r.Float64)
	now, last := start, Declared
	for i := range 100_000 {
		now = now.Add(time.Duration(r.Int64N(int64(time.Minute))))
		for _, change := range m.Handle(now, Event(r.IntN(int(numEvents)+1)), "r") {
			if change.From != last {
				t.Fatalf("seed %d, event %d: from %v, but it was %v", seed, i, change.From, last)
			}
			last = change.To
		}
		if at, ok := m.Next(); ok && at.Sub(now) > time.Minute {
			t.Fatalf("seed %d: a pause of %v", seed, at.Sub(now))
		}
		if len(m.crashes) > 5 || last == Crashed {
			t.Fatalf("seed %d: %d crashes, %v", seed, len(m.crashes), last)
		}
	}
}

func TestHealth(t *testing.T) {
	var h Health
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	h.Begin(at(0))
	if _, dead := h.Answered(at(5), ""); dead {
		t.Error("dead though well")
	}
	for i, want := range []bool{false, false, true} {
		reason, dead := h.Answered(at(10+5*i), "disk full")
		if dead != want || reason != fmt.Sprintf("health: disk full (%d in a row)", i+1) {
			t.Errorf("failure %d: %q, %v", i, reason, dead)
		}
	}
	h.Begin(at(0))
	h.Answered(at(1), "x")
	h.Answered(at(2), "x")
	h.Answered(at(3), "")
	if _, dead := h.Answered(at(4), "x"); dead {
		t.Error("failures before a success count")
	}
	h.Begin(at(0))
	if _, dead := h.Unanswered(at(14), "timeout"); dead {
		t.Error("dead after 14 s")
	}
	if reason, dead := h.Unanswered(at(15), "timeout"); !dead || reason != "health: no answer: timeout (2 in a row)" {
		t.Errorf("%q, %v after 15 s of silence", reason, dead)
	}
}

func TestStateNames(t *testing.T) {
	seen := make(map[string]bool)
	for s := range numStates {
		seen[s.String()] = true
	}
	if len(seen) != int(numStates) || numStates.String() != "unknown" {
		t.Errorf("names: %v", seen)
	}
}
