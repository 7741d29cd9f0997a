package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
		for {
			select {
			case got := <-seen:
				if strings.HasPrefix(got, "first@") {
					continue // more of those that waited for the watch
				}
				if got != want {
					t.Errorf("the watch tells of %s, not %s", got, want)
				}
				return
			case <-timer.C:
				t.Fatalf("the watch does not tell of %s", want)
			}
		}
	}
	for version, begun := uint64(1), false; !begun; version++ { // the watch begins some time after it was asked for
		must(t, b.Put(ctx, []sdk.Entry{{Key: []byte("first"), Version: version}}))
		select {
		case got := <-seen:
			if begun = true; !strings.HasPrefix(got, "first@") {
				t.Errorf("the watch tells of %s at first", got)
			}
		case <-time.After(100 * time.Millisecond):
			if version > 100 {
				t.Fatal("the watch tells nothing")
			}
		}
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
	if _, err := a.news(ctx, p, nil, tell); err != nil || told != n {
		t.Fatalf("%d of %d changes are told, %v", told, n, err)
	}
	if again, err := a.news(ctx, p, nil, tell); err != nil || again != 0 || told != n {
		t.Errorf("%d changes are told again, %v", told-n, err)
	}
	// What fails is told later, and what was told before it is not told again.
	must(t, b.Put(ctx, []sdk.Entry{{Key: []byte("x"), Version: 1}}))
	before, left := told, true
	if _, err := a.changes(ctx, p, nil, func([]change) error { return context.Canceled }); err == nil {
		t.Error("what fails goes well")
	}
	_, err = a.news(ctx, p, nil, func(entries []sdk.Entry) {
		left = len(entries) != 1 || string(entries[0].Key) != "x"
		told++
	})
	must(t, err)
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
	exec(t, raw(t, server), "UPDATE discv5host.entries SET changed = now() + interval '300 milliseconds' WHERE key = 'then'")
	p, err := a.begin(ctx, nil)
	must(t, err)
	told := looks(t, a, p)
	if len(told) != 1 || told[0] != "then" {
		t.Errorf("it tells of %q", told)
	}
	// A clock that was set back hides nothing for long.
	p.at = p.at.Add(time.Hour)
	must(t, b.Put(ctx, []sdk.Entry{{Key: []byte("after"), Version: 1}}))
	if n, err := a.news(ctx, p, nil, nil); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	must(t, a.back(ctx, p))
	if told := looks(t, a, p); !slices.Contains(told, "after") {
		t.Errorf("with a clock that was set back it tells of %q", told)
	}
}

// looks looks for changes until there are some.
func looks(t *testing.T, s *store, p *place) (told []string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); len(told) == 0; <-tick.C {
		_, err := s.news(context.Background(), p, nil, func(entries []sdk.Entry) {
			for _, e := range entries {
				told = append(told, string(e.Key))
			}
		})
		must(t, err)
		if time.Since(begin) > 10*time.Second {
			t.Fatal("it tells of nothing")
		}
	}
	return told
}
