package crawl

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Fact is something that a crawl has learned about the node with an index. Indexes count from 0, in the order of discovery.
type Fact struct {
	Index  uint32
	At     time.Time
	Record []byte   // RLP of a record, the first or a newer one; nil: Done is set
	Done   *Outcome // what came of asking the node
}

// Outcome is what came of asking a node.
type Outcome struct {
	Alive   bool
	Seen    time.Time      // when it answered last, in this crawl or an earlier one; zero: never
	RTT     time.Duration  // the shortest; zero: none was measured
	Addr    netip.AddrPort // that answered last
	Reason  Reason         // why it was not asked to the end
	Reports []uint32       // the nodes that it told of
}

// final reports whether asking the node again soon would bring nothing new. What hinders this machine is another matter.
func (o *Outcome) final() bool {
	return !slices.Contains([]Reason{NoAddress, Crowded, Overload, NotAsked}, o.Reason)
}

// Saved is what a journal tells of a node.
type Saved struct {
	Record []byte // RLP
	First  time.Time
	Done   *Outcome // nil: it was not asked to the end
	DoneAt time.Time
}

// holds reports whether the outcome is not older than maxAge. One of the future, by a clock that was set back, is.
func (s *Saved) holds(now time.Time, maxAge time.Duration) bool {
	return s.Done != nil && s.Done.final() && !s.DoneAt.After(now) && now.Sub(s.DoneAt) <= maxAge
}

// Nodes returns the nodes of a journal. Records that cannot be decoded are left out.
func Nodes(saved []Saved) []*enode.Node {
	var nodes []*enode.Node
	for _, s := range saved {
		if n, err := decode(s.Record); err == nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Restore gives a new machine what a journal holds; indexes are those of saved. Nodes whose outcome is not older than maxAge are
// not asked again. Records that cannot be decoded, doubles and what exceeds MaxNodes are an error.
func (m *Machine) Restore(now time.Time, maxAge time.Duration, saved []Saved) error {
	if len(saved) > m.cfg.MaxNodes {
		return errTooMany(len(saved), m.cfg.MaxNodes)
	}
	for i, s := range saved {
		n, err := decode(s.Record)
		if err != nil {
			return errNode(i, err)
		}
		if _, double := m.index[n.ID()]; double {
			return errNode(i, errDouble)
		}
		e := m.insert(n.ID(), s.Record, n.Seq(), s.First)
		if d := s.Done; d != nil {
			e.seen, e.rtt, e.addr = d.Seen, d.RTT, d.Addr
		}
		if !s.holds(now, maxAge) {
			m.fresh = append(m.fresh, e.index)
			continue
		}
		e.phase, e.finished, e.alive, e.reason = done, s.DoneAt, s.Done.Alive, s.Done.Reason
		if e.alive {
			m.counts.Alive++
		} else {
			m.counts.Dead++
		}
	}
	m.countReports(saved)
	return nil
}

// countReports counts what the nodes told that are not asked again.
func (m *Machine) countReports(saved []Saved) {
	for i, e := range m.entries {
		if e.phase != done {
			continue
		}
		for _, told := range saved[i].Done.Reports {
			m.entries[told].reports++
		}
	}
}
