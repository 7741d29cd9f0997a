package core

import (
	"reflect"
	"slices"
	"time"
)

// SetFilters makes these the filters from now on, or reports what is wrong with them, as Listen does; then nothing changes.
// After Close it is ErrClosed.
//
// A filter that was there, by its name and by its Filter, keeps its verdicts and counters, however it is used now; a Filter
// that cannot be compared counts as another one. What follows from a change takes up to some seconds: nodes that no longer pass
// leave the table, 64 every 100 ms are looked at. Under a name that was there another Filter takes over as
// after ForgetVerdicts. A filter that is new holds back nodes from being relayed and handed out until it has decided about
// them, or is late; those in the table stay in it until then. One that is gone ends: the context of its call does, and what waits for it goes on. One that hangs keeps its
// goroutine until it returns.
func (n *Node) SetFilters(filters []FilterConfig) error {
	if err := validateFilters(filters); err != nil {
		return err
	}
	if !n.turn(func(now time.Time) { n.filters.set(now, filters) }) {
		return ErrClosed
	}
	return nil
}

func (f *filterChain) set(now time.Time, filters []FilterConfig) {
	affected := f.asked()
	before := f.filters
	heirs := make(map[*filterWorker]*filterWorker) // of the filters that were: who has their verdicts now
	f.filters = nil
	for i, cfg := range filters {
		k := slices.IndexFunc(before, func(w *filterWorker) bool { return w.cfg.Name == cfg.Name })
		var w *filterWorker
		if k >= 0 && sameFilter(before[k].filter, cfg.Filter) {
			w = before[k]
			others := w.cfg.Uniform != cfg.Uniform
			w.drop(now, func(q *question) bool { return others || !slices.Contains(cfg.Stages, q.stage) })
			w.set(i, cfg)
		} else {
			w = newFilterWorker(f, i, cfg)
			w.run()
		}
		if k >= 0 {
			heirs[before[k]] = w
		}
		f.filters = append(f.filters, w)
	}
	for _, w := range before {
		if heirs[w] != w {
			w.end(now)
		}
		if heir := heirs[w]; heir != nil && heir != w {
			heir.round = w.round + 1
		}
	}
	for _, j := range affected {
		f.adapt(now, j, heirs)
	}
	f.reviseTable(now)
}

// sameFilter tells whether two filters are one.
func sameFilter(a, b Filter) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// asked returns all that filters are asked about, and all that they have said.
func (f *filterChain) asked() []*judged {
	all := f.judged.Values()
	for _, w := range f.filters {
		for q := range w.questions {
			if q.about.detached {
				all = append(all, q.about)
			}
		}
	}
	return all
}

// adapt makes what is known about a node fit other filters.
func (f *filterChain) adapt(now time.Time, j *judged, heirs map[*filterWorker]*filterWorker) {
	j.opinions = slices.DeleteFunc(j.opinions, func(o *opinions) bool {
		if w, was := heirs[o.by]; was {
			o.by = w
		}
		return o.by.ended
	})
	for _, all := range j.opinions {
		all.reshape()
		for stage := range all.at {
			o := &all.at[stage]
			switch {
			case !all.by.stages[stage] && len(all.at) > 1:
				*o = opinion{}
			case o.known && o.failure != nil:
				o.verdict.Decision = all.by.cfg.OnError
			}
		}
	}
	if len(f.filters) > 0 && (j.candidate.IsValid() || len(j.watchers) > 0) {
		f.askAll(now, j)
	}
	if j.candidate.IsValid() {
		f.decideTable(j)
	}
	j.notify()
}

// reshape makes opinions those of a uniform filter, or of one that is not any more, if its use has changed. Nobody is asked
// for them meanwhile.
func (o *opinions) reshape() {
	w, before := o.by, o.at
	if len(before) == w.places() {
		return
	}
	o.at = w.noOpinions().at
	for stage := range o.at {
		o.at[stage] = before[0]
	}
	if w.cfg.Uniform {
		o.at[0] = before[slices.Index(w.stages[:], true)]
	}
}

// end ends a filter that is not wanted any more.
func (w *filterWorker) end(now time.Time) {
	w.ended = true
	w.drop(now, func(*question) bool { return true })
	w.cancel()
}

// drop forgets questions: whatever the filter says to them does not count.
func (w *filterWorker) drop(now time.Time, which func(*question) bool) {
	for q := range w.questions {
		if o := w.opinion(q.about, q.stage); o.question == q && which(q) {
			w.chain.n.stop(q.late)
			w.unasked(now, o)
		}
	}
	for stage := range w.queues {
		w.queues[stage] = slices.DeleteFunc(w.queues[stage], which)
	}
}

// questions are those that the filter has not answered.
func (w *filterWorker) questions(yield func(*question) bool) {
	for _, queue := range append(w.queues[:len(w.queues):len(w.queues)], w.taken) {
		for _, q := range queue {
			if !yield(q) {
				return
			}
		}
	}
}
