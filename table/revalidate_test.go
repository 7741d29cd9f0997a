package table

import (
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// pass moves the clock of the test.
func (f *fixture) pass(d time.Duration) { f.now = f.now.Add(d) }

// seen reports n answers that are far enough apart to count each.
func (f *fixture) seen(n *enode.Node, times int) {
	f.t.Helper()
	for range times {
		f.pass(checkPause)
		f.Seen(f.now, n.ID(), 0)
	}
	checkInvariants(f.t, f.Table)
}

// fail lets the check of a node start when it is due and fail.
func (f *fixture) fail(n *enode.Node) (removed, promoted *Entry) {
	f.t.Helper()
	f.CheckStarted(f.now, n.ID())
	removed, promoted = f.Failed(f.now, n.ID())
	checkInvariants(f.t, f.Table)
	return removed, promoted
}

// due returns how long a node is left alone, not counting the pace of verified ones.
func (f *fixture) due(n *enode.Node) time.Duration {
	f.t.Helper()
	e, ok := f.Entry(n.ID())
	if !ok {
		f.t.Fatalf("%s is no entry", name(n.ID()))
	}
	return e.due.Sub(f.now)
}

func (f *fixture) wantDue(n *enode.Node, from, to time.Duration) {
	f.t.Helper()
	if d := f.due(n); d < from || d > to {
		f.t.Errorf("%s is due in %v, want %v to %v", name(n.ID()), d, from, to)
	}
}

func TestSeenOrder(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, Limits: unlimited})
	nodes := f.many(16, 256)
	f.want(Added, nodes...)
	for _, n := range nodes {
		f.Seen(f.now, n.ID(), 0)
	}
	for _, n := range nodes {
		f.replaceTail()
		f.has(n, false)
	}
}

func TestSeenPromoted(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, Limits: unlimited})
	nodes, spare := f.many(16, 256), f.many(8, 256)
	f.want(Added, nodes...)
	f.want(ReplacementAdded, spare...)
	for _, n := range slices.Backward(spare) {
		f.replaceTail()
		f.Seen(f.now, n.ID(), 0)
	}
	for _, n := range slices.Concat(spare, nodes[:8]) {
		f.has(n, true)
	}
}

func TestSeen(t *testing.T) {
	f := newFixture(t, Config{})
	n := f.at(256)
	f.want(Added, n)
	f.pass(time.Minute)
	if !f.Seen(f.now, n.ID(), 30*time.Millisecond) {
		t.Error("the first answer is not the first")
	}
	e, _ := f.Entry(n.ID())
	if !e.Verified || f.Verified() != 1 || !e.LastSeen.Equal(f.now) || e.RTT != 30*time.Millisecond || e.Checks != 1 {
		t.Errorf("after the first answer: %+v", e)
	}
	f.pass(time.Second)
	if f.Seen(f.now, n.ID(), 0) || e.RTT != 30*time.Millisecond || !e.LastSeen.Equal(f.now) {
		t.Errorf("after the second: %+v", e)
	}
	if e.Checks != 1 {
		t.Errorf("answers 1 s apart count as %d", e.Checks)
	}
	f.seen(n, 2)
	if e.Checks != 3 || !e.Trusted() {
		t.Errorf("after two more: %+v", e)
	}
	if f.Seen(f.now, RandomID(f.rng), 0) {
		t.Error("a stranger was seen")
	}
}

func TestSeenReplacement(t *testing.T) {
	f := newFixture(t, Config{Self: id("0001"), BitsPerHop: 1, BucketSize: 1, Limits: unlimited})
	f.want(Added, newNode(id("80"), "20.0.0.1", 1))
	f.want(ReplacementAdded, newNode(id("81"), "20.0.1.1", 1), newNode(id("82"), "20.0.2.1", 1))
	if !f.Seen(f.now, id("81"), time.Second) || f.Seen(f.now, id("81"), 0) {
		t.Error("the first answer of a replacement is not told from the second")
	}
	checkInvariants(t, f.Table)
	_, promoted := f.Replace(f.now, id("80"))
	if promoted == nil || promoted.ID() != id("81") || promoted.Verified {
		t.Errorf("promoted %+v", promoted)
	}
}

