package crawl

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	// defaultRetryAfter is MachineConfig.RetryAfter. What silenced a node or us may be over by then.
	defaultRetryAfter = 10 * time.Second
	// busyPause is when a request is repeated that could not be sent or checked for our own load.
	busyPause = time.Second
	// maxBusy bounds those repetitions for one node.
	maxBusy = 30
	// maxRevivals bounds how often a silent node is asked again because a newer record names another address.
	maxRevivals = 2
)

// MachineConfig says how a crawl proceeds.
type MachineConfig struct {
	Self       enode.ID      // never asked and never reported
	IPv4, IPv6 bool          // the families that can be asked
	Rate       float64       // requests a second in all, above 0
	Parallel   int           // requests in flight, at least 1
	MaxNodes   int           // nodes known; others are counted and forgotten
	RetryAfter time.Duration // when a silent node is asked once more; 10 s when 0
}

// Machine decides which node is asked what and when, and remembers what came of it. It is a plain value without clock or I/O:
// every method takes the time. One goroutine may use it at a time.
type Machine struct {
	cfg      MachineConfig
	rate     bucket
	entries  []*entry // by index
	index    map[enode.ID]uint32
	fresh    []uint32 // never asked, in the order of their discovery; from head on
	head     int
	waiting  waitHeap
	places   map[netip.Prefix]*place
	inFlight int
	walking  int // active nodes that do not wait for long
	facts    []Fact
	counts   Counts
}

// Counts are totals of a crawl.
type Counts struct {
	Known    int    // nodes
	Alive    int    // answered
	Dead     int    // did not, or cannot be asked
	Waiting  int    // still to be asked, or between two requests
	InFlight int    // requests
	Requests uint64 // sent
	Answers  uint64
	Timeouts uint64
	Dropped  uint64 // nodes beyond MaxNodes, counted each time they are met
}

// Ask is a request to be sent.
type Ask struct {
	Node      *enode.Node
	Addr      netip.AddrPort
	Distances []uint // not to be changed
	index     uint32
}

type phase uint8

const (
	unasked phase = iota
	active        // being asked
	done
)

// entry is a node.
type entry struct {
	id       enode.ID
	index    uint32
	record   []byte // RLP
	seq      uint64
	first    time.Time // when it was heard of
	seen     time.Time // when it answered last; zero: never
	finished time.Time // when phase became done
	rtt      time.Duration
	addr     netip.AddrPort // that answered
	reports  uint32         // nodes that told of it
	phase    phase
	alive    bool // it answered in this walk
	reason   Reason
	revivals uint8
	task     *task // while active
}

// task is what is needed to ask a node, while it is asked.
type task struct {
	walk     walk
	node     *enode.Node
	addrs    []netip.AddrPort
	at       int  // in addrs
	silent   int  // rounds over all addrs without an answer
	busy     int  // repetitions for our own load
	reserved bool // its address has granted the time it waits for
	parked   bool // it waits for long, and others may take its place
	reported map[uint32]struct{}
}

// NewMachine returns a crawl that knows nobody.
func NewMachine(cfg MachineConfig) *Machine {
	if cfg.RetryAfter == 0 {
		cfg.RetryAfter = defaultRetryAfter
	}
	return &Machine{
		cfg: cfg, rate: newBucket(cfg.Rate), index: make(map[enode.ID]uint32), places: make(map[netip.Prefix]*place),
	}
}

// Add tells of a node. It is asked in its turn.
func (m *Machine) Add(now time.Time, n *enode.Node) { m.met(now, n) }

// met notes a record. It returns the index of its node, whether the node is new, and false for one that is not kept.
func (m *Machine) met(now time.Time, n *enode.Node) (index uint32, fresh, kept bool) {
	id := n.ID()
	if id == m.cfg.Self {
		return 0, false, false
	}
	i, known := m.index[id]
	if known {
		m.renewed(now, m.entries[i], n)
		return i, false, true
	}
	if len(m.entries) >= m.cfg.MaxNodes {
		m.counts.Dropped++
		return 0, false, false
	}
	e := m.insert(id, encode(n), n.Seq(), now)
	m.fresh = append(m.fresh, e.index)
	m.facts = append(m.facts, Fact{Index: e.index, At: now, Record: e.record})
	return e.index, true, true
}

func (m *Machine) insert(id enode.ID, record []byte, seq uint64, first time.Time) *entry {
	e := &entry{id: id, index: uint32(len(m.entries)), record: record, seq: seq, first: first}
	m.entries = append(m.entries, e)
	m.index[id] = e.index
	return e
}

