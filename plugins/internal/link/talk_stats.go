package link

// Shed is why a request was answered empty without asking the plugin.
type Shed uint8

// The reasons.
const (
	admitted     Shed = iota
	ShedPerPeer       // the peer has too many requests open
	ShedQueue         // too many wait
	ShedBreaker       // the plugin has stopped to answer
	ShedDraining      // it is on its way out
	ShedDown          // there is no plugin, or it does not serve the protocol
	ShedLate          // the deadline had passed
	numShed
)

// String returns the name as it appears in metrics.
func (s Shed) String() string {
	return [...]string{"", "per_peer", "queue", "breaker", "draining", "down", "late", "unknown"}[min(s, numShed)]
}

// TalkStats are the counters of a Talk. All but the gauges only grow.
type TalkStats struct {
	Requests uint64          // that core brought
	Sent     uint64          // that went to the plugin
	Answered uint64          // in time, with what the peer gets
	Shed     [numShed]uint64 // answered empty without asking, by reason
	Late     uint64          // given up at their deadline
	Failed   uint64          // answered empty because the plugin reported an error
	TooLarge uint64          // answered empty because the response would not fit a packet
	Broken   uint64          // answered empty because the stream broke

	LateAnswers uint64 // responses to requests that were given up
	Repeated    uint64 // responses to requests that had one
	Unknown     uint64 // responses to requests that there never were
	Messages    uint64 // written to the stream: Sent over Messages is the size of a batch
	Tripped     uint64 // times that the breaker opened because nothing was heard

	InFlight int // gauge: requests that the plugin owes a response to
	Queued   int // gauge: requests that wait to be sent
	Breaker  BreakerState
}

// Empty is how many requests were answered empty by the host itself, whatever the reason.
func (s *TalkStats) Empty() uint64 {
	n := s.Late + s.Failed + s.TooLarge + s.Broken
	for _, shed := range s.Shed {
		n += shed
	}
	return n
}

// Add adds the counters of another incarnation, and its gauges. The state of the breaker stays.
func (s *TalkStats) Add(o TalkStats) {
	s.Requests += o.Requests
	s.Sent += o.Sent
	s.Answered += o.Answered
	for i := range s.Shed {
		s.Shed[i] += o.Shed[i]
	}
	s.Late += o.Late
	s.Failed += o.Failed
	s.TooLarge += o.TooLarge
	s.Broken += o.Broken
	s.LateAnswers += o.LateAnswers
	s.Repeated += o.Repeated
	s.Unknown += o.Unknown
	s.Messages += o.Messages
	s.Tripped += o.Tripped
	s.InFlight += o.InFlight
	s.Queued += o.Queued
}

// Stats returns the counters.
func (t *Talk) Stats() TalkStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.InFlight, s.Queued, s.Breaker = t.slots.sent, t.slots.queued, t.breaker.state
	return s
}
