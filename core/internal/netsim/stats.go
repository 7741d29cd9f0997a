package netsim

// Stats counts datagrams since the network was made. Sent and Duplicated together are the sum of all
// the verdicts and InFlight.
type Stats struct {
	Sent       uint64 // by sockets
	Bytes      uint64 // payload of those
	Duplicated uint64 // copies that the network made
	InFlight   int    // under way now

	Delivered, Lost, Partitioned, Filtered, Overflow, Down, NoRoute uint64
}

// Stats are the counts so far. While a datagram is being sent it may be counted as sent only.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return Stats{
		Sent:        n.sent,
		Bytes:       n.bytes,
		Duplicated:  n.doubled,
		InFlight:    len(n.flight),
		Delivered:   n.counts[Delivered],
		Lost:        n.counts[Lost],
		Partitioned: n.counts[Partitioned],
		Filtered:    n.counts[Filtered],
		Overflow:    n.counts[Overflow],
		Down:        n.counts[Down],
		NoRoute:     n.counts[NoRoute],
	}
}
