package metrics

import (
	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
)

var traffic = &section{title: "Packets and messages"}

var (
	packets = traffic.counter("discv5_packets_total", "Datagrams, by direction (in, out).", "direction")
	dropped = traffic.counter("discv5_packets_dropped_total",
		"Packets received that led to no message, by reason: oversized (or from nowhere), banned, or what was wrong with their form or their handshake. A message of a banned node counts as well.", "reason")
	unsent = traffic.counter("discv5_packets_unsent_total",
		"Answers that had no session any more, and packets that a socket did not take.")
	messages = traffic.counter("discv5_messages_total",
		"Messages that a session authenticated or sent, by type and direction (in, out). UNKNOWN are types that this protocol version does not define.", "type", "direction")
	messagesDropped = traffic.counter("discv5_messages_dropped_total",
		"Messages received that came to nothing, by reason: invalid, session_limit (requests beyond the limit of a session), unsolicited (responses that nobody waits for).", "reason")
	jobsDropped = traffic.counter("discv5_jobs_dropped_total",
		"Handshakes and record checks given up because too many waited for a processor.")
	jobsWaiting = traffic.gauge("discv5_jobs_queue", "Handshakes and record checks that wait for a processor.")
	lastRead    = traffic.gauge("discv5_socket_read_timestamp_seconds",
		"When a socket was last read from, in seconds since 1970.")
	bans = traffic.gauge("discv5_bans", "Bans of nodes and address ranges.")
)

func (s sink) traffic(st *core.Stats) {
	s.count(packets, st.PacketsReceived, "in")
	s.count(packets, st.PacketsSent, "out")
	s.count(dropped, st.Oversized, "oversized")
	s.count(dropped, st.BannedPackets, dropBanned)
	for i, count := range st.Sessions.Drops {
		// Those of banned nodes are among BannedPackets.
		if name := core.SessionDrop(i).String(); name != "" && name != dropBanned {
			s.count(dropped, count, name)
		}
	}
	s.count(unsent, st.SendDropped)
	for i := 1; i < len(st.MessagesSent); i++ {
		name := codec.MessageType(i).String()
		s.count(messages, st.MessagesReceived[i], name, "in")
		s.count(messages, st.MessagesSent[i], name, "out")
	}
	s.count(messagesDropped, st.InvalidMessages, "invalid")
	s.count(messagesDropped, st.SessionLimited, "session_limit")
	s.count(messagesDropped, st.Unsolicited, "unsolicited")
	s.count(jobsDropped, st.JobsDropped)
	s.value(jobsWaiting, float64(st.Jobs))
	s.value(lastRead, unixSeconds(st.Drained))
	s.value(bans, float64(st.Bans))
}

const dropBanned = "banned"
