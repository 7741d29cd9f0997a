package crawl

import (
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Reason says why a node was not asked to the end. It is empty for one that was.
type Reason string

// The reasons.
const (
	Timeout   Reason = "timeout"         // it did not answer, or not any more if it is alive
	NoAddress Reason = "no address"      // its record has none of a family that we listen on
	Crowded   Reason = "crowded address" // more nodes than are asked are at its address
	Invalid   Reason = "invalid answer"  // it answered what is no answer
	Overload  Reason = "overload"        // this machine could not keep up
	BadRecord Reason = "bad record"
	NotAsked  Reason = "not asked"       // the crawl ended before its turn
	Unending  Reason = "endless answers" // it was asked maxAsks times and still had somebody
)

// Answered takes the answer to a request: records whose signatures were checked, at the distances asked for.
func (m *Machine) Answered(now time.Time, ask Ask, nodes []*enode.Node, rtt time.Duration) {
	e := m.entries[ask.index]
	t := e.task
	m.inFlight--
	m.counts.Answers++
	m.heard(now, e, ask, rtt)
	records, fresh := 0, 0
	for _, n := range nodes {
		index, isNew, kept := m.met(now, n)
		if n.ID() == e.id {
			continue
		}
		records++
		if !kept {
			continue
		}
		if isNew {
			fresh++
		}
		if _, double := t.reported[index]; !double {
			t.reported[index] = struct{}{}
			m.entries[index].reports++
		}
	}
	t.silent = 0
	t.walk.answered(records, fresh)
	switch {
	case t.walk.current != nil:
		m.waiting.push(wait{m.soonest(now, e), e.index})
	case t.walk.asks >= maxAsks:
		m.finish(now, e, Unending)
	default:
		m.finish(now, e, "")
	}
}

// heard notes that a node is alive. rtt is 0 if it was not measured.
func (m *Machine) heard(now time.Time, e *entry, ask Ask, rtt time.Duration) {
	if !e.alive {
		e.alive = true
		m.counts.Alive++
	}
	if rtt > 0 && (e.rtt == 0 || rtt < e.rtt) {
		e.rtt = rtt
	}
	e.seen, e.addr = now, ask.Addr
}

// soonest is when a node may be asked again.
func (m *Machine) soonest(now time.Time, e *entry) time.Time {
	if _, limited := placeOf(e.task.addrs[e.task.at].Addr()); limited {
		return now.Add(addressGap)
	}
	return now
}

// Failed takes the failure of a request. A Timeout is tried at the other address of the node, and once more later; Overload,
// which says nothing about the node, several times; everything else is final.
func (m *Machine) Failed(now time.Time, ask Ask, reason Reason) {
	e := m.entries[ask.index]
	t := e.task
	m.inFlight--
	switch reason {
	case Overload:
		if t.busy++; t.busy <= maxBusy {
			m.park(now.Add(busyPause), e)
			return
		}
	case Invalid:
		m.heard(now, e, ask, 0)
	case Timeout:
		m.counts.Timeouts++
		if m.retry(now, e) {
			return
		}
	}
	m.finish(now, e, reason)
}

// retry lets a silent node wait for its next chance, if it has one.
func (m *Machine) retry(now time.Time, e *entry) bool {
	t := e.task
	if t.at++; t.at < len(t.addrs) && !e.alive {
		m.waiting.push(wait{now, e.index})
		return true
	}
	if t.at = 0; e.alive {
		t.at = indexOf(t.addrs, e.addr)
	}
	if t.silent++; t.silent > 1 {
		return false
	}
	m.park(now.Add(m.cfg.RetryAfter), e)
	return true
}

// finish ends the work on a node for this crawl.
func (m *Machine) finish(now time.Time, e *entry, reason Reason) {
	e.phase, e.finished, e.reason = done, now, reason
	if !e.alive {
		m.counts.Dead++
	}
	d := &Outcome{Alive: e.alive, Seen: e.seen, RTT: e.rtt, Addr: e.addr, Reason: reason}
	if e.task != nil {
		for i := range e.task.reported {
			d.Reports = append(d.Reports, i)
		}
		e.task = nil
		m.walking--
	}
	m.facts = append(m.facts, Fact{Index: e.index, At: now, Done: d})
}

// Done reports whether nobody is left to be asked.
func (m *Machine) Done() bool {
	return m.inFlight == 0 && len(m.waiting) == 0 && m.head == len(m.fresh)
}

// Facts returns what was learned since it was called last, in order.
func (m *Machine) Facts() []Fact {
	f := m.facts
	m.facts = nil
	return f
}

// Counts returns the totals so far.
func (m *Machine) Counts() Counts {
	c := m.counts
	c.Known, c.InFlight = len(m.entries), m.inFlight
	c.Waiting = len(m.fresh) - m.head + len(m.waiting)
	return c
}
