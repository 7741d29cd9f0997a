// Package netsim is a UDP network in memory, for tests of whole nodes.
//
// A Network carries datagrams between its Sockets with latency, jitter, loss, duplicates and
// reordering; it can be partitioned, hosts can be down, and hosts can stand behind a NAT. It runs in
// real time, or in a testing/synctest bubble under virtual time: everything in it that waits, waits
// on a channel, a condition variable or a timer.
//
// # Layout
//
//   - network.go: Network, its settings and how a datagram is sent
//   - deliver.go: the goroutine and the heap of datagrams under way
//   - socket.go: Socket, what a node reads and writes
//   - nat.go: NAT, hosts with private addresses
//   - event.go: Verdict, Event and Packet: what a test observes and changes
//   - stats.go: Stats
//
// # Determinism
//
// What befalls the nth datagram that a socket sends (loss, a duplicate, its delay) depends on the seed,
// on the socket's address and on n alone, so it does not change when goroutines are scheduled
// otherwise. What a program sends, in which order, and how datagrams due at the same instant
// interleave with its goroutines does depend on scheduling: two runs with one seed are alike, not
// identical, unless the program under test runs in one goroutine.
//
// # Goroutines and ownership
//
// The first Listen starts one goroutine, which delivers what is due; Close waits for it. One lock
// covers a whole Network; every method may be called from any goroutine. Taps and the hook are called
// without the lock: the hook in the sender's goroutine, with calls that may overlap; taps one at a time,
// in a sender's or in the delivering goroutine. They must not wait for either. A Network made in a
// bubble is used and closed in it.
//
// # Errors
//
// A Socket fails as a *net.UDPConn does: net.ErrClosed after Close of it or of the Network,
// os.ErrDeadlineExceeded after its read deadline. Datagrams that are lost are no errors. Mistakes of
// the test itself, such as listening twice on one address, panic.
//
// # Limits
//
//   - a Socket's receive queue holds Config.QueueLen datagrams (default 1024), the rest overflow
//   - datagrams under way: 1,048,576 (MaxInFlight), the rest overflow
//   - a datagram: 65,507 bytes
//   - a NAT: 4,096 mappings (MaxMappings) and 4,096 remote addresses in each
package netsim
