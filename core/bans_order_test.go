package core

import (
	"encoding/binary"
	"math/rand/v2"
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
			l.add(now, Ban{ID: b.ID, Until: now.Add(time.Second)})
			if i%2 == 0 {
				l.remove(b)
			}
		}
		l.add(now, b)
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
		l.add(now, Ban{ID: banned(i), Until: now.Add(time.Duration(1+ends[i]) * time.Minute)})
		if l.id(now, want) || !l.id(now, banned(i)) {
			t.Fatalf("ban %d took the place of another than the shortest one", i)
		}
	}
	began := time.Now()
	for i := maxBans + 8; i < maxBans+extra; i++ {
		l.add(now, Ban{ID: banned(i), Until: now.Add(time.Duration(1+ends[i]) * time.Minute)})
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("%d bans beyond the bound took %v", extra, took)
	}
	if len(l.ids) != maxBans || len(l.order) > 2*maxBans+64 {
		t.Errorf("%d bans, %d in order", len(l.ids), len(l.order))
	}
	for range 5 * maxBans { // one subject banned for longer and longer
		now = now.Add(time.Second)
		l.add(now, Ban{ID: banned(1 << 20), Until: now.Add(time.Hour)})
	}
	if len(l.order) > 2*maxBans+65 {
		t.Errorf("the order has grown to %d", len(l.order))
	}
}
