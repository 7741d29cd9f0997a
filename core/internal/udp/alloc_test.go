package udp_test

import (
	"net/netip"
	"testing"

	"github.com/discv5/host/core/internal/udp"
)

func TestNothingIsAllocatedPerDatagram(t *testing.T) {
	onLoopbacks(t, func(t *testing.T, at netip.AddrPort) {
		c, peer := udp.NewConn(listen(t, at)), udp.NewConn(listen(t, at))
		w := udp.NewWriter(c)
		var batch udp.ReadBatch
		to := []netip.AddrPort{c.LocalAddr(), c.LocalAddr(), peer.LocalAddr()}
		round := func() {
			for i := range 24 {
				b := w.Buffer()
				w.Queue(to[i%len(to)], b[:100+i%2])
			}
			if _, dropped, err := w.Flush(); dropped != 0 {
				t.Fatal(err)
			}
			for _, end := range []struct {
				conn *udp.Conn
				want int
			}{{c, 16}, {peer, 8}} {
				for got := 0; got < end.want; {
					n, err := end.conn.Read(&batch)
					if err != nil {
						t.Fatal(err)
					}
					for i := range n {
						batch.At(i)
					}
					got += n
				}
			}
		}
		for range 10 {
			round() // grow everything
		}
		if n := testing.AllocsPerRun(50, round); n != 0 {
			t.Errorf("%v allocations in 24 datagrams", n)
		}
	})
}
