package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/plugins"
)

// reading is a host events that runs.
type reading struct {
	t      *testing.T
	lines  *bufio.Scanner
	notes  *bufio.Scanner
	cancel context.CancelFunc
	ended  chan error
}

func readEvents(t *testing.T, args ...string) *reading {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, toOut := io.Pipe()
	notes, toNotes := io.Pipe()
	r := &reading{t: t, lines: bufio.NewScanner(out), notes: bufio.NewScanner(notes), cancel: cancel, ended: make(chan error, 1)}
	root := newRoot()
	root.SetArgs(append([]string{"events"}, args...))
	root.SetOut(toOut)
	root.SetErr(toNotes)
	go func() {
		r.ended <- root.ExecuteContext(ctx)
		toOut.Close()
		toNotes.Close()
	}()
	t.Cleanup(func() {
		cancel()
		out.Close()
		notes.Close()
		select {
		case err := <-r.ended:
			if err != nil {
				t.Errorf("host events, interrupted: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("host events does not end")
		}
	})
	return r
}

func (r *reading) line() string {
	r.t.Helper()
	if !r.lines.Scan() {
		r.t.Fatalf("host events ended: %v", r.lines.Err())
	}
	return r.lines.Text()
}

func change(n int) plugins.Event {
	return plugins.Event{ID: "talk.echo", From: plugins.Running, To: plugins.Crashed, Reason: fmt.Sprint("no. ", n), At: time.Now()}
}

// Events are lines; after a restart of the host they go on, and a line tells of the gap.
func TestEventsGoOnAfterARestart(t *testing.T) {
	r := newRig(t, nil)
	r.feed.Plugin(change(1))
	r.feed.Plugin(change(2))
	first := eventIDs(t, r)[0]
	e := readEvents(t, "--data-dir", r.dir, "--after", first, "--types", "plugin_state,config_reloaded")
	if got := e.line(); !strings.Contains(got, "  plugin_state          talk.echo  running to crashed  no. 2") {
		t.Errorf("%q", got)
	}
	r.feed.Reloaded(admin.ReloadResult{Changed: []string{"bans"}})
	if got := e.line(); !strings.HasSuffix(got, "  config_reloaded       changed  changed bans") {
		t.Errorf("%q", got)
	}
	if err := r.server.Close(); err != nil {
		t.Fatal(err)
	}
	if !e.notes.Scan() || !strings.Contains(e.notes.Text(), "the connection is lost") {
		t.Errorf("%q", e.notes.Text())
	}
	feed := admin.NewFeed()
	feed.Plugin(change(3)) // by the next host, whose ids are its own
	again, err := admin.Listen(admin.Config{Node: r.node, Plugins: r.plugins, Feed: feed, Socket: r.server.Socket()})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := e.line(); !strings.Contains(got, "events_lost") || !strings.Contains(got, "another run") {
		t.Errorf("%q", got)
	}
	if got := e.line(); !strings.Contains(got, "no. 3") {
		t.Errorf("%q", got)
	}
}

// A reader that has seen no event says where it was when it comes back, so that the host can tell it of a gap.
func TestEventsGoOnBeforeTheFirstOne(t *testing.T) {
	came := make(chan string, 2)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- r.Header.Get("Last-Event-ID")
		_, _ = io.WriteString(w, "retry: 2000\nid: run-7\n\n")
	}))
	defer web.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := readEvents(t, "--socket", web.URL, "--token-file", token, "--types", "banned")
	if first := <-came; first != "" {
		t.Errorf("it begins behind %q", first)
	}
	if !e.notes.Scan() || !strings.Contains(e.notes.Text(), "the connection is lost") {
		t.Errorf("%q", e.notes.Text())
	}
	if second := <-came; second != "run-7" {
		t.Errorf("it comes back to %q", second)
	}
	go func() { // the stream ends again and again
		for e.notes.Scan() {
		}
	}()
}

// eventIDs reads the ids of the two events that there are.
func eventIDs(t *testing.T, r *rig) (ids []string) {
	t.Helper()
	client, err := admin.Dial(r.server.Socket(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Events(t.Context(), "another-1", nil, func(id string, e admin.Event) error {
		if e.Type == admin.PluginState {
			ids = append(ids, id)
		}
		if len(ids) == 2 {
			return io.EOF
		}
		return nil
	})
	if err != io.EOF {
		t.Fatal(err)
	}
	return ids
}

func TestEventsAsJSON(t *testing.T) {
	r := newRig(t, nil)
	r.feed.Plugin(change(1))
	e := readEvents(t, "--data-dir", r.dir, "--json", "--after", "another-1")
	for _, want := range []string{admin.EventsLost, admin.PluginState} {
		var event admin.Event
		if err := json.Unmarshal([]byte(e.line()), &event); err != nil || event.Type != want || event.ID == "" {
			t.Errorf("%+v %v, want %s", event, err, want)
		}
	}
}

// What cannot be read from the start is an error; only what was there is waited for.
func TestEventsMistakes(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--data-dir", r.dir, "--types", "node_aded"}, exitUsage, `there is no event type "node_aded"`},
		{[]string{"--data-dir", r.dir, "--after", "x"}, exitUsage, "is not the id of an event"},
		{[]string{"--data-dir", t.TempDir()}, exitFailure, "hint: is a host running there?"},
	} {
		if _, stderr, status := host(append([]string{"events"}, c.args...)...); status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("host events %q: %d %s", c.args, status, stderr)
		}
	}
}

// Events in words.
func TestEventLines(t *testing.T) {
	id := "0x" + strings.Repeat("ab", 32)
	for _, c := range []struct {
		event admin.Event
		want  string
	}{
		{admin.Event{Type: admin.EventsLost, Lost: 3}, "3 events missing"},
		{admin.Event{Type: "node_added", NodeID: id, Lost: 1}, "(1 event missing before this one)  " + peopleID(id)},
		{admin.Event{Type: "banned", Prefix: netip.MustParsePrefix("192.0.2.1/32"), Detail: "why"}, "192.0.2.1  why"},
		{admin.Event{Type: "unbanned", Prefix: netip.MustParsePrefix("192.0.2.0/24")}, "192.0.2.0/24"},
		{admin.Event{Type: "banned", Detail: "evil\x1b[2J"}, `evil\x1b[2J`},
	} {
		var out bytes.Buffer
		cmd := newEvents()
		cmd.SetOut(&out)
		if err := (&remote{cmd: cmd}).event(c.event); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(out.String(), "  "+c.want+"\n") {
			t.Errorf("%q, want %q at its end", out.String(), c.want)
		}
	}
}
