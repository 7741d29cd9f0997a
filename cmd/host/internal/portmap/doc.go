// Package portmap asks the router in front of the host to let discovery traffic in, over UPnP or NAT-PMP.
//
// # Layout
//
// Start runs a Mapper: it maps the UDP port, refreshes the mapping at half its life, follows the router's external address
// and tells both through a callback. Close deletes the mapping. The protocols are go-ethereum's p2p/nat.
//
// # Goroutines and ownership
//
// One goroutine per Mapper owns the mapping and makes every call to the router and to the callback. Close waits for it, but
// no longer than closeTimeout: calls to a router cannot be cancelled. A goroutine that outlives Close calls the callback
// no more, and ends when its last call to the router returns.
//
// # Errors
//
// A router that is absent, refuses or goes away is logged and tried again; the host runs on without a mapping.
//
// # Limits
//
// One mapping, 10 minutes long; a failed attempt is repeated after 30 seconds, the pause doubling up to 5 minutes.
package portmap
