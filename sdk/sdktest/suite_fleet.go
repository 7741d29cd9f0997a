package sdktest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/discv5/host/sdk"
)

// reopen looks at what the next incarnation has.
func (s *suiteRun) reopen(t T) {
	dir, err := os.MkdirTemp("", "sdktest-data")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	x := s.startIn(t, dir)
	first := newStoreTest(t, x)
	expiring := first.entry("later", "x", 5)
	expiring.Expires = time.Now().Add(time.Hour)
	first.put(first.entry("a", "5", 5), first.entry("gone", "1", 1), expiring)
	first.delete(first.entry("gone", "", 1))
	durable := s.about.GetStore().GetDurable()
	if durable && x.process != nil {
		_ = x.process.cmd.Process.Kill() // what was acknowledged is on the disk
		if err := x.waitEnd(drainTime); err != nil {
			t.Fatalf("after SIGKILL: %v", err)
		}
	}
	x.close()
	second := newStoreTest(t, s.startIn(t, dir))
	second.prefix = first.prefix
	if durable {
		second.has("a durable store after its process was killed", "a=5@5 later=x@5")
		second.put(second.entry("a", "4", 4))
		second.has("versions survive too", "a=5@5 later=x@5")
	} else {
		second.put(second.entry("a", "6", 6))
		if found := second.scan("a", "", 1); second.text(found) != "a=6@6" {
			t.Errorf("after a restart a new entry is %q", second.text(found))
		}
	}
}

// watch looks at what the changes of one incarnation tell another, if the store says that it can watch.
func (s *suiteRun) watch(t T) {
	if !s.about.GetStore().GetWatch() || !s.about.GetStore().GetShared() {
		return // a watch tells of what other hosts change
	}
	dir, err := os.MkdirTemp("", "sdktest-data")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	here := newStoreTest(t, s.startIn(t, dir))
	other := newStoreTest(t, s.startIn(t, dir))
	other.prefix = here.prefix
	ctx, cancel := context.WithTimeout(here.x.ctx, answerTime)
	defer cancel()
	seen := make(chan string, 256)
	ended := make(chan error, 1)
	go func() {
		ended <- here.store.Watch(ctx, here.key("node/"), func(entries []sdk.Entry) {
			for _, e := range entries {
				select {
				case seen <- here.text([]sdk.Entry{e}):
				default: // more than anybody waits for
				}
			}
		})
	}()
	// The watch begins some time after it was asked for, so the change is repeated until it is seen.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for version := uint64(1); ; version++ {
		other.put(other.entry("elsewhere", "x", version), other.entry("node/a", "x", version))
		select {
		case got := <-seen:
			if !strings.HasPrefix(got, "node/a=x@") {
				t.Errorf("a watch of node/ tells of %q", got)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("the watch ended with %v", err)
			}
			return
		case err := <-ended:
			t.Fatalf("the watch told nothing and ended: %v", err)
		case <-tick.C:
		}
	}
}

// shared lets two incarnations write the same keys at the same time, if the store says that it can be shared.
func (s *suiteRun) shared(t T) {
	if !s.about.GetStore().GetShared() {
		return
	}
	dir, err := os.MkdirTemp("", "sdktest-data")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	first, second := newStoreTest(t, s.startIn(t, dir)), newStoreTest(t, s.startIn(t, dir))
	second.prefix = first.prefix
	const keys, rounds = 20, 50
	var all sync.WaitGroup
	failed := make(chan error, 2)
	for odd, x := range []*storeTest{first, second} {
		ctx := x.ctx()
		all.Go(func() {
			for round := range rounds {
				var entries []sdk.Entry
				for i := range keys { // one in this order, the other in that
					at := i
					if odd == 1 {
						at = keys - 1 - i
					}
					version := uint64(2*((round*7)%rounds) + odd)
					entries = append(entries, x.entry(fmt.Sprintf("%02d", at), fmt.Sprint(version), version))
				}
				if err := x.store.Put(ctx, entries); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		t.Errorf("%v", err)
	}
	var want []string
	for i := range keys {
		want = append(want, fmt.Sprintf("%02d=%d@%d", i, 2*rounds-1, 2*rounds-1))
	}
	for _, x := range []*storeTest{first, second} {
		x.has("the newest of two writers", strings.Join(want, " "))
	}
	first.delete(first.entry("00", "", 2*rounds))
	if found := second.scan("00", "", 1); len(found) != 0 {
		t.Errorf("what one removed the other still has: %q", second.text(found))
	}
}
