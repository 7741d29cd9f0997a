package sdktest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/pluginpb"
)

// Backend is the server behind a store plugin, in the hands of a test. It keeps what it acknowledged.
type Backend interface {
	Kill()         // it ends as in a crash
	Start()        // it runs again, with what it had, and answers
	Cut(bytes int) // the connections to it break when so many more bytes went there, once
	Freeze()       // it takes what it is sent and does not answer, until Thaw
	Thaw()
	Slow(time.Duration) // its answers come so much later; 0: at once
}

// recovery is how long a plugin may need to work again after its server does.
const recovery = 15 * time.Second

// StoreFaults checks what a store plugin does when the server behind it fails: the plugin stays, says so, calls end in time, nothing
// acknowledged is lost, no older version replaces a newer one, and all is well by itself when the server is back.
func StoreFaults(t *testing.T, source Source, b Backend) {
	t.Helper()
	s := &suiteRun{ctx: t.Context(), source: source}
	s.faults(goTest{t}, b)
}

// faults runs the parts.
func (s *suiteRun) faults(t T, b Backend) {
	t.Run("down at the start", func(t T) { downAtStart(s, t, b) })
	for _, part := range []struct {
		name string
		run  func(*storeTest, Backend)
	}{
		{"killed", killed},
		{"cut in a batch", cut},
		{"does not answer", frozen},
		{"slow", slow},
	} {
		t.Run(part.name, func(t T) { part.run(newStoreTest(t, s.start(t)), b) })
	}
	t.Run("watched", func(t T) {
		here := newStoreTest(t, s.start(t))
		if here.x.about.GetStore().GetWatch() && here.x.about.GetStore().GetShared() {
			watchedBeyond(here, newStoreTest(t, s.start(t)), b)
		}
	})
}

// try puts entries, with a deadline as the host has one.
func (s *storeTest) try(entries ...sdk.Entry) error {
	ctx, cancel := context.WithTimeout(s.x.ctx, answerTime)
	defer cancel()
	return s.store.Put(ctx, entries)
}

// until repeats something until it goes well, as the host does.
func (s *storeTest) until(what string, do func() error) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); ; <-tick.C {
		err := do()
		if err == nil {
			return
		}
		if time.Since(begin) > recovery {
			s.t.Fatalf("%s: not within %s: %v", what, recovery, err)
		}
	}
}

// unwell checks that the plugin says so, without a wish to be started again.
func (s *storeTest) unwell(why string) {
	s.t.Helper()
	r, err := s.x.health()
	if err != nil || r.GetStatus() != pluginpb.HealthStatus_HEALTH_STATUS_DEGRADED || r.GetMessage() == "" {
		s.t.Errorf("%s: health says %v %q, %v; it is degraded: the plugin works, its server does not", why, r.GetStatus(), r.GetMessage(), err)
	}
}

// well checks that the plugin is.
func (s *storeTest) well(why string) {
	s.t.Helper()
	s.until(why, func() error {
		r, err := s.x.health()
		if err == nil && r.GetStatus() != pluginpb.HealthStatus_HEALTH_STATUS_OK {
			err = fmt.Errorf("health says %v %q", r.GetStatus(), r.GetMessage())
		}
		return err
	})
}

func downAtStart(s *suiteRun, t T, b Backend) {
	b.Kill()
	up := false
	defer func() {
		if !up {
			b.Start()
		}
	}()
	x := newStoreTest(t, s.start(t)) // which is no failure
	if x.try(x.entry("a", "1", 1)) == nil {
		t.Errorf("a put went well, and the server is down")
	}
	if _, err := x.store.Get(x.ctx(), [][]byte{x.key("a")}); err == nil {
		t.Errorf("a get went well, and the server is down")
	}
	x.unwell("while the server is down")
	b.Start()
	up = true
	x.until("a put after the server's start", func() error { return x.try(x.entry("a", "2", 2)) })
	x.has("after the server's start", "a=2@2")
	x.well("after the server's start")
}

// kills is how often the server is killed while it writes.
const kills = 3

// killed kills the server while batches are put. The value of an entry is its version.
func killed(s *storeTest, b Backend) {
	const keys = 40
	batch := func(version uint64) (entries []sdk.Entry) {
		for i := range keys {
			entries = append(entries, s.entry(fmt.Sprintf("%02d", i), strconv.FormatUint(version, 10), version))
		}
		return entries
	}
	// The gate is held during a put: what comes after a kill must not cover up what it lost. It guards both versions.
	var gate sync.Mutex
	var tried, acknowledged uint64
	stop, done := make(chan struct{}), make(chan struct{})
	progress := make(chan uint64, 1)
	go func() {
		defer close(done)
		for version := uint64(1); ; version++ {
			select {
			case <-stop:
				return
			default:
			}
			gate.Lock()
			tried = version
			err := s.try(batch(version)...)
			if err == nil {
				acknowledged = version
			}
			gate.Unlock()
			if err != nil {
				continue // a newer one takes its place
			}
			select {
			case progress <- version:
			default:
			}
		}
	}()
	wait := func(n int) {
		timer := time.NewTimer(recovery)
		defer timer.Stop()
		for range n {
			select {
			case <-progress:
			case <-timer.C:
				s.t.Fatalf("no put goes well within %s", recovery)
			}
		}
	}
	lost := func() {
		gate.Lock()
		defer gate.Unlock()
		b.Start()
		var found []sdk.Entry
		s.until("a scan after the server's start", func() (err error) {
			found, err = s.store.Scan(s.ctx(), s.key(""), nil, sdk.MaxEntries)
			return err
		})
		if len(found) != keys {
			s.t.Errorf("%d of %d entries are there after the server was killed", len(found), keys)
		}
		for _, e := range found {
			if e.Version < acknowledged || string(e.Value) != strconv.FormatUint(e.Version, 10) {
				s.t.Errorf("after the server was killed an entry is %s, and version %d was acknowledged", s.text([]sdk.Entry{e}), acknowledged)
			}
		}
	}
	for range kills {
		wait(5)
		b.Kill()
		lost()
	}
	wait(5)
	close(stop)
	<-done
	s.until("an older version", func() error { return s.try(batch(acknowledged - 1)...) })
	for _, e := range s.scan("", "", sdk.MaxEntries) {
		if e.Version < acknowledged || e.Version > tried {
			s.t.Errorf("in the end an entry is %s, and %d of %d versions were acknowledged", s.text([]sdk.Entry{e}), acknowledged, tried)
		}
	}
	s.well("in the end")
}

