package session

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestQueueBehindAHandshake(t *testing.T) {
	w, a, b := pair(t)
	var calls []*call
	for range 1 + MaxQueue {
		calls = append(calls, a.pings(b))
	}
	if c := a.pings(b); c.err != ErrBusy {
		t.Errorf("the request after 1 + %d gave %v", MaxQueue, c.err)
	}
	w.wantSent("one random packet for all", codec.FlagMessage)
	w.settle()
	for _, c := range calls {
		c.mustBeAnswered("a queued PING")
	}
	if b.served != 1+MaxQueue || b.m.Stats().HandshakesAccepted != 1 {
		t.Errorf("%d served over %d handshakes", b.served, b.m.Stats().HandshakesAccepted)
	}
	for range 100 { // with a session up requests run side by side
		calls = append(calls, a.pings(b))
	}
	w.settle()
	for _, c := range calls {
		c.mustBeAnswered("a PING over the session")
	}
}

func TestSendRefuses(t *testing.T) {
	w, a, b := pair(t)
	if _, err := a.m.Send(w.now, b.peer(), nil, []byte{1, 2}); err != ErrNoRecord {
		t.Errorf("without a record: %v", err)
	}
	if _, err := a.m.Send(w.now, b.peer(), a.record, []byte{1, 2}); err != ErrNoRecord {
		t.Errorf("with somebody else's record: %v", err)
	}
	if _, err := a.m.Send(w.now, b.peer(), b.record, make([]byte, codec.MaxMessageSize+1)); err != ErrTooLarge {
		t.Errorf("too large: %v", err)
	}
	a.known[b.record.ID()] = b.record
	if _, err := a.m.Send(w.now, b.peer(), nil, []byte{1, 2}); err != nil {
		t.Errorf("with a record from the table: %v", err)
	}
	w.check()
}

// A request over a session needs no record, until the peer has lost its keys and nobody can name its key.
func TestRequestFailsWithoutARecord(t *testing.T) {
	w, a, b := friends(t)
	c := &call{from: a}
	var err error
	if c.request, err = a.m.Send(w.now, b.peer(), nil, codec.Ping{}.Append(nil)); err != nil {
		t.Fatal(err)
	}
	c.request.Owner = c
	a.loses(b)
	b.loses(a)
	w.settle()
	if c.err != ErrNoRecord {
		t.Errorf("the request ended with %v", c.err)
	}
	w.passes(challengeLife)
	a.wantEmpty("after it failed")
}

// The handshake packet is lost, and nothing answers it: the queue goes out after a while, the peer repeats its
// challenge, and the very same handshake packet goes out again.
func TestLostHandshakeIsRepeated(t *testing.T) {
	w, a, b := pair(t)
	first := a.pings(b)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	packet := w.take(0).data
	second := a.pings(b)
	if len(w.wire) != 0 {
		t.Fatal("the second request did not wait")
	}
	w.passes(confirmAfter - time.Millisecond)
	if len(w.wire) != 0 {
		t.Fatal("the queue went out too early")
	}
	w.passes(time.Millisecond)
	w.wantSent("the queue goes out all the same", codec.FlagMessage)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	w.wantSent("the handshake again", codec.FlagHandshake)
	if !bytes.Equal(w.wire[0].data, packet) {
		t.Error("the repeated handshake packet has other bytes")
	}
	w.settle()
	first.mustBeAnswered("the request in the handshake packet")
	second.mustBeAnswered("the request behind it")
	if got := a.m.Stats().HandshakesSent; got != 2 {
		t.Errorf("%d handshake packets", got)
	}
	w.passes(challengeLife)
	a.wantEmpty("after the repeated handshake")
}

// The request is given up while the peer's challenge lives. The next one is answered by that challenge, which names the
// nonce of the first.
func TestNextRequestUsesTheLivingChallenge(t *testing.T) {
	t.Run("WHOAREYOU lost", func(t *testing.T) {
		w, a, b := pair(t)
		c := a.pings(b)
		w.deliver(w.take(0))
		w.lost()
		w.passes(300 * time.Millisecond)
		c.gives()
		a.mustPing(b)
	})
	t.Run("the queue goes on", func(t *testing.T) {
		w, a, b := pair(t)
		first, second := a.pings(b), a.pings(b)
		w.deliver(w.take(0))
		w.lost()
		first.gives()
		w.wantSent("the next in line knocks", codec.FlagMessage)
		w.settle()
		second.mustBeAnswered("the queued request")
	})
	t.Run("handshake lost", func(t *testing.T) {
		w, a, b := pair(t)
		c := a.pings(b)
		w.deliver(w.take(0))
		w.deliver(w.take(0))
		w.lost()
		c.gives()
		w.passes(confirmAfter)
		a.mustPing(b)
	})
	t.Run("session pushed out meanwhile", func(t *testing.T) {
		w, a, b := pair(t)
		c := a.pings(b)
		w.deliver(w.take(0))
		w.deliver(w.take(0))
		w.lost()
		c.gives()
		w.passes(confirmAfter)
		a.loses(b)
		a.mustPing(b)
	})
}

