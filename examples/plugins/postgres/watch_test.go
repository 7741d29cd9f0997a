package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/discv5/host/examples/plugins/internal/servers"
	"github.com/discv5/host/sdk"
)

// Without notifications, as in CockroachDB, changes are polled for.
func TestPolling(t *testing.T) {
	server := servers.Postgres(t)
	a, b := opened(t, server), opened(t, server)
	ctx, cancel := context.WithCancel(context.Background())
	for _, s := range []*store{a, b} {
		must(t, s.check(ctx))
		s.polls = true
		s.config.Poll = 50 * time.Millisecond
	}
	b.self = "another"
	must(t, b.Put(ctx, []sdk.Entry{{Key: []byte("old"), Version: 1}}))
	seen, done := make(chan string, 100), make(chan error, 1)
	go func() {
		done <- a.Watch(ctx, nil, func(all []sdk.Entry) {
			for _, e := range all {
				seen <- fmt.Sprintf("%s@%d", e.Key, e.Version)
			}
		})
	}()
	next := func(want string) {
		t.Helper()
		timer := time.NewTimer(10 * time.Second)
		defer timer.Stop()
		select {
		case got := <-seen:
			if got != want {
				t.Errorf("the watch tells of %s, not %s", got, want)
			}
		case <-timer.C:
			t.Fatalf("the watch does not tell of %s", want)
		}
	}
	must(t, b.Put(ctx, []sdk.Entry{{Key: []byte("first"), Version: 1}}))
	select { // the watch may have begun after it
	case got := <-seen:
		if got != "first@1" {
			t.Errorf("the watch tells of %s at first", got)
		}
	case <-time.After(300 * time.Millisecond):
	}
	must(t, b.Put(ctx, []sdk.Entry{{Key: []byte("a"), Version: 1}}))
	next("a@1")
	must(t, a.Put(ctx, []sdk.Entry{{Key: []byte("own"), Version: 1}}))                                   // our own
	must(t, b.Put(ctx, []sdk.Entry{{Key: []byte("a"), Version: 1, Expires: time.Now().Add(time.Hour)}})) // lives longer, and is the same
	must(t, b.Put(ctx, []sdk.Entry{{Key: []byte("a"), Version: 2}}))
	next("a@2")
	cancel()
	must(t, <-done)
}

// More changes at once than are read at a time are all told.
func TestManyChanges(t *testing.T) {
	server := servers.Postgres(t)
	a, b := opened(t, server), opened(t, server)
	b.self = "another"
	ctx := context.Background()
	p := place{seen: make(map[string]time.Time)}
	must(t, a.check(ctx))
	must(t, a.pool.QueryRow(ctx, "SELECT now()").Scan(&p.at))
	const n = watchPage + 500
	for i := 0; i < n; i += 1000 {
		var entries []sdk.Entry
		for j := i; j < min(i+1000, n); j++ {
			entries = append(entries, sdk.Entry{Key: fmt.Appendf(nil, "%05d", j), Version: 1})
		}
		must(t, b.Put(ctx, entries))
	}
	entries, err := a.news(ctx, &p, nil)
	if err != nil || len(entries) != n {
		t.Fatalf("%d of %d changes are told, %v", len(entries), n, err)
	}
	again, err := a.news(ctx, &p, nil)
	if err != nil || len(again) != 0 {
		t.Errorf("%d changes are told again, %v", len(again), err)
	}
}