func TestFailedReplacementIsDropped(t *testing.T) {
	f := newFixture(t, Config{Self: id("0001"), BitsPerHop: 1, BucketSize: 1, Limits: unlimited})
	f.want(Added, newNode(id("80"), "20.0.0.1", 1))
	f.want(ReplacementAdded, newNode(id("81"), "20.0.1.1", 1))
	if removed, promoted := f.Failed(f.now, id("81")); removed != nil || promoted != nil {
		t.Errorf("removed %v, promoted %v", removed, promoted)
	}
	if f.Node(id("81")) != nil || f.Len() != 1 {
		t.Error("the replacement is still there, or the entry is not")
	}
	checkInvariants(t, f.Table)
	f.Failed(f.now, id("99")) // A stranger.
}

func TestFailedIsReplacedAtOnce(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, Limits: unlimited})
	nodes := f.many(16, 256)
	spare := f.at(256)
	f.want(Added, nodes...)
	f.want(ReplacementAdded, spare)
	f.seen(nodes[3], TrustedChecks-1)
	removed, promoted := f.fail(nodes[3])
	if removed == nil || removed.Node != nodes[3] || promoted == nil || promoted.Node != spare {
		t.Fatalf("removed %v, promoted %v", removed, promoted)
	}
	f.wantDue(spare, 0, time.Second)
}

func TestFailedTrustedHasASecondChance(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, Limits: unlimited})
	nodes := f.many(16, 256)
	f.want(Added, nodes...)
	f.want(ReplacementAdded, f.at(256))
	n := nodes[3]
	for _, recovers := range []bool{true, false} {
		f.seen(n, TrustedChecks)
		if removed, _ := f.fail(n); removed != nil {
			t.Fatal("a trusted node went at its first failure")
		}
		if e, _ := f.Entry(n.ID()); e.Verified || e.Trusted() {
			t.Errorf("after its failure: %+v", e)
		}
		f.wantDue(n, 0, time.Second)
		if recovers {
			f.Seen(f.now, n.ID(), 0)
			if e, _ := f.Entry(n.ID()); !e.Verified || e.Failures != 0 || e.Checks != 1 {
				t.Errorf("after it recovered: %+v", e)
			}
		}
	}
	if removed, promoted := f.fail(n); removed == nil || promoted == nil {
		t.Error("a trusted node survived the second check")
	}
}

func TestFailedWithoutReplacement(t *testing.T) {
	f := newFixture(t, Config{})
	n := f.at(256)
	f.want(Added, n)
	f.seen(n, 1)
	for _, pause := range []time.Duration{10 * time.Second, 20 * time.Second} {
		if removed, _ := f.fail(n); removed != nil {
			t.Fatal("removed too early")
		}
		if f.Verified() != 0 {
			t.Error("still verified")
		}
		f.wantDue(n, pause, pause+time.Second)
		f.pass(f.due(n))
	}
	if removed, promoted := f.fail(n); removed == nil || promoted != nil || f.Len() != 0 {
		t.Errorf("after 3 failures: removed %v, promoted %v", removed, promoted)
	}
}

func TestFailuresInARow(t *testing.T) {
	f := newFixture(t, Config{})
	n := f.at(256)
	f.want(Added, n)
	for range 10 {
		f.fail(n)
		f.fail(n)
		f.Seen(f.now, n.ID(), 0)
	}
	f.has(n, true)
}

func TestOneSilenceIsOneFailure(t *testing.T) {
	f := newFixture(t, Config{})
	n := f.at(256)
	f.want(Added, n)
	f.seen(n, 1)
	e, _ := f.Entry(n.ID())
	for range 10 { // Many requests were under way when it went silent.
		f.Failed(f.now, n.ID())
		f.pass(sameSilence / 20)
	}
	if e.Failures != 1 {
		t.Fatalf("%d failures", e.Failures)
	}
	f.pass(sameSilence)
	f.Failed(f.now, n.ID())
	if e.Failures != 2 {
		t.Errorf("%d failures after a pause", e.Failures)
	}
	f.CheckStarted(f.now, n.ID())
	f.Failed(f.now, n.ID())
	f.has(n, false)
}

