package core

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxVerdicts bounds the nodes whose verdicts are remembered, about 0.5 KB each and 1.3 KB for the record: more than a
	// crawl of the public network meets.
	maxVerdicts = 65_536
	// sweepPause is the shortest pause between two looks at the table for verdicts that end soon.
	sweepPause = time.Second
)

// filterChain asks the filters and remembers what they said. It is owned by the turn.
type filterChain struct {
	n       *Node
	filters []*filterWorker
	judged  *simplelru.LRU[enode.ID, *judged]
	sweep   *timer
	swept   time.Time
	revised []enode.ID // nodes of the table that are still to be looked at again
}

// judged is what the filters say about the newest record met of a node.
type judged struct {
	node     *enode.Node
	opinions []*opinions // filter by filter, usually in their order
	// candidate is where the node is that enters the table when it is accepted; invalid: nobody waits.
	candidate netip.AddrPort
	// detached: verdicts have no effect any more but on who waits for them, since a newer record took its place, it was
	// pushed out by other nodes, or it was for an explanation only.
	detached bool
	watchers []watcher
}

// opinions are what one filter says, stage by stage; a uniform one has one opinion.
type opinions struct {
	by *filterWorker
	at []opinion
}

// opinion is the verdict of one filter at one stage.
type opinion struct {
	verdict  Verdict
	failure  error // why OnError decided; nil: the filter did
	known    bool
	question *question // under way
	expires  time.Time // zero: never
	again    time.Time // the filter is asked again from then on; zero: never
	round    uint64    // of the filter
}

// watcher waits until a node is decided about.
type watcher struct {
	decided func() bool
	done    func()
}

func newFilterChain(n *Node, filters []FilterConfig) *filterChain {
	f := &filterChain{n: n}
	evicted := func(_ enode.ID, j *judged) { j.detached = true }
	f.judged, _ = simplelru.NewLRU(maxVerdicts, evicted) // it fails for sizes below one
	for i, cfg := range filters {
		f.filters = append(f.filters, newFilterWorker(f, i, cfg))
	}
	return f
}

// run starts a goroutine per filter.
func (f *filterChain) run() {
	for _, w := range f.filters {
		w.run()
	}
}

// about returns what is known about the newest record of a node, and asks the filters what is not known or not for long
// any more.
func (f *filterChain) about(now time.Time, node *enode.Node) *judged {
	j, ok := f.judged.Get(node.ID())
	if !ok || j.node != node && supersedes(node, j.node) {
		if ok {
			j.detached = true
		}
		j = f.unjudged(node)
		f.judged.Add(node.ID(), j)
	}
	f.askAll(now, j)
	return j
}

// supersedes tells whether a record is to be judged in place of another one of its node: it is newer, or another one with
// the same sequence number.
func supersedes(a, b *enode.Node) bool {
	return a.Seq() > b.Seq() || a.Seq() == b.Seq() && !slices.Equal(a.Record().Signature(), b.Record().Signature())
}

func (f *filterChain) unjudged(node *enode.Node) *judged {
	j := &judged{node: node, opinions: make([]*opinions, 0, len(f.filters))}
	for _, w := range f.filters {
		j.opinions = append(j.opinions, w.noOpinions())
	}
	return j
}

func (f *filterChain) askAll(now time.Time, j *judged) {
	for _, w := range f.filters {
		for stage, asked := range w.stages {
			if !asked {
				continue
			}
			w.ask(now, j, Stage(stage))
			if w.cfg.Uniform {
				break
			}
		}
	}
}

// pass tells whether a node passes a stage, and whether that is known yet. It passes when no filter rejects it.
func (f *filterChain) pass(stage Stage, j *judged) (pass, known bool) {
	known = true
	for _, w := range f.filters {
		if !w.stages[stage] || w.cfg.DryRun {
			continue
		}
		switch o := w.opinion(j, stage); {
		case !o.known:
			known = false
		case o.verdict.Decision == Reject:
			return false, true
		}
	}
	return known, known
}

// passes tells whether a record of the table may be relayed or handed out. Without a verdict it may not.
func (f *filterChain) passes(now time.Time, stage Stage, node *enode.Node) bool {
	if len(f.filters) == 0 {
		return true
	}
	j := f.about(now, node)
	pass, _ := f.pass(stage, j)
	return pass && j.node.Seq() == node.Seq()
}

// admits tells whether a node may enter the table now. One whose verdict is to come waits and enters later. The newest
// record that was met of a node stands for it.
func (f *filterChain) admits(now time.Time, node *enode.Node, addr netip.AddrPort) bool {
	if len(f.filters) == 0 {
		return true
	}
	j := f.about(now, node)
	if f.n.isBootnode(node.ID()) {
		return true
	}
	if j.node.Seq() > node.Seq() && !hasEndpoint(j.node, addr) {
		addr, _ = f.n.endpointFor(j.node)
	}
	pass, known := f.pass(StageTable, j)
	switch {
	case pass && j.node.Seq() == node.Seq():
		j.candidate = netip.AddrPort{}
		return true
	case pass:
		j.candidate = addr
		f.decideTable(j)
	case !known || f.open(StageTable, j):
		j.candidate = addr
	}
	return false
}

