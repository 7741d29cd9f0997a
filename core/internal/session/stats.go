package session

// Drop says why a packet led to nothing.
type Drop byte

// The reasons, as they appear in metrics.
const (
	_ Drop = iota
	DropMalformed
	DropSelf
	DropChallengeLimit
	DropChallengesFull
	DropUnsolicitedWhoareyou
	DropWrongAddress
	DropRepeatedWhoareyou
	DropNoChallenge
	DropTries
	DropHandshakeLimit
	DropBadRecord
	DropMissingRecord
	DropBadSignature
	DropBadEphemeralKey
	DropBadCiphertext
	DropCrypto
	DropStaleJob
	DropBanned
	NumDrops
)

var dropNames = [NumDrops]string{
	DropMalformed:            "malformed",
	DropSelf:                 "own_id",
	DropChallengeLimit:       "challenge_limit",
	DropChallengesFull:       "challenges_full",
	DropUnsolicitedWhoareyou: "unsolicited_whoareyou",
	DropWrongAddress:         "whoareyou_wrong_address",
	DropRepeatedWhoareyou:    "repeated_whoareyou",
	DropNoChallenge:          "handshake_without_challenge",
	DropTries:                "handshake_tries",
	DropHandshakeLimit:       "handshake_limit",
	DropBadRecord:            "handshake_bad_record",
	DropMissingRecord:        "handshake_missing_record",
	DropBadSignature:         "handshake_bad_signature",
	DropBadEphemeralKey:      "handshake_bad_key",
	DropBadCiphertext:        "handshake_undecryptable",
	DropCrypto:               "crypto",
	DropStaleJob:             "handshake_superseded",
	DropBanned:               "banned",
}

// String returns the reason as it appears in metrics.
func (d Drop) String() string {
	if d < NumDrops {
		return dropNames[d]
	}
	return "unknown"
}

// Stats counts since the machine was made, except for the gauges Sessions and PendingChallenges.
type Stats struct {
	Drops              [NumDrops]uint64
	SessionHits        uint64 // message packets that a session opened
	SessionMisses      uint64 // message packets of a peer without a session
	DecryptFailures    uint64 // message packets that the peer's session did not open
	Challenges         uint64 // WHOAREYOU sent, repeats included
	ChallengesRepeated uint64
	ChallengesEvicted  uint64 // pushed out by newer ones
	HandshakesSent     uint64 // handshake packets
	HandshakesAccepted uint64
	SessionsEvicted    uint64
	Sessions           int
	PendingChallenges  int
}

// Stats returns the counters.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Sessions, s.PendingChallenges = len(m.cache.sessions), len(m.challenges.byPeer)
	return s
}
