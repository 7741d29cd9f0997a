package core

import (
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	// revisePause is the pause between groups of reviseCount nodes of the table that filters are asked about again.
	revisePause = 100 * time.Millisecond
	reviseCount = 64
	// outdatedTTL is how long a verdict that was forgotten still holds for a node of the table, until the next one arrives.
	outdatedTTL = 2 * errorPause
)

// ForgetVerdicts says that a filter decides in another way from now on. Its verdicts on nodes that are not in the table are
// gone. It is asked again about those in the table and in reserve, 64 every 100 ms; for them the last verdict holds until
// the next one arrives, or until 20 s have passed since it was asked and OnError decides. Answers to questions that it was asked before are not used.
// It reports whether there is a filter of this name.
func (n *Node) ForgetVerdicts(name string) (found bool) {
	n.turn(func(now time.Time) {
		f := n.filters
		for _, w := range f.filters {
			if w.cfg.Name == name {
				found = true
				w.round++
			}
		}
		if found {
			f.reviseTable(now)
		}
	})
	return found
}

// reviseTable looks at all nodes of the table again, and at those in reserve, some at a time.
func (f *filterChain) reviseTable(now time.Time) {
	under := len(f.revised) > 0
	f.revised = f.revised[:0]
	for e := range f.n.table.All() {
		f.revised = append(f.revised, e.ID())
	}
	for e := range f.n.table.Spares() {
		f.revised = append(f.revised, e.ID())
	}
	if !under {
		f.revise(now)
	}
}

// revise looks at the next nodes: it asks about them what is not known any more, and does what follows from what is.
func (f *filterChain) revise(now time.Time) {
	some := f.revised[:min(reviseCount, len(f.revised))]
	for _, id := range some {
		if node := f.n.table.Node(id); node != nil && len(f.filters) > 0 {
			f.decideTable(f.about(now, node))
		}
	}
	f.revised = f.revised[len(some):]
	if len(f.revised) > 0 {
		f.n.after(now, revisePause, f.revise)
	} else {
		f.revised = nil
	}
}

// outdate applies ForgetVerdicts to an opinion that is older.
func (w *filterWorker) outdate(now time.Time, id enode.ID, o *opinion) {
	if o.round == w.round {
		return
	}
	o.round = w.round
	if !o.known {
		return
	}
	if w.chain.n.table.Known(id) == nil {
		o.known = false
	}
	o.again = now
	if end := now.Add(outdatedTTL); o.expires.IsZero() || o.expires.After(end) {
		o.expires = end
	}
	if q := o.question; q != nil && !q.guessed {
		w.await(now, q, o)
	}
}
