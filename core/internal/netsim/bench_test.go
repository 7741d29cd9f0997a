package netsim_test

import (
	"testing"

	"github.com/discv5/host/core/internal/netsim"
)

// BenchmarkDatagram is the cost of one datagram written, delivered at once and read.
func BenchmarkDatagram(b *testing.B) {
	n := netsim.New(netsim.Config{})
	defer n.Close()
	s, r := n.Listen(addrA), n.Listen(addrB)
	data, buf := make([]byte, 300), make([]byte, 1280)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.WriteToUDPAddrPort(data, addrB); err != nil {
			b.Fatal(err)
		}
		if _, _, err := r.ReadFromUDPAddrPort(buf); err != nil {
			b.Fatal(err)
		}
	}
}
