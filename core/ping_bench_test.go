package core

import (
	"context"
	"sync"
	"testing"
)

// BenchmarkPing exchanges PINGs over loopback, 64 at a time, both nodes in this process.
func BenchmarkPing(b *testing.B) {
	client, server := listen(b), listen(b)
	to := server.Self()
	if _, err := client.Ping(b.Context(), to); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var callers sync.WaitGroup
	work := make(chan bool)
	for range inFlight {
		callers.Go(func() {
			for range work {
				if _, err := client.Ping(context.Background(), to); err != nil {
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
}
