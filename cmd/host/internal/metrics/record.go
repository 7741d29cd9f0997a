package metrics

import "github.com/discv5/host/core"

var records = &section{title: "The node's record and endpoint"}

var (
	recordSeq     = records.gauge("discv5_enr_seq", "Sequence number of the node's record.")
	recordSize    = records.gauge("discv5_enr_size_bytes", "Size of the node's record.")
	recordLimit   = records.gauge("discv5_enr_size_limit_bytes", "The size that a record may have.")
	recordUnsaved = records.gauge("discv5_enr_unsaved", "1 when the newest record could not be saved.")

	endpointPublished = records.gauge("discv5_endpoint_published", "1 when the record names an endpoint of the family (ipv4, ipv6).", "family")
	endpointPinned    = records.gauge("discv5_endpoint_pinned", "1 when votes of peers do not change the endpoint.", "family")
	endpointReach     = records.gauge("discv5_endpoint_reachability",
		"1 for the state that holds: reachable, unreachable or unknown, for strangers at the endpoint that the record names.", "family", "state")
	endpointVotes = records.gauge("discv5_endpoint_votes",
		"Votes of peers about the endpoint, by what they are for: published (the address in the record), other (the address among the others that has most), all.", "family", "votes")
	endpointThreshold = records.gauge("discv5_endpoint_votes_needed", "Votes that an address needs to get into the record.", "family")
)

func (s sink) record(n Node) {
	usage := n.RecordUsage()
	s.count(recordSeq, n.Self().Seq())
	s.value(recordSize, float64(usage.Size))
	s.value(recordLimit, float64(usage.Max))
	s.claim(recordUnsaved, n.RecordError() != nil)
}

// reachStates are the values of core.EndpointInfo.Reachable.
var reachStates = [...]string{"reachable", "unreachable", "unknown"}

func (s sink) endpoints(all []core.EndpointInfo) {
	for _, e := range all {
		s.claim(endpointPublished, e.Published.IsValid(), e.Family)
		s.claim(endpointPinned, e.Pinned, e.Family)
		for _, state := range reachStates {
			s.claim(endpointReach, e.Reachable == state, e.Family, state)
		}
		published, other := 0, 0
		for _, c := range e.Votes.Counts {
			if c.Addr == e.Published.Addr() {
				published = c.Votes
			} else {
				other = max(other, c.Votes)
			}
		}
		s.value(endpointVotes, float64(published), e.Family, "published")
		s.value(endpointVotes, float64(other), e.Family, "other")
		s.value(endpointVotes, float64(e.Votes.Voters), e.Family, "all")
		s.value(endpointThreshold, float64(e.Votes.Threshold), e.Family)
	}
}