// renewed takes a newer record of a known node. Silent so far, it may answer where that one says.
func (m *Machine) renewed(now time.Time, e *entry, n *enode.Node) {
	if n.Seq() <= e.seq {
		return
	}
	old := e.record
	e.record, e.seq = encode(n), n.Seq()
	m.facts = append(m.facts, Fact{Index: e.index, At: now, Record: e.record})
	if e.phase != done || e.alive || e.revivals >= maxRevivals {
		return
	}
	if before, err := decode(old); err == nil && slices.Equal(addresses(before), addresses(n)) {
		return
	}
	e.revivals++
	m.counts.Dead--
	e.phase = unasked
	m.fresh = append(m.fresh, e.index)
}

// Next returns the request to send now. If there is none, wake is when to ask again, the zero time if an answer must come first.
func (m *Machine) Next(now time.Time) (ask Ask, ok bool, wake time.Time) {
	if m.inFlight >= m.cfg.Parallel {
		return Ask{}, false, time.Time{}
	}
	if wait := m.rate.wait(now); wait > 0 {
		if len(m.waiting) == 0 && m.head == len(m.fresh) {
			return Ask{}, false, time.Time{}
		}
		return Ask{}, false, now.Add(wait)
	}
	for {
		e := m.due(now)
		if e == nil {
			break
		}
		if !m.reserve(now, e) {
			continue
		}
		t := e.task
		t.reserved = false
		m.rate.take(now)
		m.inFlight++
		m.counts.Requests++
		return Ask{Node: t.node, Addr: t.addrs[t.at], Distances: t.walk.distances(), index: e.index}, true, time.Time{}
	}
	if len(m.waiting) > 0 {
		wake = m.waiting[0].at
	}
	return Ask{}, false, wake
}

// due returns a node whose turn it is, nil if there is none. Nodes that were begun come first.
func (m *Machine) due(now time.Time) *entry {
	if len(m.waiting) > 0 && !m.waiting[0].at.After(now) {
		e := m.entries[m.waiting.pop().index]
		if e.task.parked {
			e.task.parked = false
			m.walking++
		}
		return e
	}
	for m.head < len(m.fresh) && m.walking < 2*m.cfg.Parallel {
		e := m.entries[m.fresh[m.head]]
		m.head++
		if m.head == len(m.fresh) {
			m.fresh, m.head = m.fresh[:0], 0
		}
		if m.begin(now, e) {
			return e
		}
	}
	return nil
}

// begin makes a node active. It fails if the node cannot be asked.
func (m *Machine) begin(now time.Time, e *entry) bool {
	e.phase, e.alive, e.reason, e.rtt = active, false, "", 0
	node, err := decode(e.record)
	if err != nil {
		m.finish(now, e, BadRecord)
		return false
	}
	addrs := slices.DeleteFunc(addresses(node), func(a netip.AddrPort) bool {
		return a.Addr().Is4() && !m.cfg.IPv4 || a.Addr().Is6() && !m.cfg.IPv6
	})
	if len(addrs) == 0 {
		m.finish(now, e, NoAddress)
		return false
	}
	if prefix, limited := placeOf(addrs[0].Addr()); limited {
		p := m.place(prefix)
		if p.nodes >= maxPerAddress {
			m.finish(now, e, Crowded)
			return false
		}
		p.nodes++
	}
	e.task = &task{walk: newWalk(), node: node, addrs: addrs, reported: make(map[uint32]struct{})}
	m.walking++
	return true
}

func (m *Machine) place(prefix netip.Prefix) *place {
	p := m.places[prefix]
	if p == nil {
		p = new(place)
		m.places[prefix] = p
	}
	return p
}

// reserve asks the address of a node for a time to send. It returns false when that is later; the node waits for it then.
func (m *Machine) reserve(now time.Time, e *entry) bool {
	t := e.task
	if t.reserved {
		return true
	}
	prefix, limited := placeOf(t.addrs[t.at].Addr())
	if !limited {
		return true
	}
	p := m.place(prefix)
	at := now
	if p.free.After(now) {
		at = p.free
	}
	p.free = at.Add(addressGap)
	if at.Equal(now) {
		return true
	}
	t.reserved = true
	m.park(at, e)
	return false
}

// park lets an active node wait while others take its place.
func (m *Machine) park(until time.Time, e *entry) {
	e.task.parked = true
	m.walking--
	m.waiting.push(wait{until, e.index})
}
