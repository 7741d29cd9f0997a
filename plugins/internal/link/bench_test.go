//go:build unix

package link

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// dialUnix serves a plugin on a unix socket and connects to it as the host does.
func dialUnix(tb testing.TB, register func(*grpc.Server), options ...grpc.ServerOption) *grpc.ClientConn {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	options = append(options, grpc.StaticStreamWindowSize(window), grpc.StaticConnWindowSize(2*window))
	server := grpc.NewServer(options...)
	register(server)
	go server.Serve(l)
	tb.Cleanup(server.Stop)
	conn, err := grpc.NewClient("unix:"+path, append(DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return conn
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// echoServer answers every request with its payload, a whole message at a time, on the goroutine that reads.
type echoServer struct {
	pluginpb.UnimplementedTalkServer
}

func (echoServer) Serve(stream grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		out := &pluginpb.TalkResponses{Responses: make([]*pluginpb.TalkResponse, len(m.Requests))}
		for i, r := range m.Requests {
			out.Responses[i] = &pluginpb.TalkResponse{Id: r.Id, Payload: r.Payload}
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
}

// BenchmarkTalk measures a request and its response, host and plugin together in one process: bursts of requests, each sent
// when the one before it is answered.
func BenchmarkTalk(b *testing.B) {
	for _, batch := range []int{1, 16, 64} {
		for _, size := range []int{32, 1000} {
			b.Run(fmt.Sprintf("batch=%d/size=%d", batch, size), func(b *testing.B) { benchmarkTalk(b, batch, size) })
		}
	}
}

func benchmarkTalk(b *testing.B, batch, size int) {
	conn := dialUnix(b, func(s *grpc.Server) { pluginpb.RegisterTalkServer(s, echoServer{}) })
	var waiting atomic.Int32
	all := make(chan struct{}, 1)
	answer := func(answers ...core.TalkAnswer) {
		for _, a := range answers {
			if len(a.Payload) != size {
				b.Errorf("answered %d bytes", len(a.Payload))
			}
		}
		if waiting.Add(-int32(len(answers))) == 0 {
			all <- struct{}{}
		}
	}
	t, err := OpenTalk(context.Background(), conn, TalkConfig{Protocols: []string{"bench"}, Answer: answer, Deadline: 10 * time.Second, MaxPerPeer: 1024})
	if err != nil {
		b.Fatal(err)
	}
	defer t.Close()
	r := core.TalkRequest{Protocol: "bench", Payload: make([]byte, size)}
	pending := new(core.PendingTalk)
	burst := func(n int) {
		waiting.Store(int32(n))
		now := time.Now()
		for i := range n {
			r.ID, r.Addr = numberedPeer(i)
			r.Deadline = now.Add(5 * time.Second)
			if _, done := t.StartTalk(r, pending); done {
				b.Fatal("shed")
			}
		}
		<-all
	}
	burst(batch)
	before := t.Stats()
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime()
	for left := b.N; left > 0; left -= batch {
		burst(min(batch, left))
	}
	cpu = cpuTime() - cpu
	b.StopTimer()
	s := t.Stats()
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(s.Sent-before.Sent)/float64(s.Messages-before.Messages), "batch")
}

// BenchmarkFilter measures a verdict, host and plugin together in one process; the plugin looks at nothing.
func BenchmarkFilter(b *testing.B) {
	key := newKey(b)
	for _, batch := range []int{64, 256} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			conn := dialUnix(b, func(s *grpc.Server) { pluginpb.RegisterFilterServer(s, filterPlugin{decide: trivialFilter}) })
			f, err := OpenFilter(context.Background(), conn)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			nodes, out := make([]*enode.Node, batch), make([]core.Verdict, batch)
			for i := range nodes {
				nodes[i] = testNode(b, key, uint64(i))
			}
			b.ReportAllocs()
			b.ResetTimer()
			cpu := cpuTime()
			for left := b.N; left > 0; left -= batch {
				n := min(left, batch)
				if err := f.Decide(context.Background(), core.StageTable, nodes[:n], out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}
