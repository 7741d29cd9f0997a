package session

import (
	"fmt"
	"slices"
	"time"

	"github.com/discv5/host/core/internal/limit"
)

// check holds every machine to its invariants.
func (w *world) check() {
	w.t.Helper()
	for _, h := range w.hosts {
		if err := h.m.invariants(w.now); err != nil {
			w.t.Fatalf("%v: %v", h.addr, err)
		}
	}
}

// invariants says what is wrong with the bookkeeping, nil for nothing.
func (m *Machine) invariants(now time.Time) error {
	for _, f := range []func(time.Time) error{m.exchangesFit, m.noncesFit, m.challengesFit, m.cacheFits, m.primersFit} {
		if err := f(now); err != nil {
			return err
		}
	}
	return nil
}

func (m *Machine) exchangesFit(now time.Time) error {
	for p, ex := range m.exchanges {
		if ex.peer != p {
			return fmt.Errorf("exchange filed under a wrong peer")
		}
		for _, r := range slices.Concat(ex.inFlight, ex.queue) {
			if r.ex != ex {
				return fmt.Errorf("a request does not belong to the exchange that lists it")
			}
		}
		for _, r := range ex.inFlight {
			if slices.Contains(ex.queue, r) {
				return fmt.Errorf("a request waits and is in flight at once")
			}
		}
		rung := slices.ContainsFunc(m.openings.list[m.openings.head:], func(a alarm) bool { return a.ex == ex && a.at.Equal(ex.due) })
		kept := slices.ContainsFunc(m.lingering.list[m.lingering.head:], func(a alarm) bool { return a.ex == ex && a.at.Equal(ex.until) })
		requests := len(ex.inFlight) + len(ex.queue)
		switch {
		case len(ex.queue) > MaxQueue:
			return fmt.Errorf("%d requests wait", len(ex.queue))
		case ex.phase == idle && len(ex.queue) > 0:
			return fmt.Errorf("requests wait for nothing")
		case ex.phase == asking && !slices.ContainsFunc(ex.inFlight, ex.asks):
			return fmt.Errorf("asking without a request that asks")
		case (ex.phase == working) != (ex.job != nil):
			return fmt.Errorf("phase %d with job %v", ex.phase, ex.job)
		case (ex.phase == confirming || ex.phase == resting) && !rung:
			return fmt.Errorf("phase %d never ends", ex.phase)
		case ex.phase == confirming && ex.handshake == nil:
			return fmt.Errorf("confirming without a handshake packet")
		case ex.phase == asking && m.byNonce[ex.knock] != ex:
			return fmt.Errorf("the answer to the random packet would not be recognised")
		case requests == 0 && !ex.busy() && !(kept && !ex.until.IsZero()):
			return fmt.Errorf("an exchange without requests stays for ever (phase %d)", ex.phase)
		}
	}
	return nil
}

func (m *Machine) noncesFit(time.Time) error {
	for n, ex := range m.byNonce {
		if m.exchanges[ex.peer] != ex {
			return fmt.Errorf("a nonce of an exchange that is gone")
		}
		inFlight := slices.ContainsFunc(ex.inFlight, func(r *Request) bool { return r.nonce == n })
		if !inFlight && n != ex.knock && (n != ex.opening || ex.handshake == nil) {
			return fmt.Errorf("a nonce that belongs to nothing")
		}
	}
	return nil
}

func (m *Machine) challengesFit(time.Time) error {
	c := m.challenges
	n, last := 0, time.Time{}
	sources := make(map[limit.Source]int)
	for ch := c.root.next; ch != &c.root; ch = ch.next {
		if c.byPeer[ch.peer] != ch || ch.next.prev != ch || ch.spent {
			return fmt.Errorf("the ring of challenges is broken")
		}
		if ch.expires.Before(last) {
			return fmt.Errorf("challenges out of order")
		}
		if ch.tries < 0 || ch.tries > maxTries {
			return fmt.Errorf("%d tries at a challenge", ch.tries)
		}
		last = ch.expires
		n++
		sources[limit.SourceOf(ch.peer.Addr.Addr())]++
		if !limit.Exempt(ch.peer.Addr.Addr()) && sources[limit.SourceOf(ch.peer.Addr.Addr())] > c.maxPerSource {
			return fmt.Errorf("too many challenges for one source")
		}
	}
	if n != len(c.byPeer) || n > c.max || fmt.Sprint(sources) != fmt.Sprint(c.bySource) {
		return fmt.Errorf("%d challenges, %d filed, sources %v against %v", n, len(c.byPeer), sources, c.bySource)
	}
	return nil
}

func (m *Machine) cacheFits(time.Time) error {
	total := 0
	for _, main := range []bool{false, true} {
		l, n := m.cache.part(main), 0
		for s := l.root.next; s != &l.root; s = s.next {
			if s.main != main || s.next.prev != s || m.cache.sessions[s.Peer] != s {
				return fmt.Errorf("a list of sessions is broken")
			}
			if len(s.keys) == 0 || len(s.keys) > maxKeySets {
				return fmt.Errorf("a session with %d key sets", len(s.keys))
			}
			n++
		}
		if n != l.len {
			return fmt.Errorf("%d sessions in a list that counts %d", n, l.len)
		}
		total += n
	}
	if total != len(m.cache.sessions) || total > m.cache.capacity {
		return fmt.Errorf("%d sessions listed, %d filed, room for %d", total, len(m.cache.sessions), m.cache.capacity)
	}
	return nil
}

func (m *Machine) primersFit(time.Time) error {
	if len(m.primers.order) > maxPrimers || len(m.primers.peers) > len(m.primers.order) {
		return fmt.Errorf("%d primers in order, %d filed", len(m.primers.order), len(m.primers.peers))
	}
	return nil
}

// wantEmpty wants nothing left but the sessions.
func (h *host) wantEmpty(when string) {
	h.w.t.Helper()
	m := h.m
	for name, n := range map[string]int{
		"exchanges": len(m.exchanges), "nonces": len(m.byNonce), "challenges": len(m.challenges.byPeer),
		"challenge sources": len(m.challenges.bySource), "primers": len(m.primers.peers), "primers in order": len(m.primers.order),
		"openings": len(m.openings.list), "lingering exchanges": len(m.lingering.list),
	} {
		if n != 0 {
			h.w.t.Errorf("%s: %d %s left", when, n, name)
		}
	}
	if !m.Next().IsZero() {
		h.w.t.Errorf("%s: there is still something to come at %v", when, m.Next())
	}
}
