//go:build unix

package sdk

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
)

func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTalk is requests of 32 bytes over a unix socket, host and plugin in this process. cpu-ns/op is what both cost together.
func BenchmarkTalk(b *testing.B) {
	for _, inFlight := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			s := serve(b, echoPlugin())
			s.configure(b, &pluginpb.ConfigureRequest{Name: "echo"})
			cpu := benchmarkTalk(b, s.conn, inFlight)
			b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkTalkProcess is the same with the plugin in a process of its own, its start included: give it many requests.
func BenchmarkTalkProcess(b *testing.B) {
	for _, inFlight := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			p := start(b, "plugin")
			p.configure(b)
			cpu := benchmarkTalk(b, p.conn, inFlight)
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				b.Fatal(err)
			}
			within(b, "the end of the plugin", p.ended)
			theirs := p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
			b.ReportMetric(float64(cpu+theirs)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(theirs)/float64(b.N), "plugin-cpu-ns/op")
		})
	}
}

// benchmarkTalk keeps so many requests in flight and returns what this process spent.
func benchmarkTalk(b *testing.B, conn *grpc.ClientConn, inFlight int) time.Duration {
	stream, err := pluginpb.NewTalkClient(conn).Serve(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	n, record := testNode(b, 1)
	id := n.ID()
	batch := &pluginpb.TalkRequests{Peers: []*pluginpb.TalkPeer{{Number: 3, NodeId: id[:], Ip: []byte{192, 0, 2, 1}, Port: 9000, Record: record}}}
	payload := make([]byte, 32)
	next := 0
	ask := func(n int) {
		for range n {
			next++
			batch.Requests = append(batch.Requests, &pluginpb.TalkRequest{Id: uint64(next), Peer: 3, Payload: payload, TimeoutUs: 300_000})
		}
		if err := stream.Send(batch); err != nil {
			b.Fatal(err)
		}
		batch.Peers, batch.Requests = nil, batch.Requests[:0]
	}
	runtime.GC()
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	ask(min(inFlight, b.N))
	messages := 0
	for done := 0; done < b.N; {
		m, err := stream.Recv()
		if err != nil {
			b.Fatal(err)
		}
		messages++
		done += len(m.Responses)
		if n := min(len(m.Responses), b.N-next); n > 0 {
			ask(n)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/float64(messages), "responses/msg")
	return cpuTime(b) - before
}
