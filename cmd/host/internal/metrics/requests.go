package metrics

import "github.com/discv5/host/core"

var requests = &section{title: "Requests"}

var (
	requestTime = requests.histogram("discv5_request_duration_seconds",
		"From a request of ours to its response, by type; a FINDNODE counts with the first packet of its answer.", "type")
	requestFailures = requests.counter("discv5_request_failures_total",
		"Requests of ours without a valid response, by type and reason (no_response, invalid_response).", "type", "reason")
	requestsInFlight = requests.gauge("discv5_requests_in_flight", "Requests of ours under way.")
	lookups          = requests.counter("discv5_lookups_total", "Lookups and queries begun.")
	talkProblems     = requests.counter("discv5_talk_problems_total",
		"TALK requests received that were not served as they should, by reason: unknown_protocol, shed (too many open), timeout, late (the handler answered behind the deadline), failed (it reported an error, panicked or said too much). One request may time out first and then be late or fail.", "reason")
)

func (s sink) requests(st *core.Stats) {
	for _, t := range requestTypes {
		s.latency(requestTime, &st.Latencies[t], t.String())
		s.count(requestFailures, st.Timeouts[t], t.String(), "no_response")
		s.count(requestFailures, st.InvalidResponses[t], t.String(), "invalid_response")
	}
	s.value(requestsInFlight, float64(st.Calls))
	s.count(lookups, st.Lookups)
	s.count(talkProblems, st.TalkUnknown, "unknown_protocol")
	s.count(talkProblems, st.TalkShed, "shed")
	s.count(talkProblems, st.TalkTimeouts, "timeout")
	s.count(talkProblems, st.TalkLate, "late")
	s.count(talkProblems, st.TalkFailed, "failed")
}
