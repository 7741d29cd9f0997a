package metrics

import (
	"strings"

	"github.com/discv5/host/core"
)

var sessions = &section{title: "Sessions and handshakes"}

var (
	sessionCount    = sessions.gauge("discv5_sessions", "Established sessions.")
	sessionsEvicted = sessions.counter("discv5_sessions_evicted_total", "Sessions that made room for newer ones.")
	challenges      = sessions.counter("discv5_challenges_total",
		"WHOAREYOU packets sent, by kind: first, repeated (the same one once more).", "kind")
	challengesEvicted = sessions.counter("discv5_challenges_evicted_total", "Handshakes under way that made room for newer ones.")
	challengesPending = sessions.gauge("discv5_challenges_pending", "Handshakes that peers have been asked for and have not made.")
	handshakesSent    = sessions.counter("discv5_handshakes_sent_total", "Handshake packets sent.")
	handshakesOpened  = sessions.counter("discv5_handshakes_opened_total", "Sessions that this node opened and the peer has used: handshake packets sent that came to something.")
	handshakes        = sessions.counter("discv5_handshakes_received_total",
		"Handshake packets received, by result: accepted, or why not. What is not accepted counts as a dropped packet as well.", "result")
)

func (s sink) sessions(st *core.Stats) {
	sn := &st.Sessions
	s.value(sessionCount, float64(sn.Sessions))
	s.count(sessionsEvicted, sn.SessionsEvicted)
	s.count(challenges, sn.Challenges-min(sn.ChallengesRepeated, sn.Challenges), "first")
	s.count(challenges, sn.ChallengesRepeated, "repeated")
	s.count(challengesEvicted, sn.ChallengesEvicted)
	s.value(challengesPending, float64(sn.PendingChallenges))
	s.count(handshakesSent, sn.HandshakesSent)
	s.count(handshakesOpened, st.SessionsOpened)
	s.count(handshakes, sn.HandshakesAccepted, "accepted")
	for i, count := range sn.Drops {
		if result, ok := strings.CutPrefix(core.SessionDrop(i).String(), "handshake_"); ok {
			s.count(handshakes, count, result)
		}
	}
}
