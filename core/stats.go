package core

import (
	"time"

	"github.com/discv5/host/core/internal/session"
)

// numTypes is the size of counters by message type: index 0 is unused, UnknownMessageType stands for all that follow.
const numTypes = int(UnknownMessageType) + 1

// LatencyBounds are the upper bounds of the classes of a Latency: from a call of a plugin on this machine to a lookup that waits for
// silent nodes.
var LatencyBounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// Latency is a histogram. Counts has one class more than LatencyBounds, for what is longer; classes do not include
// each other.
type Latency struct {
	Counts [len(LatencyBounds) + 1]uint64
	Sum    time.Duration
}

func (l *Latency) observe(d time.Duration) {
	d = max(d, 0)
	l.Sum += d
	for i, bound := range LatencyBounds {
		if d <= bound {
			l.Counts[i]++
			return
		}
	}
	l.Counts[len(LatencyBounds)]++
}

// SizeBounds are the upper bounds of the classes of Sizes.
var SizeBounds = [...]int{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}

// Sizes is a histogram of numbers of things, in classes as those of a Latency.
type Sizes struct {
	Counts [len(SizeBounds) + 1]uint64
	Sum    uint64
}

func (s *Sizes) observe(count int) {
	s.Sum += uint64(count)
	for i, bound := range SizeBounds {
		if count <= bound {
			s.Counts[i]++
			return
		}
	}
	s.Counts[len(SizeBounds)]++
}

// RequestResult is what became of a request of ours. Its String is the name in metrics.
type RequestResult byte

// The results.
const (
	RequestAnswered  RequestResult = iota
	RequestTimeout                 // nothing came within the time that the caller gave
	RequestInvalid                 // something else than a response came
	RequestCancelled               // the caller did not wait any longer
	RequestFailed                  // it could not be sent, no session came about, or the peer was banned meanwhile
	NumRequestResults
)

// String returns the result as it appears in metrics.
func (r RequestResult) String() string {
	return [...]string{"ok", "no_response", "invalid_response", "cancelled", "failed", "unknown"}[min(r, NumRequestResults)]
}

// Stats are counters since the start, and gauges where a comment says so. Arrays are indexed by codec.MessageType; those
// about requests by the type of the request.
type Stats struct {
	PacketsReceived, BytesReceived uint64
	PacketsSent, BytesSent         uint64
	SendDropped                    uint64 // answers without a session, and what a socket did not take
	Oversized                      uint64 // datagrams beyond codec.MaxPacketSize
	BannedPackets                  uint64
	JobsDropped                    uint64 // handshakes and record checks for which too many waited

	MessagesReceived [numTypes]uint64
	MessagesSent     [numTypes]uint64
	InvalidMessages  uint64
	SessionLimited   uint64 // requests beyond Limits.Session
	Unsolicited      uint64 // responses that no call waits for
	Timeouts         [numTypes]uint64
	InvalidResponses [numTypes]uint64
	// Latencies are from the call of a request to its end, a handshake included. A FINDNODE ends with the first packet of its answer.
	Latencies [numTypes][NumRequestResults]Latency

	TalkUnknown  uint64 // requests for a protocol without a handler
	TalkShed     uint64 // requests beyond TalkLimits
	TalkTimeouts uint64 // requests that their handler did not answer in time
	TalkLate     uint64 // responses of handlers after the deadline
	TalkFailed   uint64 // requests whose handler failed, panicked or wanted to say too much

	NodesAdded, NodesRemoved uint64
	Lookups                  uint64 // begun
	LookupEnds               LookupStats
	AutoUpdates              uint64 // of the local record, by votes
	FilterRejected           uint64 // rejections that had an effect, see FilterStats

	Sessions       SessionStats
	SessionsOpened uint64    // handshakes of ours whose session the peer has used
	TableNodes     int       // gauge
	TableVerified  int       // gauge
	Calls          int       // gauge: requests of ours under way
	LookupsRunning int       // gauge
	Jobs           int       // gauge: handshakes and record checks that wait for a processor
	Bans           int       // gauge
	Drained        time.Time // when a socket was last read from
}

// SessionStats counts what sessions and handshakes did. Drops is indexed by SessionDrop.
type SessionStats = session.Stats

// SessionDrop says why a packet led to nothing; its String is the name in metrics.
type SessionDrop = session.Drop

// Stats returns the counters.
func (n *Node) Stats() (s Stats) {
	n.turn(func(now time.Time) {
		s = n.stats
		s.Sessions = n.sessions.Stats()
		s.TableNodes, s.TableVerified = n.table.Len(), n.table.Verified()
		s.Calls = len(n.calls) + n.talk.unanswered
		s.LookupsRunning, s.Jobs = n.queries, len(n.jobs)+len(n.ownJobs)
		s.Bans = n.bans.len() + n.bans.permanent.len()
	})
	s.Drained = time.Unix(0, n.drained.Load())
	return s
}
