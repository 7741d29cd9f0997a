// Package forks holds the fork schedules of networks as data, and tells of a record whether its node
// is on a network at a given time.
//
// # Layout
//
// Default has the schedules of mainnet, sepolia and hoodi; Load and Parse read others from a file of
// the form of networks.hcl. Network.Accepts judges what a record announces: "eth" by the four rules
// of EIP-2124, "eth2" by its digest, with a window of grace around a fork in which the digests on
// both sides are accepted. Network.Prepared asks for the next fork as well.
//
// # Goroutines and ownership
//
// Schedules do not change and may be used concurrently. There is no clock: the time is an argument.
//
// # Errors
//
// A file is refused with file, line and column of what is wrong in it. Reasons are all that a
// verdict may give.
//
// # Limits
//
// A file has at most 1 MiB, 256 networks and 512 forks in a layer. A filter has no chain: forks at
// blocks count as passed.
//
// # Specification
//
// EIP-2124 and EIP-6122 for execution forks. consensus-specs phase0/p2p-interface.md for "eth2",
// fulu/p2p-interface.md for "nfd", fulu/beacon-chain.md for digests that depend on the number of
// blobs (EIP-7892).
package forks
