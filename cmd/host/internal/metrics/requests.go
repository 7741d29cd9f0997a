package metrics

import "github.com/discv5/host/core"

var requests = &section{title: "Requests and lookups"}

var (
	requestTime = requests.histogram("discv5_request_duration_seconds",
		"From the start of a request of ours to its end, a handshake included, by type and result: ok, no_response (within the time that the caller gave), invalid_response, cancelled (nobody waited any longer), failed (it was not sent, no session came about, or the peer was banned meanwhile). A FINDNODE is ok with the first packet of its answer.", "type", "result")
	requestsInFlight = requests.gauge("discv5_requests_in_flight", "Requests of ours under way.")

	lookups = requests.counter("discv5_lookups_total",
		"Lookups and queries at their end, by result: found, empty (they found nobody), cancelled (nobody waited any longer), refused (too many were under way).", "result")
	lookupTime     = requests.histogram("discv5_lookup_duration_seconds", "How long lookups took that ran to their end.")
	lookupNodes    = requests.histogram("discv5_lookup_nodes", "Nodes that a lookup found, filters left aside.")
	lookupRequests = requests.histogram("discv5_lookup_requests", "FINDNODE requests of a lookup.")
	lookupsRunning = requests.gauge("discv5_lookups_in_progress", "Lookups under way.")
)

func (s sink) requests(st *core.Stats) {
	for _, t := range requestTypes {
		for result := range core.NumRequestResults {
			s.latency(requestTime, &st.Latencies[t][result], t.String(), result.String())
		}
	}
	s.value(requestsInFlight, float64(st.Calls))
	for result := range core.NumLookupResults {
		s.count(lookups, st.LookupEnds.Results[result], result.String())
	}
	s.latency(lookupTime, &st.LookupEnds.Latency)
	s.sizes(lookupNodes, &st.LookupEnds.Nodes)
	s.sizes(lookupRequests, &st.LookupEnds.Asked)
	s.value(lookupsRunning, float64(st.LookupsRunning))
}