func TestBootstrapIsNeverDropped(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, Limits: unlimited})
	boot := f.at(256)
	f.want(Added, boot) // As an ordinary node first.
	if got := f.Add(f.now, Candidate{Node: boot, Addr: addrOf(boot), Bootstrap: true}); got != Existing {
		t.Fatal(got)
	}
	f.want(Added, f.many(15, 256)...)
	f.want(ReplacementAdded, f.many(8, 256)...)
	f.seen(boot, 5)
	f.fail(boot) // The second chance of a trusted node.
	for _, pause := range []int{20, 40, 80, 160, 300, 300, 300} {
		if removed, promoted := f.fail(boot); removed != nil || promoted != nil {
			t.Fatalf("removed %v, promoted %v", removed, promoted)
		}
		from := time.Duration(pause) * time.Second
		f.wantDue(boot, from, from+time.Second)
		f.pass(f.due(boot))
	}
	if removed, promoted := f.Replace(f.now, boot.ID()); removed != nil || promoted != nil {
		t.Errorf("Replace removed %v, promoted %v", removed, promoted)
	}
	f.Seen(f.now, boot.ID(), 0)
	f.Replace(f.now, boot.ID())
	if e, ok := f.Entry(boot.ID()); !ok || e.Verified {
		t.Errorf("after Replace: %v %+v", ok, e)
	}
	if !f.Remove(boot.ID()) {
		t.Error("a ban does not remove it")
	}
	checkInvariants(t, f.Table)
}

func TestNextCheckOfNewcomers(t *testing.T) {
	f := newFixture(t, Config{Limits: unlimited})
	for range 100 {
		f.add(newNode(RandomID(f.rng), f.fresh(), 1))
	}
	n := f.Len()
	for f.Verified() < n && f.now.Sub(start) < time.Minute {
		e, wake := f.NextCheck(f.now)
		if e == nil {
			if !wake.After(f.now) {
				t.Fatalf("nothing to do, but wake %v after now", wake.Sub(f.now))
			}
			f.now = wake
			continue
		}
		f.CheckStarted(f.now, e.ID())
		f.Seen(f.now, e.ID(), 0)
	}
	if took := f.now.Sub(start); f.Verified() != n || took > time.Second {
		t.Errorf("%d of %d verified after %v", f.Verified(), n, took)
	}
}

func TestNextCheckOfVerified(t *testing.T) {
	f := newFixture(t, Config{Limits: unlimited})
	for range 200 {
		n := newNode(RandomID(f.rng), f.fresh(), 1)
		if f.add(n) == Added {
			f.pass(time.Second)
			f.Seen(f.now, n.ID(), 0)
		}
	}
	f.pass(maxPause)
	count, last := 0, time.Time{}
	for begin := f.now; f.now.Sub(begin) < 1000*time.Second; {
		e, wake := f.NextCheck(f.now)
		if e == nil {
			f.now = wake
			continue
		}
		if !last.IsZero() && e.LastSeen.Before(last) {
			t.Fatalf("%v was seen before the one that was checked earlier", name(e.ID()))
		}
		last = e.LastSeen
		f.CheckStarted(f.now, e.ID())
		if again, _ := f.NextCheck(f.now.Add(-time.Nanosecond)); again != nil {
			t.Fatal("two checks of verified nodes at once")
		}
		f.pass(20 * time.Millisecond)
		if f.now.Sub(last) < checkPause { // All were checked once.
			break
		}
		f.Seen(f.now, e.ID(), 0)
		if count++; count == f.Len() {
			break
		}
	}
	// Pauses of 5 s in the mean; the standard deviation of the mean of 150 is 0.24 s.
	if pause := f.now.Sub(start.Add(time.Duration(f.Len())*time.Second+maxPause)) / time.Duration(count); count < 100 ||
		pause < 3*time.Second || pause > 7*time.Second {
		t.Errorf("%d checks, one every %v", count, pause)
	}
	checkInvariants(t, f.Table)
}

// However many newcomers are due, a verified node that is due comes first.
func TestNextCheckServesVerifiedBesideNewcomers(t *testing.T) {
	f := newFixture(t, Config{Limits: unlimited})
	old := f.at(250)
	f.want(Added, old)
	f.seen(old, 1)
	for range 300 {
		f.add(newNode(RandomID(f.rng), f.fresh(), 1))
	}
	f.pass(checkPause)
	if e, _ := f.NextUnverified(f.now); e == nil || e.Verified {
		t.Fatal("no newcomer is due")
	}
	e, _ := f.NextCheck(f.now)
	if e == nil || e.ID() != old.ID() {
		t.Fatal("a newcomer comes before the verified node")
	}
	f.CheckStarted(f.now, old.ID())
	if e, _ := f.NextCheck(f.now); e == nil || e.Verified {
		t.Error("with the verified node on its way it is not the turn of a newcomer")
	}
	if e, wake := f.NextVerified(f.now); e != nil || !wake.After(f.now) {
		t.Errorf("two verified nodes at a time: %v, %v", e, wake)
	}
}

