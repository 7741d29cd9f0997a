package table

import (
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Values that a zero field of LookupConfig stands for.
const (
	DefaultAlpha    = 3
	DefaultPatience = 500 * time.Millisecond
	DefaultMaxAsked = 128
)

// Bounds of a lookup.
const (
	// MaxAnswerNodes is how many nodes of one answer are taken; honest ones have 16.
	MaxAnswerNodes = 32
	// MaxContacts is how many nodes a lookup knows at a time. Then a lookup drops the farthest for a closer one, a query
	// takes no more.
	MaxContacts = 4096
	// distancesPerAsk is the number of distances in a request.
	distancesPerAsk = 3
	// giveUpAfter times Patience is how long the lookup waits for a silent node at the end.
	giveUpAfter = 4
)

// LookupConfig says what to look for. Only Target and Self have to be set.
type LookupConfig struct {
	// Self is the local id, which is never asked nor found.
	Self enode.ID
	// Target is the id to come close to.
	Target enode.ID
	// K is how many nodes a lookup finds and asks; 0 = 16.
	K int
	// Alpha is the number of requests under way at a time; 0 = 3.
	Alpha int
	// Query asks only the first K nodes met and returns every node met: a quick way to many nodes, not to the closest.
	Query bool
	// Predicate says which nodes are wanted as results; all others only show the way. nil = all. It is called once for
	// each record.
	Predicate func(*enode.Node) bool
	// Want stops the lookup when that many nodes that fulfil Predicate were met; 0 = it runs to its end.
	Want int
	// Distance and LogDistance are those of the table, nil = XOR.
	Distance    func(a, b enode.ID) [32]byte
	LogDistance func(a, b enode.ID) int
	// Patience is how long a request may be silent before another one is started beside it; a little more than a usual
	// round trip with a handshake. 0 = 500 ms, negative = until the caller reports.
	Patience time.Duration
	// MaxAsked bounds the number of requests, whatever the answers say; 0 = 128.
	MaxAsked int
}

// Ask is a FINDNODE request to send.
type Ask struct {
	Node      *enode.Node
	Distances []uint
}

// Lookup finds the nodes closest to a target. It does no I/O: Next says whom to ask, the caller reports Answered or
// Failed for every Ask, and calls Next after each report and when its wake time has come. It belongs to one owner.
//
// A lookup ends when the K closest nodes that have not failed were all asked and nothing is awaited that could change
// the result. A node that stays silent is waited for, because its answer may bring closer ones and its failure makes
// room for another, which is asked meanwhile; after four times Patience it counts as failed, if anybody has answered by
// then. Its answer is used if it comes before the end.
//
// It ends for any answers, provided that every Ask is reported on, or that Patience is not negative and one is answered.
type Lookup struct {
	cfg      LookupConfig
	contacts []*contact // of a lookup by distance, of a query as met
	byID     map[enode.ID]*contact
	flying   []*contact // asked and not reported on
	asked    int
	answers  int
	found    int // contacts that match
	done     bool
}

// NewLookup starts a lookup from the seeds, usually the K closest nodes of the table.
func NewLookup(cfg LookupConfig, seeds []*enode.Node) *Lookup {
	positive := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	positive(&cfg.K, DefaultBucketSize)
	positive(&cfg.Alpha, DefaultAlpha)
	positive(&cfg.MaxAsked, DefaultMaxAsked)
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	l := &Lookup{cfg: cfg, byID: make(map[enode.ID]*contact)}
	for _, n := range seeds {
		l.meet(n)
	}
	return l
}

// Next returns the requests to send now, which count as sent; the time to call again if nothing is reported before,
// zero if only a report changes anything; and whether the lookup has ended, which is for good. The requests are the
// caller's.
func (l *Lookup) Next(now time.Time) (asks []Ask, wake time.Time, done bool) {
	if l.done {
		return nil, time.Time{}, true
	}
	l.age(now)
	if l.cfg.Want > 0 && l.found >= l.cfg.Want {
		l.done = true
		return nil, time.Time{}, true
	}
	busy := 0
	for _, c := range l.flying {
		if c.state == asked {
			busy++
		}
	}
	open := false // Somebody silent may still matter.
	worth, core := l.window()
	for i, c := range worth {
		switch {
		case c.state == silent:
			open = open || i < core
		case c.state == met && busy < l.cfg.Alpha && l.asked < l.cfg.MaxAsked:
			l.set(c, asked)
			c.since = now
			l.flying = append(l.flying, c)
			l.asked++
			busy++
			asks = append(asks, Ask{c.node, l.distances(c.id)})
		}
	}
	l.done = busy == 0 && !open
	return asks, l.wake(), l.done
}

// age marks who has been silent for too long.
func (l *Lookup) age(now time.Time) {
	if l.cfg.Patience < 0 {
		return
	}
	for _, c := range l.flying {
		if quiet := now.Sub(c.since); c.state == asked && quiet >= l.cfg.Patience {
			l.set(c, silent)
		}
		if quiet := now.Sub(c.since); c.state == silent && l.answers > 0 && quiet >= giveUpAfter*l.cfg.Patience {
			l.set(c, givenUp)
		}
	}
}

// wake returns when age has something to do next.
func (l *Lookup) wake() (at time.Time) {
	if l.cfg.Patience < 0 || l.done {
		return at
	}
	for _, c := range l.flying {
		var next time.Time
		switch {
		case c.state == asked:
			next = c.since.Add(l.cfg.Patience)
		case c.state == silent && l.answers > 0:
			next = c.since.Add(giveUpAfter * l.cfg.Patience)
		default:
			continue
		}
		if at.IsZero() || next.Before(at) {
			at = next
		}
	}
	return at
}

// Answered reports the nodes that a node returned; the caller has checked them against the distances asked for. Answers
// of nodes that were not asked, and second ones, are ignored.
func (l *Lookup) Answered(id enode.ID, nodes []*enode.Node) {
	c := l.byID[id]
	if c == nil || l.done || c.state == met || c.state == answered {
		return
	}
	l.land(c, answered)
	l.answers++
	for _, n := range nodes[:min(len(nodes), MaxAnswerNodes)] {
		l.meet(n)
	}
}

// Failed reports that a node did not answer or answered nonsense.
func (l *Lookup) Failed(id enode.ID) {
	if c := l.byID[id]; c != nil && !l.done && c.waiting() {
		l.land(c, failed)
	}
}

func (l *Lookup) land(c *contact, s state) {
	l.set(c, s)
	l.unfly(c)
}

func (l *Lookup) unfly(c *contact) {
	if i := slices.Index(l.flying, c); i >= 0 {
		l.flying = slices.Delete(l.flying, i, i+1)
	}
}

// Result returns what was found so far, the closest first, only nodes that fulfil the predicate. Of a lookup that is the
// K closest, or Want of them if that is more, without those that failed; of a query every node met.
func (l *Lookup) Result() []*enode.Node {
	list, limit := l.contacts, max(l.cfg.K, l.cfg.Want)
	if l.cfg.Query {
		list, limit = slices.SortedFunc(slices.Values(list), compare), len(list)
	}
	var nodes []*enode.Node
	for _, c := range list {
		if c.match && (l.cfg.Query || !c.out()) && len(nodes) < limit {
			nodes = append(nodes, c.node)
		}
	}
	return nodes
}

// Node returns the newest record met of an id, whether or not the node answered, or nil.
func (l *Lookup) Node(id enode.ID) *enode.Node {
	if c := l.byID[id]; c != nil {
		return c.node
	}
	return nil
}

// Asked returns how many requests were started.
func (l *Lookup) Asked() int { return l.asked }

func (l *Lookup) distances(dest enode.ID) []uint {
	if l.cfg.LogDistance != nil {
		return around(l.cfg.LogDistance(l.cfg.Target, dest), distancesPerAsk)
	}
	return Distances(l.cfg.Target, dest, distancesPerAsk)
}

// Distances returns n log distances to ask dest for on the way to target: that of the two ids, d, then d+1, d-1, d+2 and
// so on within 1 to 256. If both are the same id d is 0, which asks for its own record.
func Distances(target, dest enode.ID, n int) []uint { return around(LogDist(target, dest), n) }

func around(d, n int) []uint {
	list := make([]uint, 0, max(n, 0))
	add := func(v int, ok bool) {
		if ok && len(list) < n {
			list = append(list, uint(v))
		}
	}
	add(d, true)
	if d == 0 {
		d = MaxDistance + 1
	}
	for i := 1; len(list) < n && i <= MaxDistance; i++ {
		add(d+i, d+i <= MaxDistance)
		add(d-i, d-i >= 1)
	}
	return list
}
