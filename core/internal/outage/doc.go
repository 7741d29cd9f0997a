// Package outage tells our own loss of network from the silence of single peers.
//
// A node that does not answer loses its place in the table. When our own uplink is down nobody answers, and
// the table would empty itself within minutes; so the timeouts of such a time count against no one, and the
// nodes concerned are asked again when traffic returns.
//
// # Goroutines and ownership
//
// A Detector starts no goroutine and takes no lock; it belongs to the goroutine that sends and receives.
//
// # Limits
//
// A Detector remembers the last MinAsked different nodes it was told about and at most MaxHeld nodes to ask
// again. Asked, Answered and ValidPacket allocate nothing and take constant time.
package outage
