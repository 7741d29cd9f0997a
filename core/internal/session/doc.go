// Package session holds the sessions and handshakes of a node as a machine without I/O.
//
// The machine is told what arrived ([Machine.HandlePacket]), what the node wants to send ([Machine.Send],
// [Machine.Respond]) and what time it is. It answers with datagrams written to an [Outbox], with decrypted messages,
// and with elliptic-curve work ([Job]) that may run on any goroutine and is handed back with [Machine.Finish].
//
// # Layout
//
//   - machine.go: the machine, and the way of an incoming packet
//   - session.go: one session and its key sets; which keys open and which seal
//   - cache.go: the bounded cache of sessions, with a probation part for strangers
//   - challenge.go: WHOAREYOU challenges that wait for a handshake
//   - exchange.go: the requests under way to one peer, the queue behind a handshake
//   - whoareyou.go: what a WHOAREYOU leads to, up to the handshake packet and its repeat
//   - primer.go: the PING in place of a request that does not fit a handshake packet
//   - alarm.go: when an exchange wants attention
//   - job.go: both halves of a handshake, off the owner's goroutine
//
// # Goroutines and ownership
//
// A Machine has one owner at a time and no lock. It starts no goroutine. A Job belongs to whoever runs it until it is
// handed back.
//
// # Errors
//
// What a stranger sends never is an error: it is dropped and the reason ([Drop]) is counted. ErrBusy, ErrNoRecord and
// ErrTooLarge tell the sender of a request why it did not leave.
//
// # Limits
//
//   - sessions: Config.Capacity, strangers a quarter and what is free
//   - key sets in a session: maxKeySets
//   - challenges outstanding: Config.MaxChallenges, per source MaxChallengesPerSource
//   - handshakes tried per challenge: maxTries
//   - requests waiting for a handshake, per peer: MaxQueue
//   - times that a request is sent again after a change of keys, or a handshake packet repeated: once
//   - PINGs of our own whose PONG is awaited: maxPrimers, for Config.KeepReplaced
//   - exchanges kept without a request because the peer may hold a challenge: none above maxLingering exchanges, for
//     Config.ChallengeLife
//
// The number of requests under way is bounded by the owner, which ends every one of them with [Machine.Forget].
//
// # Specification
//
// https://github.com/ethereum/devp2p/blob/master/discv5/discv5-theory.md, "Sessions" and "Handshake Steps".
package session