// A replacement takes the place of an entry that deserves it less, and of no other.
func TestPromote(t *testing.T) {
	type situation struct {
		name     string
		entry    func(f *fixture, n *enode.Node) // what the only entry went through
		answered bool                            // the replacement did
		boot     bool                            // the entry is a bootstrap node
		promoted bool
		removed  bool
	}
	nothing := func(*fixture, *enode.Node) {}
	fail := func(f *fixture, n *enode.Node) { f.fail(n) }
	trusted := func(f *fixture, n *enode.Node) { f.seen(n, TrustedChecks); f.fail(n) }
	for _, s := range []situation{
		{name: "verified", entry: func(f *fixture, n *enode.Node) { f.seen(n, 1) }, answered: true},
		{name: "not asked yet", entry: nothing},
		{name: "not asked yet, the other answered", entry: nothing, answered: true, promoted: true},
		{name: "never answered", entry: fail, promoted: true, removed: true},
		{name: "failed twice after an answer", entry: func(f *fixture, n *enode.Node) { f.seen(n, 1); f.fail(n); f.fail(n) }, promoted: true, removed: true},
		{name: "a trusted one with its second chance", entry: trusted, answered: true},
		{name: "bootstrap", entry: fail, answered: true, boot: true},
	} {
		t.Run(s.name, func(t *testing.T) {
			f := newFixture(t, Config{BitsPerHop: 1, BucketSize: 1, Limits: unlimited})
			f.want(Added, f.at(250))
			n, spare := f.at(256), f.at(256)
			if r := f.Add(f.now, Candidate{Node: n, Addr: addrOf(n), Bootstrap: s.boot}); r != Added {
				t.Fatal(r)
			}
			s.entry(f, n)
			f.want(ReplacementAdded, spare)
			if s.answered {
				f.Seen(f.now, spare.ID(), 0)
			}
			displaced, promoted := f.Promote(f.now, spare.ID())
			checkInvariants(t, f.Table)
			if (promoted != nil) != s.promoted || (displaced != nil) != s.promoted {
				t.Fatalf("promoted %v, displaced %v", promoted, displaced)
			}
			if s.promoted && (promoted.ID() != spare.ID() || displaced.ID() != n.ID()) {
				t.Errorf("%s took the place of %s", name(promoted.ID()), name(displaced.ID()))
			}
			f.has(spare, s.promoted)
			f.has(n, !s.promoted)
			if s.promoted && promoted.Verified != s.answered {
				t.Errorf("verified: %v", promoted.Verified)
			}
			if want := map[bool]int{true: 0, false: 1}[s.removed]; f.Replacements() != want {
				t.Errorf("%d in reserve, want %d", f.Replacements(), want)
			}
			if displaced, promoted := f.Promote(f.now, n.ID()); s.promoted && (displaced != nil || promoted != nil) {
				t.Error("the other one came back")
			}
		})
	}
}

// Of several entries the one with the most failures makes room, and of those the one that came first.
func TestPromoteChoosesTheWeakest(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, BucketSize: 3, Replacements: 3, Limits: unlimited})
	f.want(Added, f.at(250))
	var nodes []*enode.Node
	for range 6 { // three entries, three in reserve
		nodes = append(nodes, f.at(256))
		f.add(nodes[len(nodes)-1])
		f.pass(time.Second)
	}
	for _, n := range nodes[:3] { // the newest comes in first, so the order of places is not that of their coming
		f.Replace(f.now, n.ID())
	}
	makesRoom := func(want *enode.Node, answered bool) {
		t.Helper()
		spare := f.at(256)
		f.want(ReplacementAdded, spare)
		if answered {
			f.Seen(f.now, spare.ID(), 0)
		}
		if displaced, _ := f.Promote(f.now, spare.ID()); displaced == nil || displaced.ID() != want.ID() {
			t.Fatalf("%+v made room, want %s", displaced, name(want.ID()))
		}
		f.seen(spare, 1)
	}
	f.fail(nodes[4])
	makesRoom(nodes[4], true)
	makesRoom(nodes[3], true)
	f.Remove(nodes[3].ID())
	f.fail(nodes[5])
	makesRoom(nodes[5], false)
}

