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
	must(t, a.check(ctx))
	p, err := a.begin(ctx, nil)
	must(t, err)
	const n = watchPage + 500
	for i := 0; i < n; i += 1000 {
		var entries []sdk.Entry
		for j := i; j < min(i+1000, n); j++ {
			entries = append(entries, sdk.Entry{Key: fmt.Appendf(nil, "%05d", j), Version: 1})
		}
		must(t, b.Put(ctx, entries))
	}
	told := 0
	tell := func(entries []sdk.Entry) {
		if told += len(entries); len(entries) > watchChunk {
			t.Errorf("%d changes are told at once", len(entries))
		}
	}
	if err := a.news(ctx, p, nil, tell); err != nil || told != n {
		t.Fatalf("%d of %d changes are told, %v", told, n, err)
	}
	if err := a.news(ctx, p, nil, tell); err != nil || told != n {
		t.Errorf("%d changes are told again, %v", told-n, err)
	}
	// What fails is told later, and what was told before it is not told again.
	must(t, b.Put(ctx, []sdk.Entry{{Key: []byte("x"), Version: 1}}))
	before, left := told, true
	if err := a.changes(ctx, p, nil, func([]change) error { return context.Canceled }); err == nil {
		t.Error("what fails goes well")
	}
	must(t, a.news(ctx, p, nil, func(entries []sdk.Entry) {
		left = len(entries) != 1 || string(entries[0].Key) != "x"
		told++
	}))
	if left || told != before+1 {
		t.Errorf("after a failure %d batches are told", told-before)
	}
}

// A watch tells what was stored while it began.
func TestWatchTellsFromItsBeginningOn(t *testing.T) {
	server := servers.Postgres(t)
	a, b := opened(t, server), opened(t, server)
	b.self = "another"
	ctx := context.Background()
	must(t, b.Put(ctx, []sdk.Entry{{Key: []byte("before"), Version: 1}, {Key: []byte("then"), Version: 1}}))
	must(t, a.check(ctx))
	exec(t, raw(t, server), "UPDATE discv5host.entries SET changed = now() + interval '1 second' WHERE key = 'then'")
	p, err := a.begin(ctx, nil)
	must(t, err)
	var told []string
	must(t, a.news(ctx, p, nil, func(entries []sdk.Entry) {
		for _, e := range entries {
			told = append(told, string(e.Key))
		}
	}))
	if len(told) != 1 || told[0] != "then" {
		t.Errorf("it tells of %q", told)
	}
}
