package metrics

import (
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/discv5/host/core"
)

var talks = &section{title: "TALK"}

var (
	talkRequests = talks.counter("discv5_talk_requests_total",
		"TALK requests at their end, by protocol, direction and result. in: ok, empty (the answer has no payload), timeout, failed (the handler reported an error, panicked or said too much), shed (too many open), unknown_protocol. out: ok, empty (the peer does not speak the protocol or has nothing to say), no_response, invalid_response, cancelled, failed as for other requests, and unawaited (sent, and nobody waits for a response).", "protocol", "direction", "result")
	talkTime = talks.histogram("discv5_talk_duration_seconds",
		"From a TALK request to its response, by protocol and direction, where there was one in time. in: what the handler took; out: what the caller waited, a handshake included.", "protocol", "direction")
	talkLate = talks.counter("discv5_talk_late_responses_total", "Responses of handlers behind the deadline, when the request had been answered empty.")
)

// otherProtocols is the label of all protocols without counters of their own.
const otherProtocols = "other"

// protocol makes a label of a TALK protocol, another one for each: its text, or its bytes as 0x… where they are none or look like something
// else.
func protocol(name string) string {
	strange := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if name == "" || name == otherProtocols || strings.HasPrefix(name, "0x") || strings.ContainsFunc(name, strange) {
		return "0x" + hex.EncodeToString([]byte(name))
	}
	return name
}

func (s sink) talks(st *core.Stats, all []core.TalkStats) {
	for i := range all {
		t := &all[i]
		label := protocol(t.Protocol)
		if t.Other {
			label = otherProtocols
			s.count(talkRequests, t.Served.Unknown, label, "in", "unknown_protocol")
		}
		s.talkServed(&t.Served, label)
		s.talkAsked(&t.Asked, label)
	}
	s.count(talkLate, st.TalkLate)
}

func (s sink) talkServed(t *core.TalkServed, protocol string) {
	s.count(talkRequests, t.Answered-min(t.Empty, t.Answered), protocol, "in", "ok")
	s.count(talkRequests, t.Empty, protocol, "in", "empty")
	s.count(talkRequests, t.Timeouts, protocol, "in", "timeout")
	s.count(talkRequests, t.Failed, protocol, "in", "failed")
	s.count(talkRequests, t.Shed, protocol, "in", "shed")
	s.latency(talkTime, &t.Latency, protocol, "in")
}

func (s sink) talkAsked(t *core.TalkAsked, protocol string) {
	for result, count := range t.Results {
		if core.RequestResult(result) == core.RequestAnswered {
			count -= min(t.Empty, count)
		}
		s.count(talkRequests, count, protocol, "out", core.RequestResult(result).String())
	}
	s.count(talkRequests, t.Empty, protocol, "out", "empty")
	s.count(talkRequests, t.Unawaited, protocol, "out", "unawaited")
	s.latency(talkTime, &t.Latency, protocol, "out")
}