// cut breaks the connection at many places of a batch, which is then repeated.
func cut(s *storeTest, b Backend) {
	const keys = 100
	for round, after := range []int{0, 1, 17, 200, 1000, 3000, 5000, 8000, 12_000, 20_000} {
		version := uint64(round + 1)
		want := ""
		var entries []sdk.Entry
		for i := range keys {
			e := s.entry(fmt.Sprintf("%03d", i), fmt.Sprintf("%0100d", version), version)
			entries = append(entries, e)
		}
		want = s.text(entries)
		b.Cut(after)
		s.until("a put after its connection was cut", func() error { return s.try(entries...) })
		s.until("a scan after the connection was cut", func() error {
			found, err := s.store.Scan(s.ctx(), s.key(""), nil, sdk.MaxEntries)
			if err == nil && s.text(found) != want {
				s.t.Errorf("a batch that was cut after %d bytes and repeated is not whole", after)
			}
			return err
		})
	}
	b.Cut(-1)
	s.well("in the end")
}

// frozen lets calls run into their deadlines.
func frozen(s *storeTest, b Backend) {
	s.put(s.entry("a", "1", 1))
	b.Freeze()
	thawed := false
	defer func() {
		if !thawed {
			b.Thaw()
		}
	}()
	const deadline, late = 500 * time.Millisecond, 2 * time.Second
	for name, call := range map[string]func(context.Context) error{
		"Put":    func(ctx context.Context) error { return s.store.Put(ctx, []sdk.Entry{s.entry("a", "2", 2)}) },
		"Get":    func(ctx context.Context) error { _, err := s.store.Get(ctx, [][]byte{s.key("a")}); return err },
		"Scan":   func(ctx context.Context) error { _, err := s.store.Scan(ctx, s.key(""), nil, 10); return err },
		"Delete": func(ctx context.Context) error { return s.store.Delete(ctx, []sdk.Entry{s.entry("b", "", 1)}) },
	} {
		ctx, cancel := context.WithTimeout(s.x.ctx, deadline)
		begin := time.Now()
		err := call(ctx)
		cancel()
		if took := time.Since(begin); err == nil || took > deadline+late {
			s.t.Errorf("%s with a deadline of %s ended after %s: %v", name, deadline, took.Round(time.Millisecond), err)
		}
	}
	s.unwell("while the server does not answer")
	b.Thaw()
	thawed = true
	s.until("a put after all", func() error { return s.try(s.entry("a", "3", 3)) })
	s.has("after all", "a=3@3")
	s.well("after all")
}

// slow waits for a server that needs its time, but not too much.
func slow(s *storeTest, b Backend) {
	b.Slow(200 * time.Millisecond)
	defer b.Slow(0)
	s.put(s.entry("a", "1", 1), s.entry("b", "1", 1))
	s.put(s.entry("a", "2", 2))
	s.delete(s.entry("b", "", 1))
	s.has("with a slow server", "a=2@2")
	s.well("with a slow server")
}

// watchedBeyond looks whether a watch tells of changes again after the server was killed.
func watchedBeyond(here, other *storeTest, b Backend) {
	other.prefix = here.prefix
	ctx, cancel := context.WithTimeout(here.x.ctx, 4*recovery)
	seen := make(chan uint64, 1024)
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil { // the host watches again when a watch has ended
			_ = here.store.Watch(ctx, here.key(""), func(entries []sdk.Entry) { // what it missed comes again
				for _, e := range entries {
					select {
					case seen <- e.Version:
					default:
					}
				}
			})
			<-tick.C
		}
	})
	defer watching.Wait()
	defer cancel()
	version := uint64(0)
	told := func(why string) {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		first := version
		for begin := time.Now(); ; <-tick.C {
			version++
			_ = other.try(other.entry("a", "x", version)) // until it goes well
			select {
			case v := <-seen:
				if v > first {
					return
				}
			default:
			}
			if time.Since(begin) > recovery {
				here.t.Fatalf("%s: the watch tells nothing for %s", why, recovery)
			}
		}
	}
	told("at first")
	b.Kill()
	b.Start()
	told("after the server was killed")
	b.Cut(0)
	told("after the connection was cut")
	b.Cut(-1)
}
