// Package devnet is a discovery network inside one process, to try things out and to measure: plain nodes on 127.0.0.1, a UDP
// port each, that all join through the first one and live until they are closed.
//
// # Layout
//
// network.go starts and closes the nodes; introduce.go makes those of a huge network known to each other. Show (show.go) adds a host
// with plugins, watches it come to know the network, asks the network the three questions that discovery is about, and tells what the
// plugins have done (work.go); display.go draws that on a terminal, or prints lines.
//
// # Goroutines and ownership
//
// Those of the nodes ([core.Node]); Close ends them all. Start waits for those that introduce nodes to each other. Show runs on the goroutine of its caller.
//
// # Limits
//
// MaxNodes nodes. A plain node has one crypto worker and few sessions, and in a network of more than 100 the smallest table, so
// that hundreds fit on a small machine: 300 take less than 300 MB. Beyond 500
// nodes they do not search and check each other, which would take more than a small machine has: 2,000 take 2.3 GB and two minutes.
package devnet
