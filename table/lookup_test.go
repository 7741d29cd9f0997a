package table

import (
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// script is a lookup that a test leads step by step.
type script struct {
	*Lookup
	t   *testing.T
	now time.Time
}

// origin is the target of scripted lookups, so that an id says how far it is.
var origin = enode.ID{}

func newScript(t *testing.T, cfg LookupConfig, seeds ...string) *script {
	if cfg.Self == (enode.ID{}) {
		cfg.Self = id("ffff")
	}
	return &script{NewLookup(cfg, nodes(seeds...)), t, start}
}

// nodes returns nodes by the first digits of their ids.
func nodes(ids ...string) (list []*enode.Node) {
	for _, s := range ids {
		list = append(list, newNode(id(s), "20.0.0.1", 1))
	}
	return list
}

// step expects the requests of one Next, in order.
func (s *script) step(want ...string) {
	s.t.Helper()
	asks, wake, done := s.Next(s.now)
	var got []string
	for _, a := range asks {
		got = append(got, name(a.Node.ID()))
	}
	for i := range want {
		want[i] = name(id(want[i]))
	}
	if !slices.Equal(got, want) || done {
		s.t.Fatalf("asks %v, want %v, done %v", got, want, done)
	}
	if !wake.IsZero() && !wake.After(s.now) {
		s.t.Fatalf("wake %v after now", wake.Sub(s.now))
	}
	checkLookup(s.t, s.Lookup)
}

// end expects that nothing is asked and the lookup is over.
func (s *script) end() {
	s.t.Helper()
	for range 2 {
		if asks, wake, done := s.Next(s.now); len(asks) > 0 || !wake.IsZero() || !done {
			s.t.Fatalf("asks %v, wake %v, done %v", asks, wake, done)
		}
	}
}

func (s *script) answer(from string, ids ...string) {
	s.t.Helper()
	s.Answered(id(from), nodes(ids...))
	checkLookup(s.t, s.Lookup)
}

func (s *script) fail(from string) { s.Failed(id(from)) }

func (s *script) pass(d time.Duration) { s.now = s.now.Add(d) }

func (s *script) result(want ...string) {
	s.t.Helper()
	if got, want := names(s.Result()), names(nodes(want...)); got != want {
		s.t.Errorf("result %q, want %q", got, want)
	}
}

// checkLookup compares what a lookup counts and indexes with its contacts.
func checkLookup(t testing.TB, l *Lookup) {
	t.Helper()
	found := 0
	for _, c := range l.contacts {
		if l.byID[c.id] != c {
			t.Fatalf("%s is not found by id", name(c.id))
		}
		if c.match && (l.cfg.Query || !c.out()) {
			found++
		}
		if c.waiting() != slices.Contains(l.flying, c) {
			t.Fatalf("%s: state %d, under way %v", name(c.id), c.state, slices.Contains(l.flying, c))
		}
	}
	if len(l.byID) != len(l.contacts) || found != l.found || len(l.contacts) > MaxContacts {
		t.Fatalf("%d contacts, %d by id; %d matches, %d counted", len(l.contacts), len(l.byID), found, l.found)
	}
	if !l.cfg.Query && !slices.IsSortedFunc(l.contacts, compare) {
		t.Fatal("contacts are out of order")
	}
}

func TestLookupSteps(t *testing.T) {
	s := newScript(t, LookupConfig{}, "40", "10", "80", "20")
	s.step("10", "20", "40")
	s.step()
	s.answer("20", "08", "ff", "10")
	s.step("08")
	s.answer("08")
	s.step("80")
	s.answer("10")
	s.answer("40")
	s.step("ff")
	s.answer("80")
	s.step()
	s.fail("ff")
	s.end()
	s.result("08", "10", "20", "40", "80")
	if s.Asked() != 6 {
		t.Errorf("%d requests", s.Asked())
	}
}

func TestLookupWithoutSeeds(t *testing.T) {
	s := newScript(t, LookupConfig{})
	s.end()
	s.result()
}

func TestLookupAsksOnlyTheClosest(t *testing.T) {
	s := newScript(t, LookupConfig{K: 2, Alpha: 1}, "10", "20", "30", "40")
	s.step("10")
	s.answer("10", "05", "50")
	s.step("05")
	s.answer("05")
	s.end()
	s.result("05", "10")
}

func TestLookupReplacesTheFailed(t *testing.T) {
	s := newScript(t, LookupConfig{K: 2}, "10", "20", "30", "40")
	s.step("10", "20")
	s.fail("10")
	s.step("30")
	s.answer("20")
	s.answer("30")
	s.end()
	s.result("20", "30")
	if n := s.Node(id("10")); n == nil || n.ID() != id("10") {
		t.Error("the record of a node that failed is lost")
	}
	if s.Node(id("99")) != nil {
		t.Error("a stranger has a record")
	}
}

func TestLookupRequests(t *testing.T) {
	l := NewLookup(LookupConfig{Self: id("ffff"), Target: id("80")}, nodes("80", "81", "01"))
	asks, _, _ := l.Next(start)
	for i, want := range [][]uint{{0, 256, 255}, {249, 250, 248}, {256, 255, 254}} {
		if !slices.Equal(asks[i].Distances, want) {
			t.Errorf("%s is asked for %v, want %v", name(asks[i].Node.ID()), asks[i].Distances, want)
		}
	}
}

func TestLookupIgnores(t *testing.T) {
	s := newScript(t, LookupConfig{}, "10", "10", "ffff", "20")
	s.Answered(id("10"), nodes("01")) // Not asked yet.
	s.step("10", "20")
	s.answer("30", "02") // Never asked.
	s.Answered(id("10"), []*enode.Node{nil, newNode(id("ffff"), "20.0.0.1", 9), nodes("10")[0]})
	s.answer("10", "03") // For the second time.
	s.fail("10")
	s.answer("20")
	s.end()
	s.answer("20", "04") // After the end.
	s.fail("20")
	s.result("10", "20")
}

func TestLookupTakesNewerRecords(t *testing.T) {
	s := newScript(t, LookupConfig{Alpha: 1, Predicate: func(n *enode.Node) bool { return n.Seq() > 1 }, Patience: -1}, "10", "20")
	s.step("10")
	newer, older := newNode(id("20"), "20.0.0.2", 5), newNode(id("20"), "20.0.0.3", 4)
	s.Answered(id("10"), []*enode.Node{newer, older})
	checkLookup(t, s.Lookup)
	asks, _, _ := s.Next(s.now)
	if len(asks) != 1 || asks[0].Node != newer {
		t.Fatalf("asks %v", asks)
	}
	if r := s.Result(); len(r) != 1 || r[0] != newer || s.Node(id("20")) != newer {
		t.Errorf("result %s", names(r))
	}
}

func TestLookupAsksAgainAtANewAddress(t *testing.T) {
	s := newScript(t, LookupConfig{Alpha: 2}, "10", "20")
	s.step("10", "20")
	s.fail("20")
	s.Answered(id("10"), []*enode.Node{newNode(id("20"), "20.0.9.9", 2)})
	s.step("20")
	s.fail("20")
	s.end()
	s.result("10")
}

func TestQuery(t *testing.T) {
	s := newScript(t, LookupConfig{Query: true, K: 3, Alpha: 2}, "40", "20")
	s.step("40", "20") // As they were met.
	s.fail("20")
	s.answer("40", "30", "01", "02", "30")
	s.step("30")
	s.answer("30", "03")
	s.end()
	s.result("01", "02", "03", "20", "30", "40")
	if s.Asked() != 3 {
		t.Errorf("%d requests", s.Asked())
	}
}

func odd(n *enode.Node) bool { return n.ID()[0]&1 == 1 }

func TestLookupPredicate(t *testing.T) {
	s := newScript(t, LookupConfig{K: 2, Predicate: odd}, "40", "51")
	s.step("40", "51")
	s.answer("40", "20", "31") // The way leads over nodes that are not wanted.
	s.step("20", "31")
	s.answer("20", "11", "61")
	s.step("11")
	for _, from := range []string{"51", "31", "11"} {
		s.answer(from)
	}
	s.end()
	s.result("11", "31")
}

func TestLookupWant(t *testing.T) {
	for _, query := range []bool{false, true} {
		s := newScript(t, LookupConfig{K: 1, Alpha: 1, Predicate: odd, Want: 3, Query: query}, "40")
		s.step("40")
		s.answer("40", "20", "11", "31", "51", "71")
		s.end()
		if query {
			s.result("11", "31", "51", "71")
		} else {
			s.result("11", "31", "51")
		}
	}
	s := newScript(t, LookupConfig{Want: 2}, "10", "20")
	s.end() // The seeds are enough.
	s.result("10", "20")
}

func TestLookupWantDoesNotCountTheFailed(t *testing.T) {
	s := newScript(t, LookupConfig{Alpha: 2, Predicate: odd, Want: 2}, "10", "11")
	s.step("10", "11")
	s.fail("11")
	s.answer("10", "21")
	s.step("21")
	s.answer("21", "31")
	s.end()
	s.result("21", "31")
}

func TestLookupHedges(t *testing.T) {
	s := newScript(t, LookupConfig{Alpha: 1, Patience: time.Second}, "10", "20", "30")
	s.step("10")
	s.pass(time.Second - 1)
	s.step()
	s.pass(1)
	s.step("20")
	s.answer("20")
	s.step("30")
	s.answer("10", "01") // Late, and still of use.
	s.step()
	s.answer("30")
	s.step("01")
	s.answer("01")
	s.end()
	s.result("01", "10", "20", "30")
}

func TestLookupGivesUpOnTheSilent(t *testing.T) {
	s := newScript(t, LookupConfig{K: 2, Patience: time.Second}, "10", "20", "30")
	s.step("10", "20")
	s.answer("20")
	s.pass(time.Second)
	s.step("30") // In case 10 is dead.
	s.answer("30")
	_, wake, done := s.Next(s.now)
	if done || wake.Sub(s.now) != 3*time.Second {
		t.Fatalf("done %v, wake in %v", done, wake.Sub(s.now))
	}
	s.result("10", "20")
	s.pass(3 * time.Second)
	s.end() // It counts as failed.
	s.result("20", "30")
}

func TestLookupAsksAtMostAlphaMore(t *testing.T) {
	s := newScript(t, LookupConfig{K: 4, Alpha: 2, Patience: time.Second}, "10", "20", "30", "40", "50", "60", "70", "80")
	s.step("10", "20")
	s.pass(time.Second)
	s.step("30", "40")
	s.pass(time.Second)
	s.step("50", "60")
	s.pass(time.Second)
	s.step()
	s.answer("10")
	s.answer("20")
	s.answer("30")
	s.answer("40")
	s.end() // 50 and 60 were asked in vain.
	s.result("10", "20", "30", "40")
}

func TestLookupTakesBackTheGivenUp(t *testing.T) {
	s := newScript(t, LookupConfig{K: 2, Patience: time.Second}, "10", "20", "30")
	s.step("10", "20")
	s.answer("20")
	s.pass(4 * time.Second)
	s.step("30")
	s.answer("10", "05")
	s.step("05")
	s.answer("30")
	s.answer("05")
	s.end()
	s.result("05", "10")
}

func TestLookupWaitsWhileNobodyAnswers(t *testing.T) {
	s := newScript(t, LookupConfig{Patience: time.Second}, "10", "20")
	s.step("10", "20")
	s.pass(time.Hour)
	s.step()
	s.fail("10")
	s.step()
	s.answer("20")
	s.end()
	s.result("20")
}

func TestLookupDoesNotWaitForTheFar(t *testing.T) {
	s := newScript(t, LookupConfig{K: 1, Alpha: 2, Patience: time.Second}, "20")
	s.step("20")
	s.pass(time.Second)
	s.step()
	s.answer("20", "10")
	s.step("10")
	s.pass(time.Second) // Silent, and alone in the window: its answer matters.
	s.step()
	s.answer("10", "05", "04")
	s.step("04")
	s.answer("04")
	s.end()
	s.result("04")

	s = newScript(t, LookupConfig{K: 1, Alpha: 2, Patience: time.Second}, "30")
	s.step("30")
	s.answer("30", "20")
	s.step("20")
	s.pass(time.Second)
	s.step()
	s.Lookup.meet(nodes("10")[0]) // Pushes 20 out of the window.
	s.step("10")
	s.answer("10")
	s.end()
}

func TestLookupWithoutPatience(t *testing.T) {
	s := newScript(t, LookupConfig{Patience: -1}, "10")
	s.step("10")
	s.pass(time.Hour)
	if _, wake, done := s.Next(s.now); !wake.IsZero() || done {
		t.Errorf("wake %v, done %v", wake, done)
	}
	s.fail("10")
	s.end()
}

func TestLookupCustomDistance(t *testing.T) {
	cfg := LookupConfig{Target: id("80"), Distance: ringDistance, LogDistance: ringLogDistance, Alpha: 1}
	s := newScript(t, cfg, "70", "90", "10", "81")
	s.step("81") // XOR agrees, but not on the others.
	s.answer("81", "7f")
	s.step("7f")
	if got, want := s.distances(id("7f"))[0], uint(ringLogDistance(id("80"), id("7f"))); got != want {
		t.Errorf("distance %d, want %d", got, want)
	}
	if first := s.Result()[:2]; names(first) != names(nodes("7f", "81")) && names(first) != names(nodes("81", "7f")) {
		t.Errorf("result begins with %s", names(first))
	}
}

func TestHostileAnswersEnd(t *testing.T) {
	for _, cfg := range []LookupConfig{{}, {Query: true}, {MaxAsked: 1000}, {MaxAsked: 1000, K: 900, Query: true}, {Patience: -1, K: 1, MaxAsked: 500}} {
		r := newRand(t)
		cfg.Self, cfg.Target = id("ffff"), RandomID(r)
		l := NewLookup(cfg, nodes("10", "20"))
		now, closer := start, 256
		for rounds := 0; ; rounds++ {
			asks, _, done := l.Next(now)
			if done {
				break
			}
			if rounds > 10_000 {
				t.Fatal("it does not end")
			}
			for _, a := range asks {
				var lies []*enode.Node
				for range 100 { // More than allowed, each closer than all before until that ends.
					closer = max(1, closer-r.IntN(2))
					lies = append(lies, newNode(RandomIDAtDistance(r, cfg.Target, closer), "20.0.0.1", r.Uint64()))
				}
				if r.IntN(10) > 0 {
					l.Answered(a.Node.ID(), lies)
				} else {
					l.Failed(a.Node.ID())
				}
			}
			now = now.Add(time.Millisecond)
			checkLookup(t, l)
		}
		if limit := max(cfg.MaxAsked, DefaultMaxAsked); l.Asked() > limit {
			t.Errorf("%+v: %d requests", cfg, l.Asked())
		}
	}
}

func TestLookupForgetsTheFarthest(t *testing.T) {
	l := NewLookup(LookupConfig{Self: id("ffff"), K: 1, Alpha: 1, Patience: -1, Want: 2 * MaxContacts}, nodes("f0"))
	if asks, _, _ := l.Next(start); len(asks) != 1 {
		t.Fatal("the seed is not asked")
	}
	for i := range uint64(MaxContacts + 10) {
		l.meet(newNode(numbered(MaxContacts+10-i), "20.0.0.1", 1))
	}
	checkLookup(t, l)
	if len(l.contacts) != MaxContacts || l.Node(id("f0")) != nil {
		t.Errorf("%d contacts; the farthest is %v", len(l.contacts), l.Node(id("f0")))
	}
	l.meet(newNode(id("ee"), "20.0.0.1", 1)) // Too far to be taken.
	l.Answered(id("f0"), nodes("01"))
	checkLookup(t, l)
	if asks, _, _ := l.Next(start); len(asks) != 1 || asks[0].Node.ID() != numbered(1) {
		t.Errorf("asks %v", asks)
	}
}
