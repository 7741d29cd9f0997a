package admin

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/plugins"
)

// readerConn is a reader's end: it counts what it takes, or takes nothing until its deadline.
type readerConn struct {
	header   http.Header
	deadline time.Time
	stalled  atomic.Bool
	events   atomic.Int64
	beats    atomic.Int64
	last     atomic.Value // what was written last, a string
}

func newReaderConn() *readerConn { return &readerConn{header: make(http.Header)} }

func (c *readerConn) Header() http.Header                { return c.header }
func (c *readerConn) WriteHeader(int)                    {}
func (c *readerConn) Flush()                             {}
func (c *readerConn) SetWriteDeadline(t time.Time) error { c.deadline = t; return nil }

func (c *readerConn) Write(p []byte) (int, error) {
	if c.stalled.Load() {
		time.Sleep(time.Until(c.deadline))
		return 0, os.ErrDeadlineExceeded
	}
	c.events.Add(int64(bytes.Count(p, []byte("data: "))))
	if bytes.HasPrefix(p, []byte("id: ")) {
		c.beats.Add(1)
	}
	c.last.Store(string(p))
	return len(p), nil
}

// heap is how many bytes are in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools kept too
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// 200 readers, 20 of which take nothing: those are dropped and counted, all others get every event, nobody who publishes waits, and what
// the readers keep is small, however much they were sent.
func TestManyReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const readers, stalled = 200, 20
		s := newServer(Config{})
		publish := func(count int) {
			t.Helper()
			begin := time.Now()
			for range count {
				s.cfg.Feed.Plugin(plugins.Event{ID: "talk.echo", Reason: strings.Repeat("<", 1024), At: begin})
			}
			if took := time.Since(begin); took != 0 {
				t.Errorf("who publishes waited for %v", took)
			}
		}
		publish(ringSize)
		var all sync.WaitGroup
		ctx, leave := context.WithCancel(t.Context())
		var conns []*readerConn
		before := heap()
		for range readers {
			c := newReaderConn()
			conns = append(conns, c)
			all.Go(func() {
				s.streamEvents(c, httptest.NewRequest(http.MethodGet, eventsPath+"?after="+Oldest, nil).WithContext(ctx))
			})
		}
		synctest.Wait() // all have read what there was
		for i := range stalled {
			conns[i].stalled.Store(true)
		}
		const more = ringSize / 2
		for range 4 {
			publish(more)
			time.Sleep(readerPause)
			synctest.Wait()
		}
		if used := int64(heap()) - int64(before); used > 16<<20 {
			t.Errorf("%d readers keep %d bytes", readers, used)
		}
		time.Sleep(readerTimeout)
		synctest.Wait()
		if st := s.counters(); st.EventReaders != readers-stalled || st.ReadersDropped != stalled {
			t.Errorf("%+v", st)
		}
		for i, c := range conns[stalled:] {
			if n := c.events.Load(); n != ringSize+4*more {
				t.Errorf("reader %d has %d of %d events", i, n, ringSize+4*more)
			}
		}
		leave()
		all.Wait()
		if st := s.counters(); st.EventReaders != 0 || st.ReadersDropped != stalled {
			t.Errorf("at the end: %+v", st)
		}
	})
}

// A reader of rare events hears where it is, also when others happen all the time: it comes back there without a gap.
func TestPlaceOfFilteredReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(Config{})
		ctx, leave := context.WithCancel(t.Context())
		c, over := newReaderConn(), make(chan bool)
		go func() {
			s.streamEvents(c, httptest.NewRequest(http.MethodGet, eventsPath+"?types="+ConfigReloaded, nil).WithContext(ctx))
			close(over)
		}()
		for busy := time.Now(); time.Since(busy) < 4*beatPause; time.Sleep(readerPause / 2) {
			s.cfg.Feed.Plugin(plugins.Event{ID: "talk.echo"})
		}
		synctest.Wait()
		if n := c.beats.Load(); n < 3 {
			t.Errorf("%d beats in %v", n, 4*beatPause)
		}
		time.Sleep(2 * beatPause) // quiet
		synctest.Wait()
		place := fmt.Sprintf("id: %s\n\n", s.cfg.Feed.id(s.cfg.Feed.last()))
		if c.last.Load() != place || c.events.Load() != 0 {
			t.Errorf("it is at %q after %d events, want %q", c.last.Load(), c.events.Load(), place)
		}
		leave()
		<-over
	})
}