func TestPauseGrowsWithTrust(t *testing.T) {
	f := newFixture(t, Config{})
	n := f.at(256)
	f.want(Added, n)
	for i, pause := range []int{10, 20, 40, 80, 160, 240, 240} {
		f.seen(n, 1)
		if d := f.due(n); d != time.Duration(pause)*time.Second {
			t.Errorf("after %d answers: due in %v, want %d s", i+1, d, pause)
		}
		if e, wake := f.NextCheck(f.now); e != nil || wake.Sub(f.now) < checkPause {
			t.Errorf("after %d answers: check %v, wake in %v", i+1, e, wake.Sub(f.now))
		}
	}
}

func TestCheckThatIsNeverReportedOn(t *testing.T) {
	f := newFixture(t, Config{})
	n := f.at(256)
	f.want(Added, n)
	for _, verified := range []bool{false, true} {
		if verified {
			f.seen(n, 1)
		}
		_, wake := f.NextCheck(f.now)
		f.now = wake
		e, _ := f.NextCheck(f.now)
		if e == nil || e.Verified != verified {
			t.Fatalf("to check: %v", e)
		}
		f.CheckStarted(f.now, e.ID())
		if again, wake := f.NextCheck(f.now); again != nil || wake.Sub(f.now) != lostCheck {
			t.Errorf("a check under way: %v, wake in %v", again, wake.Sub(f.now))
		}
		f.pass(lostCheck)
		if again, _ := f.NextCheck(f.now); again != e {
			t.Errorf("a lost check: %v", again)
		}
	}
	f.CheckStarted(f.now, RandomID(f.rng)) // A stranger.
}

func TestRevalidationRepeats(t *testing.T) {
	defer func(old uint64) { *seedFlag = old }(*seedFlag)
	*seedFlag = 7
	run := func() (order []enode.ID) {
		f := newFixture(t, Config{Self: id("0001"), Limits: unlimited})
		for range 30 {
			f.add(newNode(RandomID(f.rng), f.fresh(), 1))
		}
		for range 100 {
			e, wake := f.NextCheck(f.now)
			if e == nil {
				f.now = wake
				continue
			}
			f.CheckStarted(f.now, e.ID())
			f.Seen(f.now, e.ID(), 0)
			order = append(order, e.ID())
		}
		return order
	}
	if a, b := run(), run(); len(a) < 30 || !slices.Equal(a, b) {
		t.Errorf("one seed, two orders of %d and %d checks", len(a), len(b))
	}
}

// An answer to something else than a check verifies a node, but leaves the check of a verified one where it is.
func TestHeard(t *testing.T) {
	f := newFixture(t, Config{})
	n := f.at(256)
	f.want(Added, n)
	if !f.Heard(f.now, n.ID(), 30*time.Millisecond) {
		t.Error("the first answer is not the first")
	}
	e, _ := f.Entry(n.ID())
	if !e.Verified || e.RTT != 30*time.Millisecond || f.due(n) != checkPause {
		t.Errorf("after the first answer: %+v, due in %v", e, f.due(n))
	}
	for range 9 {
		f.pass(time.Second)
		if f.Heard(f.now, n.ID(), 0) {
			t.Error("a further answer is the first")
		}
	}
	if !e.LastSeen.Equal(f.now) || f.due(n) != time.Second {
		t.Errorf("seen %v ago, due in %v; want just now and 1 s", f.now.Sub(e.LastSeen), f.due(n))
	}
	f.Seen(f.now, n.ID(), 0)
	if f.due(n) < checkPause {
		t.Errorf("due in %v after a check, want %v or more", f.due(n), checkPause)
	}
	f.fail(n)
	f.Heard(f.now, n.ID(), 0)
	if !e.Verified || e.Failures != 0 || f.due(n) != checkPause {
		t.Errorf("answer after a failure: %+v, due in %v", e, f.due(n))
	}
	checkInvariants(t, f.Table)
}
