package metrics

import "github.com/discv5/host/core"

var stores = &section{title: "Store"}

var (
	storeOps = stores.counter("discv5_store_operations_total",
		"Calls of the store at their end, by operation (put, get, scan, delete) and result: ok, timeout, failed. One call is about many entries.", "operation", "result")
	storeTime     = stores.histogram("discv5_store_duration_seconds", "How long the calls of the store took, by operation.", "operation")
	storeWaiting  = stores.gauge("discv5_store_queue", "Changes that wait to be written.")
	storeChanges  = stores.counter("discv5_store_changes_total", "Changes of what the store keeps, by result: written, dropped (too many waited).", "result")
	storeFailures = stores.counter("discv5_store_failures_total", "Attempts to read from the store or to write to it that failed.")
	storeSeeds    = stores.gauge("discv5_store_seeds", "Nodes that were read from the store at the start.")
	storeLearned  = stores.counter("discv5_store_learned_total", "Nodes that other hosts stored, offered to the table.")
	storeLoaded   = stores.gauge("discv5_store_loaded", "1 when what the store remembers was read; 0 without a store.")
	storeDegraded = stores.gauge("discv5_store_degraded", "1 when the store does not work; 0 without a store.")
)

func (s sink) store(st core.StoreStats, err error) {
	for i := range st.Ops {
		name, op := core.StoreOp(i).String(), &st.Ops[i]
		s.count(storeOps, op.OK, name, "ok")
		s.count(storeOps, op.Timeouts, name, "timeout")
		s.count(storeOps, op.Failures, name, "failed")
		s.latency(storeTime, &op.Latency, name)
	}
	s.value(storeWaiting, float64(st.Waiting))
	s.count(storeChanges, st.Written, "written")
	s.count(storeChanges, st.Dropped, "dropped")
	s.count(storeFailures, st.Failures)
	s.value(storeSeeds, float64(st.Seeds))
	s.count(storeLearned, uint64(max(st.Learned, 0)))
	s.claim(storeLoaded, st.Loaded)
	s.claim(storeDegraded, err != nil)
}