func TestForgetInEveryPhase(t *testing.T) {
	for _, tc := range []struct {
		name string
		upTo func(w *world, a, b *host)
	}{
		{"asking", func(*world, *host, *host) {}},
		{"working", func(w *world, _, _ *host) { w.later = true; w.deliver(w.take(0)); w.deliver(w.take(0)) }},
		{"confirming", func(w *world, _, _ *host) { w.deliver(w.take(0)); w.deliver(w.take(0)) }},
		{"resting", func(w *world, a, _ *host) {
			w.later = true
			w.deliver(w.take(0))
			w.deliver(w.take(0))
			a.m.Abandon(w.now, w.jobs[0].job)
			w.jobs = nil
		}},
		{"idle", func(w *world, _, _ *host) { w.settle() }},
	} {
		for _, loss := range []bool{false, true} {
			t.Run(tc.name, func(t *testing.T) {
				w, a, b := pair(t)
				first := a.pings(b)
				tc.upTo(w, a, b)
				second := a.pings(b)
				first.gives()
				first.gives()
				w.check()
				if loss {
					second.gives()
					w.lost()
				}
				w.settle()
				w.passes(confirmAfter)
				w.settle()
				if !loss {
					second.mustBeAnswered("the request behind the one given up")
				}
				w.passes(responseTimeout)
				a.wantEmpty("in the end")
				b.wantEmpty("in the end")
			})
		}
	}
}

func TestAbandonedJobsAreTriedAgain(t *testing.T) {
	t.Run("initiator", func(t *testing.T) {
		w, a, b := pair(t)
		w.later = true
		first, second := a.pings(b), a.pings(b)
		w.deliver(w.take(0))
		w.deliver(w.take(0))
		a.m.Abandon(w.now, w.jobs[0].job)
		w.jobs = nil
		w.check()
		w.settle()
		w.passes(confirmAfter)
		w.settle()
		first.mustBeAnswered("the request whose handshake nobody made")
		second.mustBeAnswered("the one behind it")
	})
	t.Run("initiator with lost keys", func(t *testing.T) {
		w, a, b := friends(t)
		b.loses(a)
		w.later = true
		c := a.pings(b)
		w.deliver(w.take(0))
		w.deliver(w.take(0))
		a.m.Abandon(w.now, w.jobs[0].job)
		w.jobs = nil
		w.passes(confirmAfter)
		w.settle()
		c.mustBeAnswered("the request")
	})
	t.Run("acceptor", func(t *testing.T) {
		w, a, b := pair(t)
		c := a.pings(b)
		w.deliver(w.take(0))
		w.deliver(w.take(0))
		w.later = true
		d := w.take(0)
		for range 3 * maxTries {
			w.deliver(d)
			b.m.Abandon(w.now, w.jobs[0].job)
			w.jobs = nil
		}
		w.deliver(d)
		w.settle()
		c.mustBeAnswered("the request")
	})
	t.Run("stale", func(t *testing.T) {
		w, a, b := pair(t)
		w.later = true
		a.pings(b)
		w.deliver(w.take(0))
		w.deliver(w.take(0))
		j := w.jobs[0]
		w.jobs = nil
		a.m.Abandon(w.now, j.job)
		a.m.Abandon(w.now, j.job)
		if r := a.m.Finish(w.now, j.job); r.Drop != DropStaleJob {
			t.Errorf("a job that was given back twice: %+v", r)
		}
		w.check()
	})
}

// The session is pushed out while its handshake awaits confirmation: what waits goes out over another handshake.
func TestEvictionWhileConfirming(t *testing.T) {
	w, a, b := pair(t)
	first := a.pings(b)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	second := a.pings(b)
	a.loses(b)
	w.settle() // the answer to the first comes, and nobody can read it
	if first.answers > 0 {
		t.Fatal("the answer was read without keys")
	}
	w.passes(confirmAfter)
	w.settle()
	first.mustBeAnswered("the request of the session that was pushed out")
	second.mustBeAnswered("the request behind it")
	w.passes(responseTimeout)
	a.wantEmpty("in the end")
}

