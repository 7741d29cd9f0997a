package core

import (
	"time"

	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// judge asks a caller's predicate about the nodes that a lookup meets, on the caller's own goroutine: whatever the
// predicate does, nobody else waits for it. A nil judge lets everything pass at once.
type judge struct {
	predicate func(*enode.Node) bool
	wake      chan struct{}

	// owned by the turn
	questions []judgement
	verdicts  map[*enode.Node]bool
}

// judgement is what goes on once the predicate has seen some nodes.
type judgement struct {
	nodes []*enode.Node
	then  func(now time.Time)
}

// newJudge takes over the predicate of a lookup.
func newJudge(cfg *table.LookupConfig) *judge {
	if cfg.Predicate == nil {
		return nil
	}
	j := &judge{predicate: cfg.Predicate, wake: make(chan struct{}, 1), verdicts: make(map[*enode.Node]bool)}
	cfg.Predicate = func(node *enode.Node) bool { return j.verdicts[node] }
	return j
}

// ask runs then in a turn, this one or a later one, when the predicate has seen the nodes.
func (j *judge) ask(now time.Time, nodes []*enode.Node, then func(now time.Time)) {
	if j == nil {
		then(now)
		return
	}
	j.questions = append(j.questions, judgement{nodes, then})
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// asked is ready when there are questions to answer.
func (j *judge) asked() <-chan struct{} {
	if j == nil {
		return nil
	}
	return j.wake
}

// answer answers them, on the goroutine of the caller.
func (j *judge) answer(n *Node) {
	var questions []judgement
	n.turn(func(time.Time) { questions, j.questions = j.questions, nil })
	verdicts := make(map[*enode.Node]bool)
	for _, q := range questions {
		for _, node := range q.nodes {
			verdicts[node] = j.predicate(node)
		}
	}
	n.turn(func(now time.Time) {
		for _, q := range questions {
			j.verdicts = verdicts // those of the nodes at hand; the lookup asks about each once
			q.then(now)
		}
	})
}
