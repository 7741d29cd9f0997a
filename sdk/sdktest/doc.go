// Package sdktest runs a plugin under test, as the host would, without a host.
//
// [Start] serves a plugin value inside the test, over a real socket; [Exec] starts a program, in whatever language. Both return a
// [Plugin] to send requests to, with a [Host] that answers what the plugin asks, records it, and can be told what to answer.
//
// [Conformance] checks that a plugin keeps its contract, whatever it does: every author should have it in a test. [Run] is the
// same outside of a test, for a command, and [RunContext] can be ended. What the suites check is listed by the names of their parts:
//
//   - control: descriptions, configurations right and wrong, health, metrics, drain, and the end
//   - process, of programs: the handshake, the services of go-plugin, what is printed, and the end when the parent dies
//   - talk: each request is answered once, whatever it is, alone or with many others, cancelled or late
//   - filter: one verdict for each node, for odd records too
//   - store: versions, expiry, order and limits of scans, sizes, what survives a restart, and what several hosts see of each other
//
// [StoreFaults] checks what a store does when the server behind it fails, with a [Backend] that can be killed, cut off and frozen.
//
// # Layout
//
//   - source.go: where a plugin comes from; incarnation.go, process.go, process_*.go: one that runs
//   - session.go, streams.go, store.go: the host's side of the contract
//   - plugin.go: a plugin in an author's test; host.go, calls.go, node.go: what is around it
//   - suite.go: how suites run; suite_control.go, suite_process.go, suite_talk.go, suite_filter.go, suite_store.go, suite_fleet.go, suite_faults.go: what
//     they check
//
// # Goroutines and ownership
//
// A running plugin has one goroutine that reads each of its streams, and one for its process and one for what it prints, or two for
// the server of a plugin in this process. They end with it; [Plugin] ends with its test. All exported types may be used concurrently.
//
// # Limits
//
// Answers may take 5 s, configuring 10 s. The last 200 lines of 4 KiB of a log are kept, and 100,000 calls to the host.
package sdktest
