package udp_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/core/internal/udp"
)

// echoPeers is the number of clients that a benchmarked server answers in turn.
const echoPeers = 32

// benchmarkServer measures what a server spends on reading a request of 100 bytes and sending answers,
// in ns for each request. Clients and server take turns in one goroutine, so that nothing waits or is
// woken, and only the server's turns count.
func benchmarkServer(b *testing.B, answers, size int, serve func(server *net.UDPConn) (turn func(requests int))) {
	at := netip.MustParseAddrPort("127.0.0.1:0")
	server := listen(b, at)
	server.SetReadDeadline(time.Time{})
	to := server.LocalAddr().(*net.UDPAddr).AddrPort()
	turn := serve(server)
	var clients []*udp.Conn
	var writers []*udp.Writer
	for range echoPeers {
		c := udp.NewConn(listen(b, at))
		c.SetReadDeadline(time.Time{})
		clients, writers = append(clients, c), append(writers, udp.NewWriter(c))
	}
	var batch udp.ReadBatch
	var spent time.Duration
	var requests int
	b.ReportAllocs()
	for b.Loop() {
		for _, w := range writers {
			w.Queue(to, w.Buffer()[:100])
			if sent, _, err := w.Flush(); sent != 1 {
				b.Fatal(err)
			}
		}
		start := time.Now()
		turn(echoPeers)
		spent += time.Since(start)
		requests += echoPeers
		for _, c := range clients {
			for got := 0; got < answers; {
				n, err := c.Read(&batch)
				if err != nil {
					b.Fatal(err)
				}
				got += n
			}
		}
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(requests), "server-ns/request")
}

// netCalls answers with the calls of *net.UDPConn.
func netCalls(b *testing.B, answers, size int) func(*net.UDPConn) func(int) {
	return func(server *net.UDPConn) func(int) {
		in, out := make([]byte, 1281), make([]byte, size)
		return func(requests int) {
			for range requests {
				_, from, err := server.ReadFromUDPAddrPort(in)
				if err != nil {
					b.Fatal(err)
				}
				for range answers {
					if _, err := server.WriteToUDPAddrPort(out, from); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
	}
}

// thisPackage answers with a Conn and a Writer, one flush a batch.
func thisPackage(b *testing.B, answers, size int) func(*net.UDPConn) func(int) {
	return func(server *net.UDPConn) func(int) {
		c := udp.NewConn(server)
		w := udp.NewWriter(c)
		var batch udp.ReadBatch
		return func(requests int) {
			for requests > 0 {
				n, err := c.Read(&batch)
				if err != nil {
					b.Fatal(err)
				}
				for i := range n {
					_, from, _ := batch.At(i)
					for range answers {
						w.Queue(from, w.Buffer()[:size])
					}
				}
				if _, dropped, err := w.Flush(); dropped > 0 {
					b.Fatal(err)
				}
				requests -= n
			}
		}
	}
}

// BenchmarkEcho answers each request with one datagram of its size, as PONG answers PING.
func BenchmarkEcho(b *testing.B) {
	b.Run("net.UDPConn", func(b *testing.B) { benchmarkServer(b, 1, 100, netCalls(b, 1, 100)) })
	b.Run("batched", func(b *testing.B) { benchmarkServer(b, 1, 100, thisPackage(b, 1, 100)) })
}

// BenchmarkNodes answers each request with five large datagrams of one size, as NODES answers FINDNODE.
func BenchmarkNodes(b *testing.B) {
	b.Run("net.UDPConn", func(b *testing.B) { benchmarkServer(b, 5, 1250, netCalls(b, 5, 1250)) })
	b.Run("batched", func(b *testing.B) { benchmarkServer(b, 5, 1250, thisPackage(b, 5, 1250)) })
}
