package core

import (
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/session"
)

// numTypes is the size of counters by message type: index 0 is unused, UnknownMessageType stands for all that follow.
const numTypes = int(UnknownMessageType) + 1

// LatencyBounds are the upper bounds of the classes of a Latency.
var LatencyBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 4 * time.Second,
}

// Latency is a histogram. Counts has one class more than LatencyBounds, for what is longer; classes do not include
// each other.
type Latency struct {
	Counts [len(LatencyBounds) + 1]uint64
	Sum    time.Duration
}

func (l *Latency) observe(d time.Duration) {
	l.Sum += d
	for i, bound := range LatencyBounds {
		if d <= bound {
			l.Counts[i]++
			return
		}
	}
	l.Counts[len(LatencyBounds)]++
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
	Latencies        [numTypes]Latency

	TalkUnknown  uint64 // requests for a protocol without a handler
	TalkShed     uint64 // requests beyond TalkLimits
	TalkTimeouts uint64 // requests that their handler did not answer in time
	TalkLate     uint64 // responses of handlers after the deadline
	TalkFailed   uint64 // requests whose handler failed, panicked or wanted to say too much

	NodesAdded, NodesRemoved uint64
	Lookups                  uint64
	AutoUpdates              uint64 // of the local record, by votes
	FilterRejected           uint64 // rejections that had an effect, see FilterStats

	Sessions      SessionStats
	TableNodes    int       // gauge
	TableVerified int       // gauge
	Calls         int       // gauge: requests of ours under way
	Bans          int       // gauge
	Drained       time.Time // when a socket was last read from
}

// SessionStats counts what sessions and handshakes did. Drops is indexed by SessionDrop.
type SessionStats = session.Stats

// SessionDrop says why a packet led to nothing; its String is the name in metrics.
type SessionDrop = session.Drop

func (s *Stats) observe(kind codec.MessageType, d time.Duration) { s.Latencies[kind].observe(d) }

// Stats returns the counters.
func (n *Node) Stats() (s Stats) {
	n.turn(func(now time.Time) {
		s = n.stats
		s.Sessions = n.sessions.Stats()
		s.TableNodes, s.TableVerified = n.table.Len(), n.table.Verified()
		s.Calls = len(n.calls) + n.talk.unanswered
		s.Bans = len(n.bans.ids) + len(n.bans.prefixes)
	})
	s.Drained = time.Unix(0, n.drained.Load())
	return s
}
