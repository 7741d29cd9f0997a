package metrics

import "github.com/discv5/host/core"

var filters = &section{title: "Filters"}

var (
	filterDecisions = filters.counter("discv5_filter_decisions_total",
		"Decisions, by filter, stage (table, serve, deliver), decision (abstain, accept, reject) and the filter's reason; error, panic, invalid, late and overloaded are reasons of the host where on_error decided. Reasons beyond 64 count as other.", "filter", "stage", "decision", "reason")
	filterTime     = filters.histogram("discv5_filter_duration_seconds", "How long the calls of a filter took, a batch of nodes each.", "filter")
	filterCalls    = filters.counter("discv5_filter_calls_total", "Batches of nodes that a filter was asked about.", "filter")
	filterFailures = filters.counter("discv5_filter_failures_total", "Nodes that a filter did not decide about, or not in time.", "filter")
	filterWaiting  = filters.gauge("discv5_filter_waiting", "Nodes that a filter has not taken yet.", "filter")
	filterDryRun   = filters.gauge("discv5_filter_dry_run", "1 when the decisions of a filter have no effect.", "filter")
	filterRejected = filters.counter("discv5_filter_rejections_total", "Rejections of all filters that had an effect.")
)

func (s sink) filters(st *core.Stats, all []core.FilterStats) {
	for _, f := range all {
		for _, d := range f.Decisions {
			s.count(filterDecisions, d.Count, f.Name, d.Stage.String(), d.Decision.String(), d.Reason)
		}
		s.latency(filterTime, &f.Latency, f.Name)
		s.count(filterCalls, f.Calls, f.Name)
		s.count(filterFailures, f.Failures, f.Name)
		s.value(filterWaiting, float64(f.Waiting), f.Name)
		s.claim(filterDryRun, f.DryRun, f.Name)
	}
	s.count(filterRejected, st.FilterRejected)
}
