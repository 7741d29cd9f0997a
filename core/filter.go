package core

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Stage is where a filter is asked about a node.
type Stage uint8

// The stages.
const (
	StageTable   Stage = iota // may it enter the routing table
	StageServe                // may it be relayed in NODES
	StageDeliver              // may it be handed to lookups, plugins and the API
	numStages
)

// String returns the name as it appears in configuration and metrics.
func (s Stage) String() string {
	return [...]string{"table", "serve", "deliver", "unknown"}[min(s, numStages)]
}

// Decision is what a filter says about a node.
type Decision uint8

// The decisions. A node passes a stage when no filter of it rejects.
const (
	Abstain Decision = iota
	Accept
	Reject
)

// String returns the name as it appears in metrics.
func (d Decision) String() string {
	return [...]string{"abstain", "accept", "reject", "unknown"}[min(d, Reject+1)]
}

// Verdict is the decision of a filter about one record.
type Verdict struct {
	Decision Decision
	Reason   string        // short code, lower case with underscores
	TTL      time.Duration // how long it holds; 0: as long as the record and the filter stay the same
}

// Filter decides about nodes. Decide sets out[i] for nodes[i], at most MaxFilterBatch of them, and returns before ctx ends;
// an error counts as no decision on any of them. It is called by one goroutine per filter.
type Filter interface {
	Decide(ctx context.Context, stage Stage, nodes []*enode.Node, out []Verdict) error
}

// MaxFilterBatch is how many nodes a filter is asked about at a time.
const MaxFilterBatch = 256

// FilterConfig is a filter and how it is used.
type FilterConfig struct {
	Name   string // in logs, metrics and explanations
	Filter Filter
	Stages []Stage // at least one
	// OnError is the decision when the filter fails or is late; Abstain means Accept.
	OnError Decision
	// DryRun asks the filter and counts what it says, but lets every node pass.
	DryRun bool
	// Deadline is how long a decision may take; 300 ms.
	Deadline time.Duration
}

func (f *FilterConfig) validate() error {
	var errs []error
	if f.Name == "" {
		errs = append(errs, errors.New("core: a filter has no name"))
	}
	if f.Filter == nil {
		errs = append(errs, fmt.Errorf("core: filter %q is nil", f.Name))
	}
	if len(f.Stages) == 0 {
		errs = append(errs, fmt.Errorf("core: filter %q has no stage", f.Name))
	}
	for _, s := range f.Stages {
		if s >= numStages {
			errs = append(errs, fmt.Errorf("core: filter %q has an unknown stage %d", f.Name, s))
		}
	}
	if f.Deadline < 0 {
		errs = append(errs, fmt.Errorf("core: filter %q has a negative deadline", f.Name))
	}
	return errors.Join(errs...)
}

const (
	// maxVerdicts bounds the nodes whose verdicts are remembered.
	maxVerdicts = 32_768
	// maxPending bounds the questions that wait for one filter, and the nodes that wait for the table.
	maxPending = 8192
	// errorTTL is how long a decision made by OnError holds until the filter is asked again.
	errorTTL = 10 * time.Second
)

// filterChain asks the filters and remembers what they said. It is owned by the turn.
type filterChain struct {
	n       *Node
	filters []*filterWorker
	judged  *simplelru.LRU[enode.ID, *judged]
	waiting map[enode.ID]candidate // for the verdict of the table stage
	timer   *timer
}

// candidate is a node on its way into the table.
type candidate struct {
	node *enode.Node
	addr netip.AddrPort
}

// judged is what the filters said about the newest record of a node.
type judged struct {
	node     *enode.Node
	verdicts []opinion // filter by filter, stage by stage
	watchers []func(now time.Time)
}

// opinion is the verdict of one filter at one stage.
type opinion struct {
	verdict Verdict
	known   bool
	asked   bool      // a question is under way
	expires time.Time // zero: never
}

// question is a node on its way to a filter.
type question struct {
	about *judged
	node  *enode.Node
	stage Stage
	due   time.Time // OnError decides then
}

// filterWorker is one filter with its questions.
type filterWorker struct {
	cfg   FilterConfig
	index int

	// owned by the turn
	unsettled []question // oldest first, until answered or due
	queue     []question // not taken by the goroutine yet
	wake      chan struct{}
	reasons   map[filterCount]uint64
}

// filterCount is what decisions are counted by. Reasons beyond maxReasons are counted as "other".
type filterCount struct {
	Stage    Stage
	Decision Decision
	Reason   string
}

const maxReasons = 64

