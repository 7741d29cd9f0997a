package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	// maxPending bounds the questions of one stage that wait for one filter.
	maxPending = 4096
	// answersPerTurn bounds the answers that are taken in one turn: each may let a node into the table.
	answersPerTurn = 32
	// errorPause is when a filter is asked again in whose place OnError decided. That decision holds twice as long.
	errorPause = 10 * time.Second
	// complainPause is the shortest pause between two log lines about a filter that fails.
	complainPause = time.Minute
)

// Why OnError decides in place of a filter.
var (
	errFilterLate       = errors.New("core: filter did not answer in time")
	errFilterOverloaded = errors.New("core: too many questions wait for the filter")
	errFilterInvalid    = errors.New("core: filter made an unknown decision")
)

// failureReason is the reason that decisions of OnError are counted by.
func failureReason(err error) string {
	switch {
	case errors.Is(err, errFilterLate):
		return "late"
	case errors.Is(err, errFilterOverloaded):
		return "overloaded"
	case errors.Is(err, errFilterInvalid):
		return "invalid"
	case errors.Is(err, errPanic):
		return "panic"
	}
	return "error"
}

// filterWorker is one filter with the questions to it. All but work and decide runs in a turn.
type filterWorker struct {
	// set before the goroutine starts, then read-only
	chain  *filterChain
	filter Filter
	wake   chan struct{}
	ctx    context.Context // ends with the filter, or with the node
	cancel context.CancelFunc

	// owned by the turn
	cfg        FilterConfig
	index      int
	stages     [numStages]bool
	ended      bool
	taken      []*question            // by the goroutine
	round      uint64                 // how often its verdicts were forgotten
	queues     [numStages][]*question // not taken by the goroutine yet, oldest first
	counts     map[filterCount]uint64
	calls      uint64
	failures   uint64
	latency    Latency
	complained time.Time
}

// question is a node on its way to a filter.
type question struct {
	about   *judged
	stage   Stage
	asked   time.Time
	late    *timer // OnError decides then
	guessed bool   // it did; the answer still counts when it comes
	round   uint64 // of the filter when it took the question
}

func newFilterWorker(f *filterChain, index int, cfg FilterConfig) *filterWorker {
	w := &filterWorker{chain: f, filter: cfg.Filter, wake: make(chan struct{}, 1), counts: make(map[filterCount]uint64)}
	w.ctx, w.cancel = context.WithCancel(f.n.closing)
	w.set(index, cfg)
	return w
}

// set says how the filter is used.
func (w *filterWorker) set(index int, cfg FilterConfig) {
	orDefault(&cfg.Deadline, 300*time.Millisecond)
	orDefault(&cfg.OnError, Accept)
	w.index, w.cfg, w.stages = index, cfg, [numStages]bool{}
	for _, s := range cfg.Stages {
		w.stages[s] = true
	}
}

// run starts the goroutine.
func (w *filterWorker) run() { w.chain.n.host("filter "+w.cfg.Name, w.work) }

// place is where opinions of a stage are kept.
func (w *filterWorker) place(stage Stage) Stage {
	if w.cfg.Uniform {
		return 0
	}
	return stage
}

// places is how many opinions there are on a node.
func (w *filterWorker) places() int { return int(w.place(numStages-1)) + 1 }

// noOpinions are the filter's opinions on a node that it was not asked about.
func (w *filterWorker) noOpinions() *opinions {
	return &opinions{w, make([]opinion, w.places())}
}

// decides tells whether the answer to a question at one stage decides about another.
func (w *filterWorker) decides(stage, asked Stage) bool {
	return w.stages[stage] && w.place(stage) == w.place(asked)
}

// opinion returns what the filter says about a node at a stage.
func (w *filterWorker) opinion(j *judged, stage Stage) *opinion {
	i := w.index
	if i >= len(j.opinions) || j.opinions[i].by != w {
		i = slices.IndexFunc(j.opinions, func(o *opinions) bool { return o.by == w })
	}
	if i < 0 { // it came later
		i = len(j.opinions)
		j.opinions = append(j.opinions, w.noOpinions())
	}
	o := j.opinions[i]
	o.reshape()
	return &o.at[w.place(stage)]
}

