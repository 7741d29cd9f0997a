package core

import (
	"bytes"
	"context"
	"sync"
	"testing"
)

// inFlight is how many requests a benchmark keeps under way.
const inFlight = 64

// BenchmarkTalk serves echo over loopback, 64 requests at a time: with a goroutine per request on both sides; with answers
// and calls that hold none; and with those in batches, as they come from another process.
func BenchmarkTalk(b *testing.B) {
	nodes := func(b *testing.B) (client, server *Node) {
		limits := func(c *Config) { c.Talk.PerPeer = 1024 }
		client, server = listen(b, limits), listen(b, limits)
		if _, err := client.Ping(b.Context(), server.Self()); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		return client, server
	}
	payload := make([]byte, 64)
	b.Run("goroutines", func(b *testing.B) {
		client, server := nodes(b)
		if _, err := server.Handle("p", TalkFunc(echo)); err != nil {
			b.Fatal(err)
		}
		var callers sync.WaitGroup
		work := make(chan bool)
		for range inFlight {
			callers.Go(func() {
				for range work {
					if _, err := client.Talk(context.Background(), server.Self(), "p", payload); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for b.Loop() {
			work <- true
		}
		close(work)
		callers.Wait()
	})
	async := func(b *testing.B, server *Node, client *Node, batch int) {
		places := make(chan bool, inFlight)
		calls := make([]TalkCall, 0, batch)
		done := func(_ []byte, err error) {
			if err != nil {
				b.Error(err)
			}
			<-places
		}
		send := func() {
			if err := client.TalkAsync(calls...); err != nil {
				b.Error(err)
			}
			calls = calls[:0]
		}
		for b.Loop() {
			places <- true
			calls = append(calls, TalkCall{Node: server.Self(), Protocol: "p", Payload: payload, Done: done})
			if len(calls) == batch {
				send()
			}
		}
		send()
		for range inFlight {
			places <- true
		}
	}
	b.Run("async", func(b *testing.B) {
		client, server := nodes(b)
		if _, err := server.HandleAsync("p", asyncFunc(func(r TalkRequest, _ *PendingTalk) ([]byte, bool) { return r.Payload, true })); err != nil {
			b.Fatal(err)
		}
		async(b, server, client, 1)
	})
	b.Run("batches", func(b *testing.B) {
		client, server := nodes(b)
		queue := make(chan TalkAnswer, 1024)
		if _, err := server.HandleAsync("p", asyncFunc(func(r TalkRequest, p *PendingTalk) ([]byte, bool) {
			queue <- TalkAnswer{p, bytes.Clone(r.Payload)}
			return nil, false
		})); err != nil {
			b.Fatal(err)
		}
		var answering sync.WaitGroup
		answering.Go(func() {
			var batch []TalkAnswer
			for a := range queue {
				batch = append(batch[:0], a)
				for len(queue) > 0 && len(batch) < inFlight {
					batch = append(batch, <-queue)
				}
				server.AnswerTalk(batch...)
			}
		})
		async(b, server, client, 16)
		server.Close()
		close(queue)
		answering.Wait()
	})
}