func newFilterChain(n *Node) *filterChain {
	f := &filterChain{n: n, waiting: make(map[enode.ID]candidate)}
	f.judged, _ = simplelru.NewLRU[enode.ID, *judged](maxVerdicts, nil) // it fails for sizes below one
	for i, cfg := range n.cfg.Filters {
		orDefault(&cfg.Deadline, 300*time.Millisecond)
		orDefault(&cfg.OnError, Accept)
		f.filters = append(f.filters, &filterWorker{
			cfg: cfg, index: i, wake: make(chan struct{}, 1), reasons: make(map[filterCount]uint64),
		})
	}
	return f
}

// run starts a goroutine per filter.
func (f *filterChain) run() {
	for _, w := range f.filters {
		f.n.running.Go(func() { f.work(w) })
	}
}

// about returns what is known about a node, and asks the filters about a record that is new.
func (f *filterChain) about(now time.Time, node *enode.Node) *judged {
	j, ok := f.judged.Get(node.ID())
	if !ok || j.node.Seq() < node.Seq() {
		j = &judged{node: node, verdicts: make([]opinion, len(f.filters)*int(numStages))}
		f.judged.Add(node.ID(), j)
	}
	for _, w := range f.filters {
		for _, stage := range w.cfg.Stages {
			f.ask(now, w, stage, j)
		}
	}
	return j
}

func (j *judged) opinion(w *filterWorker, stage Stage) *opinion {
	return &j.verdicts[w.index*int(numStages)+int(stage)]
}

// ask asks a filter unless it was asked already or its verdict holds for a while. A verdict holds until the next one
// arrives.
func (f *filterChain) ask(now time.Time, w *filterWorker, stage Stage, j *judged) {
	o := j.opinion(w, stage)
	if o.asked || o.known && (o.expires.IsZero() || now.Before(o.expires.Add(-o.verdict.TTL/4))) {
		return
	}
	if len(w.unsettled) >= maxPending {
		f.settle(now, w, stage, j, w.onError("overloaded"))
		return
	}
	o.asked = true
	q := question{about: j, node: j.node, stage: stage, due: now.Add(w.cfg.Deadline)}
	w.unsettled = append(w.unsettled, q)
	w.queue = append(w.queue, q)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	if f.timer == nil {
		f.timer = f.n.after(now, w.cfg.Deadline, f.overdue)
	}
}

func (w *filterWorker) onError(reason string) Verdict {
	return Verdict{Decision: w.cfg.OnError, Reason: reason, TTL: errorTTL}
}

// overdue decides in place of filters that are late.
func (f *filterChain) overdue(now time.Time) {
	f.timer = nil
	var next time.Time
	for _, w := range f.filters {
		for len(w.unsettled) > 0 {
			q := w.unsettled[0]
			o := q.about.opinion(w, q.stage)
			if o.asked && q.due.After(now) {
				if next.IsZero() || q.due.Before(next) {
					next = q.due
				}
				break
			}
			w.unsettled = w.unsettled[1:]
			if o.asked {
				f.settle(now, w, q.stage, q.about, w.onError("late"))
			}
		}
	}
	if !next.IsZero() {
		f.timer = f.n.after(now, next.Sub(now), f.overdue)
	}
}

// settle takes a verdict.
func (f *filterChain) settle(now time.Time, w *filterWorker, stage Stage, j *judged, v Verdict) {
	o := j.opinion(w, stage)
	o.verdict, o.known, o.asked, o.expires = v, true, false, time.Time{}
	if v.TTL > 0 {
		o.expires = now.Add(v.TTL)
	}
	w.count(stage, v)
	if stage == StageTable {
		f.decideTable(now, j)
	}
	watchers := j.watchers
	j.watchers = nil
	for _, watch := range watchers {
		watch(now)
	}
}

func (w *filterWorker) count(stage Stage, v Verdict) {
	c := filterCount{stage, v.Decision, v.Reason}
	if _, ok := w.reasons[c]; !ok && len(w.reasons) >= maxReasons {
		c.Reason = "other"
	}
	w.reasons[c]++
}

// decideTable lets a waiting candidate into the table, or takes out a node that no longer passes.
func (f *filterChain) decideTable(now time.Time, j *judged) {
	id := j.node.ID()
	pass, known := f.pass(StageTable, j)
	if !known {
		return
	}
	c, ok := f.waiting[id]
	delete(f.waiting, id)
	switch {
	case pass && ok && c.node.Seq() <= j.node.Seq():
		f.n.putOff(func(now time.Time) {
			if !f.n.bans.id(now, id) {
				f.n.enter(now, j.node, c.addr)
			}
		})
	case !pass:
		f.n.stats.FilterRejected++
		if !f.n.isBootnode(id) {
			f.n.putOff(func(now time.Time) { f.n.removeNode(now, id) })
		}
	}
}

// pass tells whether a node passes a stage, and whether that is known yet.
func (f *filterChain) pass(stage Stage, j *judged) (pass, known bool) {
	pass, known = true, true
	for _, w := range f.filters {
		if !slices.Contains(w.cfg.Stages, stage) || w.cfg.DryRun {
			continue
		}
		o := j.opinion(w, stage)
		switch {
		case !o.known:
			known = false
		case o.verdict.Decision == Reject:
			return false, true
		}
	}
	return pass && known, known
}