// open tells whether a filter may still say something new about a node.
func (f *filterChain) open(stage Stage, j *judged) bool {
	return slices.ContainsFunc(j.opinions, func(o *opinions) bool { return o.by.stages[stage] && o.by.opinion(j, stage).question != nil })
}

// decideTable lets a waiting candidate into the table, or takes out a node that no longer passes.
func (f *filterChain) decideTable(j *judged) {
	id := j.node.ID()
	pass, known := f.pass(StageTable, j)
	if !known || j.detached {
		return
	}
	if !pass {
		if !f.open(StageTable, j) {
			j.candidate = netip.AddrPort{}
		}
		if !f.n.isBootnode(id) {
			f.n.putOff(func(now time.Time) { f.n.rejectedNode(now, id) })
		}
		return
	}
	if addr := j.candidate; addr.IsValid() {
		j.candidate = netip.AddrPort{}
		f.n.putOff(func(now time.Time) {
			if !j.detached && !f.n.bans.id(now, id) && !f.n.bans.address(now, addr.Addr()) {
				f.n.enter(now, j.node, addr)
			}
		})
	}
}

// returned looks again at a node that came into the table from the reserve, where verdicts end and nobody asks again.
func (f *filterChain) returned(now time.Time, node *enode.Node) {
	if len(f.filters) > 0 {
		f.decideTable(f.about(now, node))
	}
}

// refreshAt makes sure that the table is looked at when a verdict is to be asked for again.
func (f *filterChain) refreshAt(now, at time.Time) {
	if earliest := f.swept.Add(sweepPause); at.Before(earliest) {
		at = earliest
	}
	if f.sweep != nil && !at.Before(f.sweep.at) {
		return
	}
	f.n.stop(f.sweep)
	f.sweep = f.n.after(now, at.Sub(now), f.refresh)
}

// refresh asks again about the nodes of the table whose verdicts end soon.
func (f *filterChain) refresh(now time.Time) {
	f.sweep, f.swept = nil, now
	if len(f.revised) > 0 { // this would ask about all of them at once
		f.refreshAt(now, now.Add(sweepPause))
		return
	}
	var next time.Time
	for e := range f.n.table.All() {
		j := f.about(now, e.Node)
		for _, all := range j.opinions {
			for stage := range all.at {
				o := &all.at[stage]
				if o.question == nil && !o.again.IsZero() && (next.IsZero() || o.again.Before(next)) {
					next = o.again
				}
			}
		}
	}
	if !next.IsZero() {
		f.refreshAt(now, next)
	}
}

// notify runs what waits for decisions that were made.
func (j *judged) notify() {
	j.watchers = slices.DeleteFunc(j.watchers, func(w watcher) bool {
		if !w.decided() {
			return false
		}
		w.done()
		return true
	})
}

// await makes done run, in a turn, when decided has become true. It reports false when it is true already.
func (j *judged) await(decided func() bool, done func()) bool {
	if decided() {
		return false
	}
	j.watchers = append(j.watchers, watcher{decided, done})
	return true
}

// deliver returns the nodes that may be handed out, in the same order and each with its newest record. It waits for verdicts
// to come, as long as the filters have. When ctx ends first, nodes without a verdict are left out. The error is ErrClosed.
func (n *Node) deliver(ctx context.Context, nodes []*enode.Node) ([]*enode.Node, error) {
	about := make([]*judged, len(nodes))
	complete := make(chan struct{})
	filtered := false
	waiting := 1
	decided := func() {
		if waiting--; waiting == 0 {
			close(complete)
		}
	}
	open := n.turn(func(now time.Time) {
		f := n.filters
		if filtered = len(f.filters) > 0; !filtered {
			return
		}
		for i, node := range nodes {
			j := f.about(now, node)
			about[i] = j
			if j.await(func() bool { _, known := f.pass(StageDeliver, j); return known }, decided) {
				waiting++
			}
		}
		decided()
	})
	switch {
	case !open:
		return nil, ErrClosed
	case !filtered:
		return nodes, nil
	}
	select {
	case <-complete:
	case <-ctx.Done():
	case <-n.done:
	}
	var kept []*enode.Node
	open = n.turn(func(time.Time) {
		for _, j := range about {
			if pass, _ := n.filters.pass(StageDeliver, j); pass {
				kept = append(kept, j.node)
			}
		}
	})
	if !open {
		return nil, ErrClosed
	}
	return kept, nil
}
