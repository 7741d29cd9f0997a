package metrics

import (
	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
)

// The names that nim-eth exports, so that dashboards made for it show a host. Where a label says nothing, the series counts all,
// and those with a word are a part of it.
var nimEth = &section{title: "As nim-eth names them"}

var (
	nimOutgoing = nimEth.counter("discovery_message_requests_outgoing_total",
		"Requests sent: all of them without a response label, those that nobody answered in time as no_response, and those answered by something else as invalid_response.", "response")
	nimIncoming = nimEth.counter("discovery_message_requests_incoming_total",
		"Requests received: all of them without a response label, and those of a type that this protocol version does not define as no_response.", "response")
	nimUnsolicited = nimEth.counter("discovery_unsolicited_messages_total",
		"Responses that nobody waited for, or waited for any more.")
	nimAutoUpdate = nimEth.counter("discovery_enr_auto_update_total",
		"Changes of the endpoint in the node's record because peers see it elsewhere.")
	nimHits = nimEth.counter("discovery_session_lru_cache_hits_total",
		"Message packets received from a peer with a session, whether it opened them or not.")
	nimMisses = nimEth.counter("discovery_session_lru_cache_misses_total",
		"Message packets received from a peer without a session.")
	nimDecryptFailures = nimEth.counter("discovery_session_decrypt_failures_total",
		"Message packets that the session of their peer did not open.")
	nimTable = nimEth.gauge("routing_table_nodes",
		"Nodes in the routing table: all of them without a state label, and those that answered as seen.", "state")
	nimBytes = nimEth.counter("discv5_network_bytes_total",
		"Bytes of datagrams, by direction (in, out).", "direction")
)

// requestTypes are the messages that ask for a response.
var requestTypes = [...]codec.MessageType{codec.PingType, codec.FindNodeType, codec.TalkReqType}

func (s sink) nimEth(st *core.Stats) {
	var sent, received, silent, invalid uint64
	for _, t := range requestTypes {
		sent += st.MessagesSent[t]
		received += st.MessagesReceived[t]
		silent += st.Timeouts[t]
		invalid += st.InvalidResponses[t]
	}
	unknown := st.MessagesReceived[core.UnknownMessageType]
	s.count(nimOutgoing, sent, "")
	s.count(nimOutgoing, silent, "no_response")
	s.count(nimOutgoing, invalid, "invalid_response")
	s.count(nimIncoming, received+unknown, "")
	s.count(nimIncoming, unknown, "no_response")
	s.count(nimUnsolicited, st.Unsolicited)
	s.count(nimAutoUpdate, st.AutoUpdates)
	s.count(nimHits, st.Sessions.SessionHits+st.Sessions.DecryptFailures)
	s.count(nimMisses, st.Sessions.SessionMisses)
	s.count(nimDecryptFailures, st.Sessions.DecryptFailures)
	s.value(nimTable, float64(st.TableNodes), "")
	s.value(nimTable, float64(st.TableVerified), "seen")
	s.count(nimBytes, st.BytesReceived, "in")
	s.count(nimBytes, st.BytesSent, "out")
}