// admits tells whether a node may enter the table now. One whose verdict is to come waits and enters later.
func (f *filterChain) admits(now time.Time, node *enode.Node, addr netip.AddrPort) bool {
	if len(f.filters) == 0 {
		return true
	}
	pass, known := f.pass(StageTable, f.about(now, node))
	if !known && len(f.waiting) < maxPending {
		f.waiting[node.ID()] = candidate{node, addr}
	}
	return pass
}

// serves tells whether a node may be relayed. One without a verdict is left out.
func (f *filterChain) serves(now time.Time, node *enode.Node) bool {
	if len(f.filters) == 0 {
		return true
	}
	pass, _ := f.pass(StageServe, f.about(now, node))
	return pass
}

// work asks one filter until the node is closed.
func (f *filterChain) work(w *filterWorker) {
	for {
		select {
		case <-w.wake:
		case <-f.n.done:
			return
		}
		for {
			var batch []question
			if !f.n.turn(func(time.Time) { batch = w.take() }) {
				return
			}
			if len(batch) == 0 {
				break
			}
			f.decide(w, batch)
		}
	}
}

// take takes the questions of one stage off the queue.
func (w *filterWorker) take() []question {
	if len(w.queue) == 0 {
		return nil
	}
	count := 1
	for count < len(w.queue) && count < MaxFilterBatch && w.queue[count].stage == w.queue[0].stage {
		count++
	}
	batch := w.queue[:count:count]
	w.queue = w.queue[count:]
	if len(w.queue) == 0 {
		w.queue = nil
	}
	return batch
}

// decide asks the filter about a batch and hands in what it says, or nothing if it fails: then OnError decides.
func (f *filterChain) decide(w *filterWorker, batch []question) {
	nodes := make([]*enode.Node, len(batch))
	for i, q := range batch {
		nodes[i] = q.node
	}
	out := make([]Verdict, len(batch))
	ctx, cancel := context.WithTimeout(f.n.closing, w.cfg.Deadline)
	err := w.cfg.Filter.Decide(ctx, batch[0].stage, nodes, out)
	cancel()
	f.n.turn(func(now time.Time) {
		for i, q := range batch {
			v := out[i]
			if err != nil || v.Decision > Reject {
				v = w.onError("error")
			}
			f.settle(now, w, q.stage, q.about, v)
		}
	})
	if err != nil && f.n.closing.Err() == nil {
		f.n.log.Warn("filter failed", "plugin", w.cfg.Name, "count", len(batch), "err", err)
	}
}

// deliver returns the nodes that may be handed out, in the same order. It waits for verdicts to come, as long as the
// filters have.
func (n *Node) deliver(ctx context.Context, nodes []*enode.Node) []*enode.Node {
	if len(n.filters.filters) == 0 {
		return nodes
	}
	about := make([]*judged, len(nodes))
	for {
		changed := make(chan struct{}, 1)
		waiting := false
		var kept []*enode.Node
		open := n.turn(func(now time.Time) {
			for i, node := range nodes {
				if about[i] == nil {
					about[i] = n.filters.about(now, node)
				}
				pass, known := n.filters.pass(StageDeliver, about[i])
				switch {
				case !known:
					waiting = true
					about[i].watchers = append(about[i].watchers, func(time.Time) {
						select {
						case changed <- struct{}{}:
						default:
						}
					})
				case pass:
					kept = append(kept, node)
				default:
					n.stats.FilterRejected++
				}
			}
		})
		if !open || !waiting {
			return kept
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return kept
		case <-n.done:
			return kept
		}
	}
}

// Explanation is what one filter said about a node at one stage.
type Explanation struct {
	Filter  string
	Stage   Stage
	DryRun  bool
	Verdict Verdict
	Err     error // the filter failed, and OnError decided
}

// Explain asks every filter about a node, anew, stage by stage in the order of the filters.
func (n *Node) Explain(ctx context.Context, node *enode.Node) []Explanation {
	var all []Explanation
	for stage := range numStages {
		for _, w := range n.filters.filters {
			if !slices.Contains(w.cfg.Stages, stage) {
				continue
			}
			out := make([]Verdict, 1)
			limited, cancel := context.WithTimeout(ctx, w.cfg.Deadline)
			err := w.cfg.Filter.Decide(limited, stage, []*enode.Node{node}, out)
			cancel()
			if err != nil {
				out[0] = w.onError("error")
			}
			all = append(all, Explanation{Filter: w.cfg.Name, Stage: stage, DryRun: w.cfg.DryRun, Verdict: out[0], Err: err})
		}
	}
	return all
}
