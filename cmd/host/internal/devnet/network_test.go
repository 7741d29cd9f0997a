package devnet

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/core"
)

func start(t *testing.T, count int) *Network {
	t.Helper()
	n, err := Start(t.Context(), count, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return n
}

// A network of 100 has formed in a few seconds; under the race detector, beside other tests, it may take longer.
func TestNetworkForms(t *testing.T) {
	n := start(t, 100)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for begun := time.Now(); ; {
		select {
		case <-tick.C:
			if n.MedianVerified() >= 50 {
				t.Logf("half of the nodes have verified 50 others after %v", time.Since(begun))
				return
			}
		case <-limit.C:
			t.Fatalf("after a minute half of the nodes have verified %d others", n.MedianVerified())
		}
	}
}

// Plain nodes of a large network do not keep a record and a session of everybody.
func TestLargeNetworkIsFrugal(t *testing.T) {
	n := start(t, meshNodes+1)
	waitUntil(t, func() bool { return n.MedianVerified() >= 30 })
	for i, node := range n.nodes {
		if got := node.Stats().Sessions.Sessions; got > largeSessions {
			t.Errorf("node %d has %d sessions, want at most %d", i+1, got, largeSessions)
		}
	}
}

// waitUntil asks every 100 ms, for a minute.
func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatal("not within a minute")
		}
	}
}

func TestNodesEcho(t *testing.T) {
	n := start(t, 2)
	records := n.Records()
	guest, err := n.join(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, r := range records {
		if answer, err := guest.Talk(ctx, r, EchoProtocol, []byte("hi")); err != nil || string(answer) != "hi" {
			t.Errorf("%v answers %q, %v", r.ID(), answer, err)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for _, count := range []int{-1, 0, MaxNodes + 1} {
		if n, err := Start(t.Context(), count, nil); err == nil {
			t.Errorf("a network of %d nodes has %d", count, len(n.nodes))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, 3, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a start that was cancelled: %v", err)
	}
}

func TestProgress(t *testing.T) {
	for _, tt := range []struct {
		p      progress
		formed bool
	}{
		{progress{others: 1, known: 1, verified: 1}, true},
		{progress{others: 1}, false},
		{progress{others: 30, known: 30, verified: 27, median: 27}, true},
		{progress{others: 30, known: 30, verified: 26, median: 30}, false},
		{progress{others: 30, known: 30, verified: 30, median: 26}, false},
		{progress{others: 1000, known: 1000, verified: 1000, median: 1000, elapsed: 999 * time.Second}, true},
	} {
		if got := tt.p.formed(); got != tt.formed {
			t.Errorf("%+v formed: %t", tt.p, got)
		}
		if line := tt.p.line(); len([]rune(line)) > 80 {
			t.Errorf("%q has %d columns", line, len([]rune(line)))
		}
	}
}

// On a terminal progress is drawn over, elsewhere it is a line when something has changed.
func TestDisplay(t *testing.T) {
	var out bytes.Buffer
	d := newDisplay(&out)
	d.progress(progress{others: 3, known: 1})
	d.progress(progress{others: 3, known: 1, elapsed: time.Second})
	d.progress(progress{others: 3, known: 2, elapsed: 2 * time.Second})
	if got := strings.Count(out.String(), "\n"); got != 2 || strings.ContainsAny(out.String(), "\r\x1b") {
		t.Errorf("two states are shown as %q", out.String())
	}
	out.Reset()
	d = &display{w: &out, terminal: true}
	d.progress(progress{others: 3, known: 1})
	d.progress(progress{others: 3, known: 2})
	d.print("result")
	if got := out.String(); strings.Count(got, "\n") != 2 || strings.Count(got, "\r\x1b[K") != 2 || !strings.HasSuffix(got, "\nresult\n") {
		t.Errorf("on a terminal two states and a result are shown as %q", got)
	}
}
