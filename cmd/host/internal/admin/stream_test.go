package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

var errEnough = errors.New("enough")

// read reads events until there are enough.
func (r *rig) read(after string, types []string, count int) (ids []string, events []Event) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	_, err := r.client.Events(ctx, after, types, func(id string, e Event) error {
		ids, events = append(ids, id), append(events, e)
		if len(events) == count {
			return errEnough
		}
		return nil
	})
	if err != errEnough {
		r.t.Fatalf("after %d of %d events: %v", len(events), count, err)
	}
	return ids, events
}

func ban(i int) core.Ban {
	return core.Ban{ID: enode.ID{byte(i >> 8), byte(i), 1}, Reason: fmt.Sprint(i), Until: time.Now().Add(time.Hour)}
}

// awaitEvents waits until the feed has that many.
func (r *rig) awaitEvents(count uint64) {
	r.t.Helper()
	for {
		r.server.cfg.Feed.mu.Lock()
		if r.server.cfg.Feed.next > count {
			r.server.cfg.Feed.mu.Unlock()
			return
		}
		if r.server.cfg.Feed.wake == nil {
			r.server.cfg.Feed.wake = make(chan struct{})
		}
		wake := r.server.cfg.Feed.wake
		r.server.cfg.Feed.mu.Unlock()
		select {
		case <-wake:
		case <-time.After(5 * time.Second):
			r.t.Fatalf("there are not %d events", count)
		}
	}
}

// A reader knows where it is from the beginning, also when it sees no event: so it hears of a gap when it comes back.
func TestPlaceOfAReaderWithoutEvents(t *testing.T) {
	r := newRig(t, nil)
	feed := r.server.cfg.Feed
	feed.Plugin(plugins.Event{ID: "talk.echo", At: time.Now()})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://host"+eventsPath+"?types=banned", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := r.client.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	want := "retry: 2000\nid: " + feed.id(1) + "\n\n"
	first := make([]byte, len(want))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != want {
		t.Errorf("a stream begins with %q, %v, want %q", first, err, want)
	}
	for stream, want := range map[string]string{"retry: 2000\nid: a-1\n\n": "a-1", "id: a-1\n\nid: a-2\n\n": "a-2", "id: a-1\n\nid: a-2": "a-1", ":\n\n": "a-0"} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, stream) }))
		client, err := Dial(web.URL, "token")
		if err != nil {
			t.Fatal(err)
		}
		if last, err := client.Events(t.Context(), "a-0", nil, nil); last != want || err != io.EOF {
			t.Errorf("behind %q a reader is at %q, %v, want %q", stream, last, err, want)
		}
		client.Close()
		web.Close()
	}
}

// All that is kept can be asked for.
func TestOldestEvents(t *testing.T) {
	r := newRig(t, nil)
	for i := range 3 {
		r.server.cfg.Feed.Plugin(plugins.Event{ID: fmt.Sprint(i)})
	}
	if _, all := r.read(Oldest, nil, 3); all[0].Plugin != "0" || all[2].Plugin != "2" {
		t.Errorf("%+v", all)
	}
	for i := range ringSize {
		r.server.cfg.Feed.Plugin(plugins.Event{ID: fmt.Sprint(3 + i)})
	}
	if _, all := r.read(Oldest, []string{EventsLost}, 1); all[0].Type != EventsLost || all[0].Lost != 3 {
		t.Errorf("%+v", all)
	}
}

