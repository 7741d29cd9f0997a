package session

import (
	"slices"
	"strings"
	"testing"

	"github.com/discv5/host/codec"
)

// lru drives a cache by letters: each is a session.
type lru struct {
	*cache
	t *testing.T
}

func (l lru) session(name byte) *Session { return l.lookup(Peer{ID: idOf(int(name))}) }

func (l lru) put(names string, main bool) {
	for _, name := range []byte(names) {
		if s := l.session(name); s != nil {
			l.touch(s, main)
		} else {
			l.add(&Session{Peer: Peer{ID: idOf(int(name))}}, main)
		}
	}
}

func (l lru) want(what, names string) {
	l.t.Helper()
	var got []string
	for c := byte('A'); c <= 'z'; c++ {
		if l.session(c) != nil {
			got = append(got, string(c))
		}
	}
	if s := strings.Join(got, ""); s != names {
		l.t.Errorf("%s: %s in the cache, want %s", what, s, names)
	}
	if n := l.parts[0].len + l.parts[1].len; n != len(l.sessions) || n > l.capacity {
		l.t.Errorf("%s: %d listed, %d filed", what, n, len(l.sessions))
	}
}

func TestCache(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(l lru)
		want string
	}{
		{"overflow drops the oldest", func(l lru) { l.put("abcdef", true) }, "cdef"},
		{"use saves the oldest", func(l lru) { l.put("abcd", true); l.touch(l.session('a'), false); l.put("e", true) }, "acde"},
		{"another put saves the oldest", func(l lru) { l.put("abcda", true); l.put("e", true) }, "acde"},
		{"another put of a middle one", func(l lru) { l.put("abcdb", true); l.put("ef", true) }, "bdef"},
		{"use of a middle one", func(l lru) { l.put("abcd", true); l.touch(l.session('b'), true); l.put("efg", true) }, "befg"},
		{"removed and added again", func(l lru) { l.put("abcd", true); l.remove(l.session('a')); l.put("a", true); l.put("e", true) }, "acde"},
		{"removed makes room", func(l lru) { l.put("abcd", true); l.remove(l.session('c')); l.put("e", true) }, "abde"},
		{"use of the newest changes nothing", func(l lru) { l.put("abcd", true); l.touch(l.session('d'), true); l.put("e", true) }, "bcde"},
		{"strangers may have what is free", func(l lru) { l.put("wxyz", false) }, "wxyz"},
		{"strangers push out strangers", func(l lru) { l.put("a", true); l.put("vwxyz", false) }, "axyz"},
		{"strangers have a quarter of a full cache", func(l lru) { l.put("abcd", true); l.put("xyz", false) }, "bcdz"},
		{"sessions in use push strangers out", func(l lru) { l.put("wxyz", false); l.put("abc", true) }, "abcz"},
		{"a stranger who proves himself stays", func(l lru) { l.put("abc", true); l.put("w", false); l.put("w", true); l.put("xyz", false) }, "bcwz"},
		{"a mere use is no proof", func(l lru) { l.put("abc", true); l.put("w", false); l.touch(l.session('w'), false); l.put("x", false) }, "abcx"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := lru{newCache(4), t}
			tc.do(l)
			l.want(tc.name, tc.want)
		})
	}
	for _, capacity := range []int{-1, 0, 1} {
		l := lru{newCache(capacity), t}
		l.put("abc", true)
		l.put("xyz", false)
		l.want("a cache for one", "z")
	}
}

// Ending a session that is not there changes nothing.
func TestEndOfNothing(t *testing.T) {
	w, a, b := friends(t)
	a.m.End(a.peer())
	if n := a.m.Stats().Sessions; n != 1 {
		t.Errorf("%d sessions", n)
	}
	a.loses(b)
	a.loses(b)
	if n := a.m.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions", n)
	}
	a.mustPing(b)
	w.check()
}

// A flood of fresh identities pushes out its own kind and not the sessions in use.
func TestFloodOfIdentities(t *testing.T) {
	const capacity, friendly, flood = 64, 48, 400
	w := newWorld(t)
	b := w.host("bob", func(h *host) { h.cfg.Capacity = capacity })
	var good []*host
	for i := range friendly {
		good = append(good, w.host("good"+string(rune('A'+i))))
		good[i].mustPing(b)
		good[i].mustPing(b)
	}
	handshakes := b.m.Stats().HandshakesAccepted
	if handshakes != friendly {
		t.Fatalf("%d handshakes of friends", handshakes)
	}
	w.hosts = w.hosts[:1+friendly]
	evicted := 0
	for i := range flood {
		stranger := w.host("stranger" + string(rune('A'+i)))
		c := stranger.pings(b)
		for len(w.wire) > 0 {
			d := w.take(0)
			w.deliver(d)
			if d.to == b.addr && b.last.Evicted != nil {
				evicted++
			}
		}
		c.mustBeAnswered("the PING of a stranger")
		w.hosts = w.hosts[:1+friendly]
	}
	if want := friendly + flood - capacity; evicted != want || b.m.Stats().SessionsEvicted != uint64(want) {
		t.Errorf("%d pushed out, want %d", evicted, want)
	}
	for _, g := range good {
		g.mustPing(b)
	}
	if got := b.m.Stats().HandshakesAccepted - handshakes; got != flood {
		t.Errorf("%d handshakes during the flood, want %d: a friend had to start over", got, flood)
	}
}

// A session leaves probation at the first packet that authenticates after its handshake, and is never in it when we
// asked for it.
func TestProbation(t *testing.T) {
	w, a, b := pair(t)
	a.mustPing(b)
	if b.m.Session(a.peer()).main {
		t.Error("the handshake packet itself was proof enough")
	}
	if !a.m.Session(b.peer()).main {
		t.Error("a session that we opened is on probation")
	}
	b.gets(a.addr, b.random(a.record.ID(), codec.Nonce{1}))
	b.m.Respond(w.now, a.peer(), []byte{9, 9})
	w.lost()
	if b.m.Session(a.peer()).main {
		t.Error("a forged packet, or our own, was proof enough")
	}
	a.mustPing(b)
	if !b.m.Session(a.peer()).main {
		t.Error("still on probation")
	}
}

func TestSessions(t *testing.T) {
	w := newWorld(t)
	hub := w.host("hub")
	for _, name := range []string{"a", "b", "c"} {
		hub.mustPing(w.host(name))
	}
	var got []*Session
	hub.m.Sessions(func(s *Session) bool { got = append(got, s); return len(got) < 2 })
	if len(got) != 2 {
		t.Errorf("%d sessions though two were enough", len(got))
	}
	got = nil
	hub.m.Sessions(func(s *Session) bool { got = append(got, s); return true })
	slices.SortFunc(got, func(x, y *Session) int { return x.Peer.Addr.Compare(y.Peer.Addr) })
	if len(got) != 3 || got[0].Peer != w.hosts[1].peer() {
		t.Errorf("%d sessions", len(got))
	}
}
