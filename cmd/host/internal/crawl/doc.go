// Package crawl walks a whole discovery network and tells what is there.
//
// # Layout
//
// [Machine] (machine.go, outcome.go) holds the frontier and decides who is asked what and when; walk.go chooses the distances that one node
// is asked for, pace.go keeps to the rates. It has no clock and no I/O. [Runner] drives it with a node, [State] (state.go, journal.go) keeps what
// was learned so that a crawl can be resumed, result.go and write.go make lines of it, summary.go counts.
//
// # Method
//
// A node hands out what it knows at a distance from itself, 16 records at most. Each live node stands in the tables of others, and
// surely in those of the nodes nearest to it, whose buckets for near distances are never full. So every node that answers is asked
// for every distance at which it knows anybody: near ones find everybody, far ones, whose buckets are full, spread the crawl quickly. A
// node that is silent gets a second chance later.
//
// # Goroutines and ownership
//
// The machine belongs to the goroutine that calls Run. One goroutine per request in flight asks and hands back what came; one per
// State writes. Run and Close wait for theirs.
//
// # Errors
//
// Silence and lies of nodes are results. Errors are those of the state's file, and have hints.
//
// # Limits
//
// Nodes known (MachineConfig.MaxNodes, some 600 bytes each with records of the longest kind), requests in flight and a second (Parallel,
// Rate), requests to one node (maxAsks), requests to one address (every addressGap) and nodes asked there (maxPerAddress), values
// counted in a summary (maxValues), bytes that wait for the disk (maxPending).
package crawl
