// Package core is a running Node Discovery v5.1 node: sockets, sessions, routing table, requests, lookups, the local
// record and the three extension points [TalkHandler], [Filter] and [Store].
//
// # Layout
//
//   - config.go, node.go: configuration, start and end of a node
//   - turn.go: the turn, timers, the crypto workers: who may touch the state and when
//   - packet.go: an incoming packet, and the answer to each request
//   - call.go, response.go: our own requests and what comes back
//   - api.go: what callers use
//   - nodes.go: nodes that were met and where they go; bans.go: who is kept out
//   - check.go, refresh.go, query.go: liveness checks, table refresh, lookups
//   - local.go: the local record, endpoint votes, reachability
//   - talk.go, filter.go, store.go: the extension points
//   - events.go, stats.go: what can be observed
//
// # Goroutines and ownership
//
// All protocol state belongs to whoever holds the turn (Node.mu): a socket reader for one batch of packets, the clock for
// the timers that are due, a crypto worker for the result of one handshake, a caller for the start of a call. Nobody
// blocks while holding it. What a turn sends is collected and leaves when the turn ends.
//
// Goroutines: one reader per socket, one clock, one crypto worker per core, one keeper of the local record; the store
// writer and one worker per filter where there are any; one per TALK request being served, bounded. Close ends all of
// them and waits, except for handlers that ignore their context.
//
// # Errors
//
// ErrClosed, ErrTimeout, ErrNoAddress, ErrTooLarge, ErrBusy, ErrBanned, ErrInvalidResponse, and the context's error.
// What a stranger sends is never an error: it is dropped and counted ([Stats]).
//
// # Limits
//
// Everything that a stranger can make grow is bounded: sessions (Config.Sessions), challenges (16,384 outstanding, 64
// per source), handshake jobs waiting (maxJobs), sources with a rate limit of their own (limit.MaxSources), verified records
// remembered (maxRecords), TALK requests in flight (Config.Talk), records taken from one answer (maxAnswerRecords), packets of one answer
// (maxAnswerPackets), nodes that wait for a filter's verdict (maxPending). Our own: calls under way (maxCalls), lookups under way (maxQueries).
//
// # Specification
//
// https://github.com/ethereum/devp2p/tree/master/discv5
package core