func TestEvents(t *testing.T) {
	r := newRig(t, nil)
	for i := range 5 {
		if err := r.node.Ban(ban(i)); err != nil {
			t.Fatal(err)
		}
	}
	r.awaitEvents(5)
	r.server.cfg.Feed.Plugin(plugins.Event{ID: "talk.echo", From: plugins.Running, To: plugins.Crashed, Reason: "exit status 1", At: time.Now()})
	start := r.server.cfg.Feed.id(0)

	ids, all := r.read(start, nil, 6)
	for i, e := range all[:5] {
		if want := ban(i); e.Type != "banned" || e.NodeID != hexID(want.ID) || e.Detail != want.Reason || e.Time.IsZero() {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	if e := all[5]; e.Type != PluginState || e.Plugin != "talk.echo" || e.From != "running" || e.To != "crashed" || e.Detail != "exit status 1" {
		t.Errorf("%+v", e)
	}
	if _, rest := r.read(ids[3], nil, 2); rest[0].Detail != "4" || rest[1].Type != PluginState {
		t.Errorf("behind the fourth come %+v", rest)
	}
	if _, some := r.read(start, []string{PluginState}, 1); some[0].Type != PluginState {
		t.Errorf("%+v", some)
	}
	if _, others := r.read("another-7", nil, 7); others[0].Type != EventsLost || others[0].Lost != 0 || others[1].Detail != "0" {
		t.Errorf("with an id of another run: %+v", others)
	}

	for i := range ringSize {
		r.server.cfg.Feed.Plugin(plugins.Event{ID: fmt.Sprint(i)})
	}
	ids, gap := r.read(ids[3], nil, 2)
	if gap[0].Type != EventsLost || gap[0].Lost != 2 || gap[1].Plugin != "0" {
		t.Errorf("behind a gap of 2: %+v", gap)
	}
	if _, next := r.read(ids[0], nil, 1); next[0].Plugin != "0" {
		t.Errorf("behind the event that tells of the gap: %+v", next)
	}
	if list := EventTypes(); list[1] != ConfigReloaded || list[2] != "node_added" || list[len(list)-2] != "store_changed" || list[len(list)-1] != EventsLost {
		t.Errorf("%q", list)
	}
}

// A record comes with the events about its node.
func TestEventOfNode(t *testing.T) {
	r := newRig(t, nil)
	start := r.server.cfg.Feed.id(r.server.cfg.Feed.last())
	r.mustCall("discv5_addEnr", quoted(r.peer.Self().String()))
	_, events := r.read(start, []string{"node_added"}, 1)
	if e := events[0]; e.ENR != r.peer.Self().String() || e.NodeID != hexID(r.peer.ID()) || e.Addr != r.peer.LocalAddrs()[0] {
		t.Errorf("%+v", e)
	}
}

// aloneServer has a feed and no more.
func aloneServer(patience time.Duration) *Server {
	s := newServer(Config{})
	s.readerTimeout = patience
	return s
}

func (s *Server) await(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not %s: %+v", what, s.counters())
		}
	}
}

// A reader that takes nothing is dropped and counted.
func TestStalledReader(t *testing.T) {
	s := aloneServer(100 * time.Millisecond)
	web := httptest.NewServer(http.HandlerFunc(s.streamEvents))
	defer web.Close()
	slow, err := net.Dial("tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "GET "+eventsPath+" HTTP/1.1\r\nHost: host\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	s.await(t, "reading", func() bool { return s.counters().EventReaders == 1 })
	for range ringSize - 1 { // 16 MB: more than sockets hold
		s.cfg.Feed.Plugin(plugins.Event{ID: "talk.echo", Reason: strings.Repeat("x", 8192)})
	}
	s.await(t, "dropped", func() bool { return s.counters().EventReaders == 0 })
	if got := s.counters().ReadersDropped; got != 1 {
		t.Errorf("%d readers were dropped", got)
	}
}

// slowWriter takes what is sent to it when it may.
type slowWriter struct {
	*httptest.ResponseRecorder
	may chan bool
}

func (w *slowWriter) Write(p []byte) (int, error)      { <-w.may; return w.ResponseRecorder.Write(p) }
func (w *slowWriter) SetWriteDeadline(time.Time) error { return nil }

// A reader that the ring overtakes is dropped and counted.
func TestOvertakenReader(t *testing.T) {
	s := aloneServer(time.Minute)
	w := &slowWriter{httptest.NewRecorder(), make(chan bool)}
	over := make(chan bool)
	go func() { s.streamEvents(w, httptest.NewRequest("GET", eventsPath, nil)); close(over) }()
	s.await(t, "reading", func() bool { return s.counters().EventReaders == 1 })
	for range ringSize + 1 {
		s.cfg.Feed.Plugin(plugins.Event{ID: "talk.echo"})
	}
	w.may <- true
	<-over
	if got := s.counters(); got.ReadersDropped != 1 || got.EventReaders != 0 || strings.Contains(w.Body.String(), "echo") {
		t.Errorf("%+v, it read %q", got, w.Body)
	}
}

func TestReaderLimit(t *testing.T) {
	r := newRig(t, nil)
	r.server.readers.Store(maxReaders)
	if status, text := r.raw("GET", eventsPath, ""); status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", status, text)
	}
	if _, err := r.client.Events(t.Context(), "", nil, func(string, Event) error { return nil }); err == nil || !strings.Contains(err.Error(), "read the events already") {
		t.Error(err)
	}
	if n := r.server.readers.Load(); n != maxReaders {
		t.Errorf("%d readers", n)
	}
}

func BenchmarkFeed(b *testing.B) {
	f := NewFeed()
	e := core.Event{Type: core.SessionUp, Time: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		f.publish(&entry{kind: e.Type.String(), node: e})
	}
}