func TestEvictionWithRequestsUnderWay(t *testing.T) {
	w, a, b := friends(t)
	first := a.pings(b)
	a.loses(b)
	second := a.pings(b)
	w.settle()
	first.mustBeAnswered("the request of the session that was pushed out")
	second.mustBeAnswered("the next one")
}

// Requests are sent again at most once, under the same request id.
func TestRequestsAreResentOnce(t *testing.T) {
	w, a, b := friends(t)
	var calls []*call
	for range 5 {
		calls = append(calls, a.pings(b))
	}
	b.loses(a)
	w.settle()
	for _, c := range calls {
		if c.answers != 1 {
			t.Errorf("%d answers", c.answers)
		}
	}
	if b.served != 2+5 {
		t.Errorf("%d requests served, want 7", b.served)
	}

	sent := 0
	c := a.pings(b)
	for range 10 { // the peer loses its keys before whatever arrives
		b.loses(a)
		for len(w.wire) > 0 {
			d := w.take(0)
			if d.from == b.addr && len(d.data) != codec.MinPacketSize {
				continue // no answer gets through
			}
			if d.from == a.addr {
				sent++
			}
			w.deliver(d)
		}
		w.passes(confirmAfter)
	}
	if sent > 3 {
		t.Errorf("one request led to %d packets", sent)
	}
	c.gives()
	w.passes(responseTimeout)
	a.wantEmpty("in the end")
}

func TestBothSidesRestart(t *testing.T) {
	w, a, b := friends(t)
	a.restarts()
	b.restarts()
	x, y := a.pings(b), b.pings(a)
	w.settle()
	w.passes(confirmAfter)
	w.settle()
	x.mustBeAnswered("one way")
	y.mustBeAnswered("the other way")
}

func TestOneSideRestarts(t *testing.T) {
	w, a, b := friends(t)
	b.restarts()
	a.mustPing(b)
	b.restarts()
	b.mustPing(a)
	a.mustPing(b)
	w.passes(time.Hour)
	a.wantEmpty("in the end")
}

// The same node from another port is another session; the one before stays as it is.
func TestNATRebinding(t *testing.T) {
	w, a, b := friends(t)
	old := a.addr
	a.addr = netip.AddrPortFrom(old.Addr(), 4242)
	a.mustPing(b)
	if b.m.Session(Peer{a.record.ID(), old}) == nil || b.m.Session(a.peer()) == nil {
		t.Error("two endpoints should have two sessions")
	}
	if got := b.m.Stats().HandshakesAccepted; got != 2 {
		t.Errorf("%d handshakes", got)
	}
	w.check()
}

// A forged packet is challenged and leaves the session alone.
func TestForgedPacketAgainstALiveSession(t *testing.T) {
	w, a, b := friends(t)
	before := b.m.Session(a.peer())
	for i := range 10 {
		b.gets(a.addr, b.random(a.record.ID(), codec.Nonce{byte(i)}))
	}
	w.settle() // the challenges reach a, who asked nothing
	if b.m.Session(a.peer()) != before {
		t.Fatal("the session is gone")
	}
	handshakes := b.m.Stats().HandshakesAccepted
	a.mustPing(b)
	b.mustPing(a)
	if b.m.Stats().HandshakesAccepted != handshakes || a.m.Stats().HandshakesAccepted != 0 {
		t.Error("a forged packet led to a handshake")
	}
	if got := b.m.Stats().DecryptFailures; got != 10 {
		t.Errorf("%d failures counted", got)
	}
}

func TestResponseNeedsASession(t *testing.T) {
	w, a, b := friends(t)
	pong := codec.Pong{Recipient: a.addr}.Append(nil)
	if !b.m.Respond(w.now, a.peer(), pong) || len(w.wire) != 1 || w.wire[0].to != a.addr {
		t.Error("no response over the session")
	}
	w.lost()
	if b.m.Respond(w.now, Peer{a.record.ID(), b.addr}, pong) || b.m.Respond(w.now, Peer{enode.ID{1}, a.addr}, pong) {
		t.Error("a response without a session")
	}
	s := b.m.Session(a.peer())
	if !b.m.Reply(s, make([]byte, codec.MaxMessageSize)) || b.m.Reply(s, make([]byte, codec.MaxMessageSize+1)) {
		t.Error("the limit of a response is not the largest packet")
	}
	if len(w.wire) != 1 || len(w.wire[0].data) != codec.MaxPacketSize {
		t.Error("the largest response is not the largest packet")
	}
}
