package forks

import (
	"time"

	"github.com/discv5/host/sdk/fields"
)

// State is what a network accepts at a time, for people.
type State struct {
	Eth  *EthState  // nil without a schedule of the execution layer
	Eth2 *Eth2State // nil without one of the beacon chain
}

// EthState is the fork identifier of nodes that are in sync.
type EthState struct {
	Fork   string // the last that passed; "genesis" before any
	ID     fields.ForkID
	Next   string        // name of the next fork; "" if none is scheduled
	At     time.Time     // when that is
	NextID fields.ForkID // the identifier after it
}

// Eth2State are the digests that are accepted, and those that will be.
type Eth2State struct {
	Forks []Window // the current fork, those whose grace window is open, and all that are to come
}

// Window is when a digest is accepted.
type Window struct {
	ConsensusFork
	From, To time.Time // zero: always before, always after
	Accepted bool      // at the time that was asked for
	Current  bool
}

// At returns what the network accepts at a time.
func (n *Network) At(now time.Time) State {
	var s State
	if e := n.Execution; e != nil {
		i := e.passed(now)
		s.Eth = &EthState{Fork: "genesis", ID: e.ID(now)}
		if i > 0 {
			s.Eth.Fork = e.Forks[i-1].Name
		}
		if i < len(e.Forks) {
			s.Eth.Next, s.Eth.At = e.Forks[i].Name, time.Unix(int64(e.Forks[i].Time), 0)
			s.Eth.NextID = fields.ForkID{Hash: e.sums[i+1], Next: e.next(i + 1)}
		}
	}
	if c := n.Consensus; c != nil {
		s.Eth2 = &Eth2State{}
		current := c.at(now)
		for i, f := range c.Forks {
			w := Window{ConsensusFork: f, Current: i == current}
			if i > 0 {
				w.From = f.Start.Add(-n.grace)
			}
			if i+1 < len(c.Forks) {
				w.To = c.Forks[i+1].Start.Add(n.grace)
			}
			w.Accepted = !now.Before(w.From) && (w.To.IsZero() || now.Before(w.To))
			if w.Accepted || i > current {
				s.Eth2.Forks = append(s.Eth2.Forks, w)
			}
		}
	}
	return s
}
