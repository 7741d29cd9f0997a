package session

import (
	"testing"
	"time"

	"github.com/discv5/host/codec"
)

func TestKnocksAgainOnce(t *testing.T) {
	w, a, b := pair(t)
	c := a.pings(b)
	first := w.sent(0).Nonce
	w.lost()
	w.passes(knockAgainAfter - time.Millisecond)
	w.wantSent("patience")
	w.passes(time.Millisecond)
	w.wantSent("a random packet that nobody answered goes out once more", codec.FlagMessage)
	if got := w.sent(0).Nonce; got != first {
		t.Errorf("the second knock has the nonce %x, the first had %x", got, first)
	}
	w.settle()
	c.mustBeAnswered("the PING")

	d := a.pings(w.host("carol"))
	w.lost()
	w.passes(knockAgainAfter)
	w.lost()
	w.passes(responseTimeout - knockAgainAfter - time.Millisecond)
	w.wantSent("twice is enough")
	a.m.Forget(w.now, d.request)
	w.passes(challengeLife)
	a.wantEmpty("after a peer that never answered")
}

// A peer with a single key set has either those of its own handshake or those of ours when the two cross.
func TestAnswersUnderBothKeysWhenHandshakesCross(t *testing.T) {
	w, a, b := pair(t)
	a.pings(b)
	b.pings(a)
	w.deliver(w.take(0)) // both knock, and challenge each other
	w.deliver(w.take(0))
	w.wantSent("two challenges", codec.FlagWhoareyou, codec.FlagWhoareyou)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	w.wantSent("two handshakes", codec.FlagHandshake, codec.FlagHandshake)
	toA := w.take(0)
	if toA.to != a.addr {
		toA = w.take(0)
	}
	w.wire = nil // ours is still under way
	own := a.m.exchanges[b.peer()].keys
	w.deliver(toA)
	s := a.m.cache.lookup(b.peer())
	if s == nil || s.twin != own {
		t.Fatal("the keys of our own handshake were forgotten")
	}
	var under [2]int
	for i := range w.wire {
		p := w.sent(i)
		for k, keys := range []*keySet{s.keys[0], own} {
			// What a sealed with the initiator's keys b opens with the recipient's, and the other way round.
			if _, err := keys.seal.Open(nil, &p); err == nil {
				under[k]++
			}
		}
	}
	if under[0] == 0 || under[1] == 0 {
		t.Errorf("answered %d times under the keys of the peer's handshake and %d times under ours", under[0], under[1])
	}
	w.settle()
	a.mustPing(b)
	b.mustPing(a)
	if s.twin != nil {
		t.Error("the peer's packets tell which keys it has, and still there are two")
	}
}
