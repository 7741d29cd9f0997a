package sdk

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
)

func echoPlugin() *TalkPlugin {
	return &TalkPlugin{
		Info:      Info{Name: "echo", Version: "1.0.0"},
		Protocols: []string{"echo"},
		Handler:   TalkFunc(func(_ context.Context, r *TalkRequest) ([]byte, error) { return r.Payload, nil }),
	}
}

func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTalk is requests of 32 bytes over a unix socket, host and plugin in this process: cpu-ns/op is what both cost together.
func BenchmarkTalk(b *testing.B) {
	for _, inFlight := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			s := serve(b, echoPlugin())
			s.configure(b, &pluginpb.ConfigureRequest{Name: "echo"})
			stream, err := pluginpb.NewTalkClient(s.conn).Serve(s.ctx)
			if err != nil {
				b.Fatal(err)
			}
			n, record := testNode(b, 1)
			id := n.ID()
			batch := &pluginpb.TalkRequests{Peers: []*pluginpb.TalkPeer{{Number: 3, NodeId: id[:], Ip: []byte{192, 0, 2, 1}, Port: 9000, Record: record}}}
			payload := make([]byte, 32)
			next := uint64(0)
			fill := func(n int) {
				for range n {
					next++
					batch.Requests = append(batch.Requests, &pluginpb.TalkRequest{Id: next, Peer: 3, Payload: payload, TimeoutUs: 300_000})
				}
			}
			fill(min(inFlight, b.N))
			if err := stream.Send(batch); err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuTime(b)
			messages := 0
			for done := 0; done < b.N; {
				m, err := stream.Recv()
				if err != nil {
					b.Fatal(err)
				}
				messages++
				done += len(m.Responses)
				batch.Peers, batch.Requests = nil, batch.Requests[:0]
				if fill(min(len(m.Responses), b.N-int(next))); len(batch.Requests) > 0 {
					if err := stream.Send(batch); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(b.N)/float64(messages), "responses/msg")
		})
	}
}