// ask asks the filter about a node unless it was asked already or its verdict holds for a while. The verdict of a filter
// that was asked in time holds until the next one arrives.
func (w *filterWorker) ask(now time.Time, j *judged, stage Stage) {
	o := w.opinion(j, stage)
	w.outdate(now, j.node.ID(), o)
	if o.question != nil || o.known && (o.again.IsZero() || now.Before(o.again)) {
		return
	}
	o.known = o.known && now.Before(o.expires)
	if !w.makeRoom(now, stage) {
		w.guess(now, j, stage, errFilterOverloaded)
		return
	}
	q := &question{about: j, stage: stage, asked: now}
	w.await(now, q, o)
	o.question = q
	w.queues[stage] = append(w.queues[stage], q)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// await lets OnError decide on a question when the filter is late: after its deadline, or when its last verdict ends.
func (w *filterWorker) await(now time.Time, q *question, o *opinion) {
	patience := w.cfg.Deadline
	if o.known && o.failure == nil {
		patience = max(patience, o.expires.Sub(now))
	}
	w.chain.n.stop(q.late)
	q.late = w.chain.n.after(now, patience, func(now time.Time) {
		q.guessed = true
		w.guess(now, q.about, q.stage, errFilterLate)
	})
}

// makeRoom reports whether another question may wait. The oldest one gives way if OnError decided on it meanwhile.
func (w *filterWorker) makeRoom(now time.Time, stage Stage) bool {
	queue := w.queues[stage]
	if len(queue) < maxPending {
		return true
	}
	oldest := queue[0]
	if !oldest.guessed {
		return false
	}
	queue[0] = nil
	w.queues[stage] = queue[1:]
	w.unasked(now, w.opinion(oldest.about, stage))
	if w.decides(StageTable, stage) {
		w.chain.decideTable(oldest.about)
	}
	return true
}

// unasked notes that a question came to nothing. What is known meanwhile is asked for again in its time.
func (w *filterWorker) unasked(now time.Time, o *opinion) {
	o.question = nil
	if o.known && !o.again.IsZero() {
		w.chain.refreshAt(now, o.again)
	}
}

// guess lets OnError decide, unless the last verdict of the filter still holds.
func (w *filterWorker) guess(now time.Time, j *judged, stage Stage, err error) {
	w.complain(now, err)
	o := w.opinion(j, stage)
	if o.known && o.failure == nil && now.Before(o.expires) {
		o.again = now.Add(min(errorPause, o.expires.Sub(now)))
		w.chain.refreshAt(now, o.again)
		return
	}
	v := Verdict{Decision: w.cfg.OnError, Reason: failureReason(err), TTL: 2 * errorPause}
	w.settle(now, j, stage, v, err, errorPause)
}

// settle takes a decision.
func (w *filterWorker) settle(now time.Time, j *judged, stage Stage, v Verdict, failure error, again time.Duration) {
	o := w.opinion(j, stage)
	*o = opinion{verdict: v, failure: failure, known: true, question: o.question, round: w.round}
	if v.TTL > 0 {
		o.expires, o.again = now.Add(v.TTL), now.Add(again)
	}
	if !j.detached {
		for s := range numStages {
			if w.decides(s, stage) {
				w.count(s, v)
			}
		}
		if v.TTL > 0 {
			w.chain.refreshAt(now, o.again)
		}
		if w.decides(StageTable, stage) {
			w.chain.decideTable(j)
		}
	}
	j.notify()
}

// answered takes what the filter said to a question. An error means that it did not.
func (w *filterWorker) answered(now time.Time, q *question, v Verdict, err error) {
	o := w.opinion(q.about, q.stage)
	if o.question != q { // the filter is not asked at this stage any more
		return
	}
	w.chain.n.stop(q.late)
	o.question = nil
	if q.round != w.round { // it may be what the filter said before ForgetVerdicts
		o.again = now
		w.ask(now, q.about, q.stage)
		return
	}
	if v, valid := v.tidied(); err == nil && valid {
		w.settle(now, q.about, q.stage, v, nil, v.TTL-v.TTL/4)
		return
	}
	if err == nil {
		err = errFilterInvalid
	}
	w.unasked(now, o)
	if !q.guessed {
		w.guess(now, q.about, q.stage, err)
	} else if w.decides(StageTable, q.stage) {
		w.chain.decideTable(q.about)
	}
}

// work asks the filter until it is removed or the node is closed.
func (w *filterWorker) work() {
	for {
		select {
		case <-w.wake:
		case <-w.ctx.Done():
			return
		}
		for {
			var batch []*question
			var deadline time.Duration
			if !w.chain.n.turn(func(time.Time) { batch, deadline = w.take(), w.cfg.Deadline }) {
				return
			}
			if len(batch) == 0 {
				break
			}
			w.decide(batch, deadline)
		}
	}
}

// take takes questions of one stage off its queue: of the stage that has waited longest.
func (w *filterWorker) take() []*question {
	longest := -1
	for stage, queue := range w.queues {
		if len(queue) > 0 && (longest < 0 || queue[0].asked.Before(w.queues[longest][0].asked)) {
			longest = stage
		}
	}
	if longest < 0 {
		return nil
	}
	queue := w.queues[longest]
	count := min(len(queue), MaxFilterBatch)
	batch := slices.Clone(queue[:count])
	clear(queue[:count])
	for _, q := range batch {
		q.round = w.round
	}
	w.taken = batch
	if w.queues[longest] = queue[count:]; len(queue) == count {
		w.queues[longest] = nil
	}
	return batch
}

// decide asks the filter about a batch and hands in what it says.
func (w *filterWorker) decide(batch []*question, deadline time.Duration) {
	nodes := make([]*enode.Node, len(batch))
	for i, q := range batch {
		nodes[i] = q.about.node
	}
	out := make([]Verdict, len(batch))
	ctx, cancel := context.WithTimeout(w.ctx, deadline)
	start := time.Now()
	stage := batch[0].stage
	err := contained(func() error { return w.filter.Decide(ctx, stage, nodes, out) })
	cancel()
	w.chain.n.turn(func(now time.Time) {
		w.calls++
		w.latency.observe(now.Sub(start))
	})
	for i := 0; i < len(batch); i += answersPerTurn {
		end := min(i+answersPerTurn, len(batch))
		w.chain.n.turn(func(now time.Time) {
			if w.taken = batch[end:]; w.ended {
				return
			}
			for k, q := range batch[i:end] {
				w.answered(now, q, out[i+k], err)
			}
		})
	}
}

// complain counts a failure, and logs one now and then.
func (w *filterWorker) complain(now time.Time, err error) {
	w.failures++
	if w.complained.IsZero() || now.Sub(w.complained) >= complainPause {
		w.complained = now
		w.chain.n.log.Warn("filter fails", "plugin", w.cfg.Name, "count", w.failures, "err", err)
	}
}
