package core

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxQueries bounds the lookups under way.
const maxQueries = 256

// lookupSize is how many nodes a lookup finds, the k of Kademlia.
const lookupSize = 16

// query drives a lookup: it sends what the state machine asks for and reports what comes back.
type query struct {
	n      *Node
	lookup *table.Lookup
	wake   *timer
	calls  map[*call]bool
	begun  time.Time
	judge  *judge                               // of the caller's predicate, nil for none
	done   func(now time.Time, l *table.Lookup) // nil once it ran
}

// startQuery starts a lookup. done runs in a later part of this turn or in a later turn.
func (n *Node) startQuery(now time.Time, cfg table.LookupConfig, done func(time.Time, *table.Lookup)) *query {
	cfg.Self = n.self
	cfg.Patience = n.rtt.patience()
	size := max(cfg.K, lookupSize)
	var seeds []*enode.Node
	for _, e := range n.table.Closest(nil, cfg.Target, size, nil) {
		seeds = append(seeds, e.Node)
	}
	if len(seeds) == 0 {
		seeds = n.cfg.Bootnodes
	}
	q := &query{n: n, calls: make(map[*call]bool), begun: now, judge: newJudge(&cfg), done: done}
	n.queries++
	n.stats.Lookups++
	q.judge.ask(now, seeds, func(now time.Time) {
		q.lookup = table.NewLookup(cfg, seeds)
		n.putOff(q.step)
	})
	return q
}

// step sends what is to be sent now.
func (q *query) step(now time.Time) {
	if q.done == nil {
		return
	}
	q.n.stop(q.wake)
	q.wake = nil
	asks, wake, over := q.lookup.Next(now)
	if over {
		q.end(now)
		return
	}
	for _, ask := range asks {
		q.ask(now, ask)
	}
	if !wake.IsZero() {
		q.wake = q.n.after(now, wake.Sub(now), q.step)
	}
}

func (q *query) ask(now time.Time, ask table.Ask) {
	id := ask.Node.ID()
	to, err := q.n.targetOf(now, ask.Node)
	if err != nil {
		q.n.putOff(func(now time.Time) {
			q.lookup.Failed(id)
			q.step(now)
		})
		return
	}
	var c *call
	c = q.n.findNode(now, to, ask.Distances, func(now time.Time, r reply) {
		delete(q.calls, c)
		for _, node := range r.nodes {
			q.n.offer(now, node, netip.AddrPort{})
		}
		if r.err != nil {
			q.lookup.Failed(id)
			q.step(now)
			return
		}
		nodes := q.n.unbanned(now, r.nodes)
		q.judge.ask(now, nodes, func(now time.Time) {
			q.lookup.Answered(id, nodes)
			q.step(now)
		})
	})
	if c != nil {
		q.calls[c] = true
	}
}

// end reports the result. Requests that are still out run on: their answers may bring nodes for the table.
func (q *query) end(now time.Time) {
	done := q.done
	q.done = nil
	q.n.queries--
	q.n.stop(q.wake)
	q.n.refresh.lastLookup = now
	q.n.stats.LookupEnds.ended(now.Sub(q.begun), len(q.lookup.Result()), q.lookup.Asked())
	done(now, q.lookup)
}

// abandon ends a query whose caller went away.
func (q *query) abandon(now time.Time) {
	if q.done == nil {
		return
	}
	q.done = nil
	q.n.queries--
	q.n.stop(q.wake)
	q.n.stats.LookupEnds.Results[LookupCancelled]++
	for c := range q.calls {
		q.n.cancelCall(now, c)
	}
}

// unbanned returns the nodes that are not banned, in the same slice.
func (n *Node) unbanned(now time.Time, nodes []*enode.Node) []*enode.Node {
	return slices.DeleteFunc(nodes, func(node *enode.Node) bool { return n.bannedNode(now, node) })
}

// runQuery runs a lookup for a caller; read takes what it wants of it, in a turn, at its end or when ctx ends.
func (n *Node) runQuery(ctx context.Context, cfg table.LookupConfig, read func(*table.Lookup)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	over := make(chan struct{})
	var q *query
	var err error
	if !n.turn(func(now time.Time) {
		if n.queries >= maxQueries {
			err = ErrBusy
			n.stats.LookupEnds.Results[LookupRefused]++
			return
		}
		q = n.startQuery(now, cfg, func(_ time.Time, l *table.Lookup) {
			read(l)
			close(over)
		})
	}) {
		return ErrClosed
	}
	if err != nil {
		return err
	}
	defer n.turn(q.abandon)
	for {
		select {
		case <-over:
			return nil
		case <-q.judge.asked():
			q.judge.answer(n)
		case <-ctx.Done():
			n.turn(func(time.Time) {
				if q.done != nil && q.lookup != nil {
					read(q.lookup)
				}
			})
			return ctx.Err()
		case <-n.done:
			return ErrClosed
		}
	}
}
