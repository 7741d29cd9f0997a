// Package endpoint finds out where the rest of the network sees this host, and whether it gets through.
//
// # Layout
//
//   - family.go: Family, IPv4 or IPv6
//   - votes.go: Votes, what peers say our address is; majority.go: who wins, and the state of the count
//   - reachability.go: Reachability, whether strangers reach the advertised endpoint
//
// # Votes
//
// Every PONG to a PING of ours names the address and port the peer saw. A vote counts for Life and replaces an
// earlier one of the same node. Nodes of one IPv4 /24 or IPv6 /64 have one vote together, the newest, so that one
// machine with many identities cannot outvote the network; loopback and LAN addresses are exempt from that. IPv4
// and IPv6 are counted separately, and the address separately from the port: behind a NAT that gives every
// contact another port the address still finds its majority, and the port is unknown. A winner needs the
// threshold and must lead the next by a MarginShare of the votes; in a tie nobody wins.
//
// # Reachability
//
// A packet that authenticates, from an address we had sent nothing to, has come through without our NAT or
// firewall having been opened from inside: strangers reach us. The rules stand at Reachability.
//
// # Goroutines and ownership
//
// Votes and Reachability start no goroutine and take no lock; each belongs to one goroutine.
//
// # Limits
//
// Votes holds MaxVoters votes per family, the oldest leaves. Reachability holds MaxContacts addresses per
// family; when it must forget one too early it proves nothing until that one would have expired.
package endpoint
