package metrics

import (
	"slices"
	"sync"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
)

var operators = &section{title: "Admin API and reloads"}

var (
	adminCalls  = operators.counter("discv5_admin_calls_total", "JSON-RPC calls of the admin API, by result (ok, failed).", "result")
	adminDenied = operators.counter("discv5_admin_denied_total",
		"What the admin API turned away, by reason: connections (too many at a time), unauthorized (a request over TCP without the token).", "reason")
	adminReaders = operators.gauge("discv5_admin_event_readers", "Readers of the event stream.")
	adminDropped = operators.counter("discv5_admin_event_readers_dropped_total", "Readers of the event stream that were too slow.")

	ready = operators.gauge("discv5_ready", "Whether the host is ready, as /readyz says (1, 0). While the node does not answer, nothing else is shown of it.")

	reloads    = operators.counter("discv5_reloads_total", "Reloads of the configuration, by result.", "result")
	reloadTime = operators.gauge("discv5_reload_timestamp_seconds", "When a reload last had a result, in seconds since 1970; 0: never.", "result")
)

// Reloads counts what came of reloading the configuration. All methods may be called from any goroutine.
type Reloads struct {
	results []string // set by NewReloads, then read-only

	mu   sync.Mutex // a leaf
	done []reload   // by the index in results
}

type reload struct {
	count uint64
	last  time.Time
}

// NewReloads makes counters for results, each a word. They are all the labels there will be.
func NewReloads(results ...string) *Reloads {
	return &Reloads{results: slices.Clone(results), done: make([]reload, len(results))}
}

// Done counts a reload that ended with one of the results; any other word is ignored.
func (r *Reloads) Done(result string, at time.Time) {
	i := slices.Index(r.results, result)
	if i < 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[i].count++
	r.done[i].last = at
}

func (s sink) reloads(r *Reloads) {
	r.mu.Lock()
	done := slices.Clone(r.done)
	r.mu.Unlock()
	for i, result := range r.results {
		s.count(reloads, done[i].count, result)
		s.value(reloadTime, unixSeconds(done[i].last), result)
	}
}

func (s sink) admin(st admin.Stats) {
	s.claim(ready, st.Ready)
	s.count(adminCalls, st.Calls-min(st.FailedCalls, st.Calls), "ok")
	s.count(adminCalls, st.FailedCalls, "failed")
	s.count(adminDenied, st.Refused, "connections")
	s.count(adminDenied, st.Unauthorized, "unauthorized")
	s.value(adminReaders, float64(st.EventReaders))
	s.count(adminDropped, st.ReadersDropped)
}
