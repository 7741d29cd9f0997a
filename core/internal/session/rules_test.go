package session

import (
	"testing"
	"time"

	"github.com/discv5/host/codec"
)

// Once a session came up, the next opening knocks with a nonce of its own.
func TestEveryOpeningKnocksAnew(t *testing.T) {
	w, a, b := pair(t)
	a.pings(b)
	a.pings(b) // stays unanswered, so that the exchange lasts
	first := w.sent(0).Nonce
	for range 4 {
		w.deliver(w.take(0))
	}
	w.lost()
	if ex := a.m.exchanges[b.peer()]; ex == nil || ex.phase != idle {
		t.Fatal("the session should be up, with a request under way")
	}
	a.loses(b)
	a.pings(b)
	if w.sent(0).Nonce == first {
		t.Error("the nonce of a finished opening was used again")
	}
}

// However often the keys change, an unanswered request is sent again once.
func TestUnansweredRequestIsNotSentForEver(t *testing.T) {
	w, a, b := friends(t)
	old := a.pings(b)
	w.lost()
	for i := range 4 {
		b.loses(a)
		a.pings(b)
		before := old.request.Sent
		w.passes(time.Millisecond)
		for len(w.wire) > 0 {
			d := w.take(0)
			if old.request.Sent != before && i == 0 && d.from == a.addr {
				continue // what was sent again is lost too
			}
			w.deliver(d)
		}
		if i > 0 && old.request.Sent != before {
			t.Errorf("sent again after handshake %d", i+1)
		}
	}
	if old.answers != 0 || !old.request.again {
		t.Error("the request should have been sent again once, and lost")
	}
}

// A request that goes out is a use of its session.
func TestSendingKeepsASession(t *testing.T) {
	w := newWorld(t)
	hub := w.host("hub", func(h *host) { h.cfg.Capacity = 2 })
	x, y, z := w.host("x"), w.host("y"), w.host("z")
	hub.mustPing(x)
	hub.mustPing(y)
	hub.pings(x)
	w.lost()
	hub.mustPing(z)
	if hub.m.Session(x.peer()) == nil || hub.m.Session(y.peer()) != nil {
		t.Error("the session that was written to last was pushed out")
	}
}

// The handshake packet itself is not challenged again.
func TestHandshakePacketIsNotChallenged(t *testing.T) {
	w, a, b := pair(t)
	a.pings(b)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	nonce := w.sent(0).Nonce
	w.lost()
	w.passes(confirmAfter)
	r := a.gets(b.addr, codec.AppendWhoareyou(nil, codec.DefaultProtocolID, a.m.mask, codec.IV{}, nonce, codec.IDNonce{}, 0))
	if r.Drop != DropRepeatedWhoareyou || a.m.Stats().HandshakesSent != 1 {
		t.Errorf("a challenge for the handshake packet: %v", r.Drop)
	}
}

// A handshake packet goes out twice at most, and not before the first had time to arrive.
func TestHandshakeIsRepeatedOnce(t *testing.T) {
	w, a, b := pair(t)
	a.pings(b)
	w.deliver(w.take(0))
	challenge := w.take(0)
	w.deliver(challenge)
	w.lost()
	w.passes(confirmAfter - time.Millisecond)
	w.deliver(challenge)
	if n := a.m.Stats().HandshakesSent; n != 1 {
		t.Fatalf("%d handshake packets before their time", n)
	}
	w.passes(time.Millisecond)
	for range 4 {
		w.deliver(challenge)
		w.lost()
		w.passes(confirmAfter)
	}
	if n := a.m.Stats().HandshakesSent; n != 2 {
		t.Errorf("%d handshake packets", n)
	}
}

// The wait for one handshake does not end with that for the one before.
func TestEachHandshakeWaitsItsOwnTime(t *testing.T) {
	w, a, b := pair(t)
	a.pings(b) // the wait for this handshake would end after confirmAfter
	a.pings(b) // stays unanswered, so that the exchange lasts
	for range 4 {
		w.deliver(w.take(0))
	}
	w.lost()
	w.passes(confirmAfter - 100*time.Millisecond)
	b.loses(a)
	a.pings(b)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	w.lost()
	a.pings(b)
	w.passes(confirmAfter - time.Millisecond)
	if len(w.wire) != 0 {
		t.Error("the queue went out with the alarm of an earlier handshake")
	}
	w.passes(time.Millisecond)
	w.wantSent("the queue goes out, and once more what the peer could not read", codec.FlagMessage, codec.FlagMessage)
}

func TestRetire(t *testing.T) {
	now := newWorld(t).now
	const keep = responseTimeout
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, tc := range []struct {
		name   string
		newest keySet
		old    keySet
		stays  bool
	}{
		{"just replaced", keySet{confirmed: true, opened: now}, keySet{replaced: now}, true},
		{"replaced a response timeout ago", keySet{confirmed: true, opened: now}, keySet{replaced: ago(keep)}, true},
		{"replaced before that", keySet{confirmed: true, opened: now}, keySet{replaced: ago(keep + 1)}, false},
		{"used lately", keySet{confirmed: true, opened: now}, keySet{replaced: ago(time.Hour), opened: ago(keep)}, true},
		{"the newest never used", keySet{}, keySet{replaced: ago(time.Hour), opened: ago(time.Hour)}, true},
		{"used after the newest", keySet{confirmed: true, opened: ago(2 * time.Hour)}, keySet{replaced: ago(3 * time.Hour), opened: ago(time.Hour)}, true},
	} {
		s := &Session{keys: []*keySet{&tc.newest, &tc.old}}
		s.retire(now, keep)
		if got := len(s.keys) == 2; got != tc.stays {
			t.Errorf("%s: stays %v, want %v", tc.name, got, tc.stays)
		}
	}
}
