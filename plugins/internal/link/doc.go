// Package link is the host's end of the conversation with one plugin process: requests, verdicts, entries and host calls over
// a gRPC connection that somebody else made. It knows no processes and restarts nothing.
//
// # Layout
//
//   - control.go, describe.go: the control calls, with everything that a plugin tells checked
//   - talk.go: requests to a talk plugin; talk_slots.go: those under way; talk_peers.go: the numbers of peers; talk_out.go: the
//     writer; talk_in.go: the reader; talk_breaker.go: when not to ask; talk_wire.go: encoding; talk_stats.go: counters
//   - route.go: where requests go while incarnations come and go
//   - filter.go: batches of nodes to a filter plugin
//   - store.go: calls to a store plugin; methods.go: those of operators to any plugin
//   - host.go: the calls of a plugin to its host; host_calls.go: kinds, grants, costs, errors; host_network.go, host_local.go:
//     what each does; host_watch.go: events; host_out.go: replies; host_stats.go: counters; services.go: what all that needs of core
//   - wire.go, records.go, text.go: encodings, records and text that plugins tell
//   - dial.go, open.go: how to connect, and how streams are opened
//
// # Goroutines and ownership
//
// A Talk, a Filter and a Host have a goroutine that reads their stream; a Talk and a Host have another one that writes what is
// pending, all of it in one message: batches grow with the load, and nothing waits for a batch to fill. A request to a talk
// plugin holds no goroutine: it is encoded where it arrives, answered where the response is read, many at a time, and given up
// by a timer. A host call that waits holds one, but talk calls, which core calls back; an event watch holds one.
//
// Locks are leaves: none is held during I/O or while core is called, except that Route holds its own around that of a Talk.
// core calls StartTalk while it holds its own.
//
// # Errors
//
// ErrRefused says that another attempt is of no use, ErrFailed that this one did not work, ErrInvalid that the plugin broke the
// contract, ErrClosed that the link was closed from this side, ErrBusy that a filter is behind. What a plugin says in an error is quoted
// and free of control characters.
//
// # Limits
//
// A stream is opened within 5 s. Talk: MaxInFlight credits (at most 4096), MaxPerPeer, MaxQueue, 4096 peers with a number, 1000 responses in a row to nothing. A
// breaker opens when no credit is left and nothing was heard for three deadlines; after a second one request tries, if there is a credit; without one the plugin
// counts as starved after 15 s. Filter: one
// batch under way, answers taken up to 5 s late. Store: 1024 entries and 1 MiB a call, 5 s. Host: MaxCalls open calls, Rate units of work a second (16 cancels or 4 KiB are one), 1 MiB of
// replies and 512 events that the plugin has not taken, 1024 events in core, 1024 records remembered as verified. Methods: 64, 16 calls of 30 s,
// 1 MiB of parameters and of a result. Descriptions: see describe.go; metrics: 64 with
// 1024 samples. gRPC messages: 4 MiB.
//
// # Specification
//
// The .proto files of package pluginpb.
package link
