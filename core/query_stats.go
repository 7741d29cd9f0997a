package core

import "time"

// LookupResult is what became of a lookup. Its String is the name in metrics.
type LookupResult byte

// The results.
const (
	LookupFound     LookupResult = iota // it ran to its end, and found somebody
	LookupEmpty                         // it ran to its end, and found nobody
	LookupCancelled                     // the caller did not wait any longer
	LookupRefused                       // too many were under way
	NumLookupResults
)

// String returns the result as it appears in metrics.
func (r LookupResult) String() string {
	return [...]string{"found", "empty", "cancelled", "refused", "unknown"}[min(r, NumLookupResults)]
}

// LookupStats count lookups and queries at their end, the host's own and those of callers. The histograms are of those that ran to their end.
type LookupStats struct {
	Results [NumLookupResults]uint64
	Latency Latency
	Nodes   Sizes // found by each, filters left aside
	Asked   Sizes // FINDNODE requests of each
}

func (s *LookupStats) ended(took time.Duration, nodes, asked int) {
	result := LookupFound
	if nodes == 0 {
		result = LookupEmpty
	}
	s.Results[result]++
	s.Latency.observe(took)
	s.Nodes.observe(nodes)
	s.Asked.observe(asked)
}
