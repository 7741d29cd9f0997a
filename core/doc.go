// Package core is a running Node Discovery v5.1 node: sockets, sessions, routing table, requests, lookups, the local
// record and the three extension points [TalkHandler] (or [AsyncTalkHandler]), [Filter] and [Store].
//
// # Layout
//
//   - config.go, node.go: configuration, start and end of a node
//   - turn.go: the turn, timers, the crypto workers: who may touch the state and when
//   - packet.go: an incoming packet, and the answer to each request
//   - call.go, response.go: our own requests and what comes back
//   - api.go: what callers use
//   - nodes.go: nodes that were met and where they go; bans.go, bans_order.go: who is kept out
//   - check.go, refresh.go, query.go: liveness checks, table refresh, lookups; silence.go: when nobody is heard
//   - local.go: the local record, endpoint votes, reachability
//   - talk.go: the extension point TALK; talk_serve.go: places and answers; talk_send.go: calls that nobody waits for
//   - filter.go: what a filter is; filter_chain.go: verdicts and what they do; filter_worker.go: how a filter is asked;
//     filter_stats.go: counters and explanations
//   - store.go: what a store is; store_writer.go, store_flush.go: writing behind; store_load.go: reading at the start; store_table.go: who was in the table; store_watch.go: what
//     other hosts store; stored.go: encodings
//   - space.go: key-value spaces of extensions; space_held.go: what they hold; space_store.go: what becomes of it in the store
//   - guest.go: goroutines that call filters and the store
//   - adjust.go: what may change while the node runs
//   - events.go, stats.go: what can be observed; query_stats.go, talk_stats.go, store_stats.go: of lookups, TALK and the store
//
// # Goroutines and ownership
//
// All protocol state belongs to whoever holds the turn (Node.mu): a socket reader for one batch of packets, the clock for
// the timers that are due, a crypto worker for the result of one handshake, a caller for the start of a call. Nobody
// blocks while holding it. What a turn sends is collected and leaves when the turn ends.
//
// Goroutines: one reader per socket, one clock, one crypto worker per core, one keeper of the local record, one that runs
// callbacks; the store writer, two watchers of a store that can be watched, and one worker per filter where there are any; one per request that a TalkHandler serves and
// per unknown message, bounded for each protocol. Close ends all of them and waits: about a second (closeGrace) for those
// that run somebody else's code or wait for the disk. One that hangs is abandoned.
//
// An AsyncTalkHandler is called in a turn, which is why it may not call the node. Its answers, and callbacks, hold no goroutine.
//
// A Filter or a Store may hang, panic, lie and fail without harm to anything else: its own goroutine calls it, what it
// returns is checked, OnError decides in place of a filter, and memory stands in for a store.
//
// # Errors
//
// ErrClosed, ErrTimeout, ErrNoNode, ErrNoAddress, ErrNoRecord, ErrNoSession, ErrTooLarge, ErrBusy, ErrBanned, ErrInvalidResponse, and
// the context's error, with which a lookup returns what it has found. A [Space] adds ErrSpaceFull and ErrSpaceUnread.
// What a stranger sends is never an error: it is dropped and counted ([Stats]).
//
// # Limits
//
// Everything that a stranger can make grow is bounded: sessions (Config.Sessions), challenges (16,384 outstanding, 64
// per source), handshake jobs waiting (maxJobs), sources with a rate limit of their own (limit.MaxSources), verified records
// remembered (maxRecords), TALK requests in flight (Config.Talk, three quarters for one protocol), records taken from one answer (maxAnswerRecords), packets of one answer
// (maxAnswerPackets), nodes whose verdicts are remembered (maxVerdicts), questions that wait for a filter (maxPending for
// each stage), kinds of decisions counted (maxReasons), changes that wait for the store (maxUnsaved, and as much for bans), nodes read
// from it (seedScans · seedsPerScan, nearScans · seedsPerScan, maxTableChunks · tableChunk), records that other hosts stored (learnRate). What extensions make grow: spaces (maxSpaces), what each holds (MaxSpaceKeys, MaxSpaceSize), and
// its deletions that wait for the store (maxSpaceGone); other changes of a space that wait are entries that it holds.
// TALK protocols with counters of their own (maxServedCounters, maxAskedCounters), which no stranger adds to.
// Our own: calls under way and callbacks owed (maxCalls each), addresses that the socket refused to send to (maxUnsent), lookups under
// way (maxQueries), liveness checks (maxChecks, maxFirstChecks, maxPingBacks), nodes whose announced records were asked for (maxFetched).
//
// # Specification
//
// https://github.com/ethereum/devp2p/tree/master/discv5
package core
