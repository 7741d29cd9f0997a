package core

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxReasons bounds the classes that the decisions of one filter are counted in. A reason beyond is counted as "other".
const maxReasons = 64

// filterCount is what decisions are counted by.
type filterCount struct {
	stage    Stage
	decision Decision
	reason   string
}

func (w *filterWorker) count(stage Stage, v Verdict) {
	if v.Decision == Reject && !w.cfg.DryRun {
		w.chain.n.stats.FilterRejected++
	}
	c := filterCount{stage, v.Decision, v.Reason}
	if _, ok := w.counts[c]; !ok && len(w.counts) >= maxReasons {
		c.reason = "other"
	}
	w.counts[c]++
}

// FilterDecision counts decisions of one kind.
type FilterDecision struct {
	Stage    Stage
	Decision Decision
	// Reason is the filter's, or one of error, panic, invalid, late and overloaded where OnError decided; reasons beyond
	// 64 kinds of decisions are counted as other.
	Reason string
	Count  uint64
}

// FilterStats are the counters of one filter since the start, or since it was set.
type FilterStats struct {
	Name      string
	DryRun    bool
	Decisions []FilterDecision // in the order of stages
	Calls     uint64           // batches
	Failures  uint64           // questions without an answer, or without one in time
	Latency   Latency          // of calls
	Waiting   int              // gauge: questions that the filter has not taken yet
}

// FilterStats returns the counters of the filters, in their order.
func (n *Node) FilterStats() (all []FilterStats) {
	n.turn(func(time.Time) {
		for _, w := range n.filters.filters {
			s := FilterStats{Name: w.cfg.Name, DryRun: w.cfg.DryRun, Calls: w.calls, Failures: w.failures, Latency: w.latency}
			for _, queue := range w.queues {
				s.Waiting += len(queue)
			}
			for c, count := range w.counts {
				s.Decisions = append(s.Decisions, FilterDecision{c.stage, c.decision, c.reason, count})
			}
			slices.SortFunc(s.Decisions, func(a, b FilterDecision) int {
				return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Decision, b.Decision), cmp.Compare(a.Reason, b.Reason))
			})
			all = append(all, s)
		}
	})
	return all
}

// Explanation is what one filter says about a node at one stage.
type Explanation struct {
	Filter  string
	Stage   Stage
	DryRun  bool
	Exempt  bool // it does not matter: bootstrap nodes enter the table whatever filters say
	Verdict Verdict
	Err     error // why there is no verdict of the filter: it failed or was late, and OnError decided; or ctx ended
}

// Explain asks every filter about a node, anew, and returns what they say, stage by stage in the order of the filters. It
// waits until all have spoken or OnError has decided in their place, at most as long as the slowest Deadline, or until
// ctx ends. Nothing changes in the table and no decision is counted; that the filter was called, and failed, is. A closed
// node returns nil, and so does a nil node.
func (n *Node) Explain(ctx context.Context, node *enode.Node) (all []Explanation) {
	if node == nil {
		return nil
	}
	var j *judged
	complete := make(chan struct{})
	if !n.turn(func(now time.Time) {
		f := n.filters
		j = f.unjudged(node)
		j.detached = true
		f.askAll(now, j)
		if !j.await(func() bool { return f.answeredAll(j) }, func() { close(complete) }) {
			close(complete)
		}
	}) {
		return nil
	}
	select {
	case <-complete:
	case <-ctx.Done():
	case <-n.done:
	}
	n.turn(func(time.Time) {
		for stage := range numStages {
			for _, w := range n.filters.filters {
				if !w.stages[stage] {
					continue
				}
				o := w.opinion(j, stage)
				e := Explanation{Filter: w.cfg.Name, Stage: stage, DryRun: w.cfg.DryRun, Verdict: o.verdict, Err: o.failure}
				e.Exempt = stage == StageTable && n.isBootnode(node.ID())
				if !o.known {
					if e.Err = ctx.Err(); e.Err == nil {
						e.Err = errFilterLate // it came while the others answered
					}
				}
				all = append(all, e)
			}
		}
	})
	return all
}

// answeredAll tells whether all filters have spoken about a node.
func (f *filterChain) answeredAll(j *judged) bool {
	for _, w := range f.filters {
		for stage, asked := range w.stages {
			if asked && !w.opinion(j, Stage(stage)).known {
				return false
			}
		}
	}
	return true
}
