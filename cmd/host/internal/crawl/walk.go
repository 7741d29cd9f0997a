package crawl

import (
	"slices"

	"github.com/discv5/host/codec"
)

const (
	// fullAnswer is how many records make an answer one that may have left others out. A node puts 16 into an answer at most,
	// some clients one fewer, and records that prove useless are missing here.
	fullAnswer = 12
	// dryDistances is how many distances in a row must be empty for those below to count as empty too. Each has half as many
	// nodes as the one above it.
	dryDistances = 8
	// maxGroup bounds the distances of one request.
	maxGroup = 16
	// maxRepeats bounds how often one distance is asked again because it brought somebody new.
	maxRepeats = 8
	// maxAsks bounds the requests to one node: a liar has always somebody new.
	maxAsks = 64
)

// walk says which distances of one node are asked next. It goes down from the farthest, where half of the network is.
//
// A full answer to several distances may have left nodes out, so the halves are asked on their own. A full answer to a single
// one is asked for again as long as it brings nodes that are new to the crawl: some nodes choose others each time. Below the full
// distances a request covers more and more of them, down to where nobody is.
type walk struct {
	current  []uint   // the distances to ask now; nil: the walk is over
	again    [][]uint // what is asked before new distances, the last one first
	next     uint     // the highest distance not asked so far
	size     int      // how many distances the next request covers
	empty    int      // distances in a row without anybody
	repeats  int      // of the current distance
	asks     int      // answers so far
	fresh    bool     // the current distances are new ones
	ownAsked bool     // its own record was asked for
}

func newWalk() walk {
	return walk{current: []uint{codec.MaxDistance}, next: codec.MaxDistance - 1, size: 1, fresh: true}
}

// distances returns what to ask for, nil at the end. Once, where there is room in the answer, 0 is among them: the newest
// record of the node itself.
func (w *walk) distances() []uint {
	if w.asksOwn() {
		return append([]uint{0}, w.current...)
	}
	return w.current
}

func (w *walk) asksOwn() bool { return !w.ownAsked && len(w.current) > 1 }

// answered moves on after an answer with some records, the node's own not counted, of which some were new to the crawl.
func (w *walk) answered(records, fresh int) {
	w.asks++
	w.ownAsked = w.ownAsked || w.asksOwn()
	current := w.current
	switch {
	case records >= fullAnswer && len(current) > 1:
		w.empty, w.size = 0, 1
		half := len(current) / 2
		w.again = append(w.again, current[half:], current[:half])
	case records >= fullAnswer && fresh > 0 && w.repeats < maxRepeats:
		w.empty = 0
		w.repeats++
		w.asked()
		return // the same again
	case w.fresh:
		w.widen(records, len(current))
	}
	w.repeats = 0
	w.advance()
}

// asked ends the walk if it took too many requests.
func (w *walk) asked() bool {
	if w.asks >= maxAsks {
		w.current = nil
	}
	return w.current != nil
}

// widen chooses how many distances the next request covers: half of the distances hold half of the nodes.
func (w *walk) widen(records, covered int) {
	switch {
	case records == 0:
		w.empty += covered
		w.size = 4 * covered
	case records <= 2:
		w.empty, w.size = 0, 4*covered
	case records <= 8:
		w.empty, w.size = 0, 2*covered
	default:
		w.empty, w.size = 0, covered
	}
	w.size = min(w.size, maxGroup)
}

// advance chooses the distances to ask now.
func (w *walk) advance() {
	w.fresh = false
	if !w.asked() {
		return
	}
	if n := len(w.again); n > 0 {
		w.current, w.again = w.again[n-1], w.again[:n-1]
		return
	}
	if w.current = nil; w.next == 0 || w.empty >= dryDistances {
		return
	}
	w.fresh = true
	for ; w.next > 0 && len(w.current) < w.size; w.next-- {
		w.current = append(w.current, w.next)
	}
	w.current = slices.Clip(w.current)
}
