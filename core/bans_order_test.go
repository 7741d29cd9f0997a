package core

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// A full list gives up the bans that end first, and that takes no walk through the list.
func TestFullBanListDropsTheShortest(t *testing.T) {
	const extra = 2000
	now := time.Now()
	var l banList
	banned := func(i int) (id enode.ID) {
		binary.BigEndian.PutUint64(id[:], uint64(i+1))
		return id
	}
	ends := rand.Perm(maxBans + extra)
	for i := range maxBans {
		b := Ban{ID: banned(i), Until: now.Add(time.Duration(1+ends[i]) * time.Minute)}
		if i%3 == 0 { // lifted and banned again, for longer: its first end counts no more
			l.add(Ban{ID: b.ID, Until: now.Add(time.Second)})
			if i%2 == 0 {
				l.remove(b)
			}
		}
		l.add(b)
	}
	shortest := func() (id enode.ID) {
		var first time.Time
		for b := range l.all {
			if first.IsZero() || b.Until.Before(first) {
				first, id = b.Until, b.ID
			}
		}
		return id
	}
	for i := maxBans; i < maxBans+8; i++ {
		want := shortest()
		l.add(Ban{ID: banned(i), Until: now.Add(time.Duration(1+ends[i]) * time.Minute)})
		if l.id(now, want) || !l.id(now, banned(i)) {
			t.Fatalf("ban %d took the place of another than the shortest one", i)
		}
	}
	// A walk would find this one, which the order does not know. So few bans do not make it anew.
	unnoted := Ban{ID: banned(1 << 21), Until: now}
	for b := range l.all {
		l.remove(b)
		break
	}
	l.ids[unnoted.ID] = unnoted
	for i := maxBans + 8; i < maxBans+extra; i++ {
		l.add(Ban{ID: banned(i), Until: now.Add(time.Duration(1+ends[i]) * time.Minute)})
	}
	if _, ok := l.ids[unnoted.ID]; !ok {
		t.Error("a full list walks through its bans for every further one")
	}
	if len(l.ids) != maxBans || len(l.order) > 2*maxBans+64 {
		t.Errorf("%d bans, %d in order", len(l.ids), len(l.order))
	}
	for range 5 * maxBans { // one subject banned for longer and longer
		now = now.Add(time.Second)
		l.add(Ban{ID: banned(1 << 20), Until: now.Add(time.Hour)})
	}
	if len(l.order) > 2*maxBans+65 {
		t.Errorf("the order has grown to %d", len(l.order))
	}
}

// A ban of somebody who is banned already costs nobody else's.
func TestFullBanListKnowsItsSubjects(t *testing.T) {
	now := time.Now()
	var l banList
	prefix := netip.MustParsePrefix("192.0.2.0/24")
	l.add(Ban{Prefix: prefix, Until: now.Add(2 * time.Hour)})
	id := func(i int) enode.ID { return enode.ID{1, byte(i), byte(i >> 8), byte(i >> 16)} }
	for i := range maxBans - 1 {
		l.add(Ban{ID: id(i), Until: now.Add(time.Hour + time.Duration(i))})
	}
	for i := range 100 {
		for _, again := range []Ban{{ID: id(maxBans - 2)}, {Prefix: netip.MustParsePrefix("192.0.2.7/24")}} {
			again.Until = now.Add(time.Minute)
			if held, changed := l.add(again); changed || !held.Until.After(again.Until) {
				t.Fatalf("a shorter ban took the place of a longer one: %v", held)
			}
			again.Until = now.Add(3*time.Hour + time.Duration(i))
			if _, changed := l.add(again); !changed {
				t.Fatal("a longer ban did not count")
			}
			l.remove(again)
			l.add(Ban{ID: again.ID, Prefix: again.Prefix, Until: now.Add(2 * time.Hour)})
		}
	}
	if got := len(l.ids) + len(l.prefixes); got != maxBans || !l.id(now, id(0)) || len(l.lengths) != 1 || l.lengths[lengthOf(prefix)] != 1 {
		t.Errorf("%d bans are left of %d, lengths %v", got, maxBans, l.lengths)
	}
}
