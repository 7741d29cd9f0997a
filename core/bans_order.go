package core

import (
	"container/heap"
	"net/netip"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// banEnd says when the ban of a subject ends.
type banEnd struct {
	id     enode.ID
	prefix netip.Prefix
	until  time.Time
}

// banOrder is a heap of bans, the one that ends first on top. One that was lifted or made longer stays in it until it comes
// up: it does not agree with the list any more.
type banOrder []banEnd

func (o banOrder) Len() int           { return len(o) }
func (o banOrder) Less(i, j int) bool { return o[i].until.Before(o[j].until) }
func (o banOrder) Swap(i, j int)      { o[i], o[j] = o[j], o[i] }
func (o *banOrder) Push(x any)        { *o = append(*o, x.(banEnd)) }
func (o *banOrder) Pop() any {
	last := len(*o) - 1
	e := (*o)[last]
	*o = (*o)[:last]
	return e
}

// note enters a ban of the list into its order.
func (l *banList) note(b Ban) {
	if len(l.order) > 2*(len(l.ids)+len(l.prefixes))+64 { // most of it is out of date
		l.order = l.order[:0]
		for b := range l.all {
			l.order = append(l.order, banEnd{b.ID, b.Prefix, b.Until})
		}
		heap.Init(&l.order)
		return
	}
	heap.Push(&l.order, banEnd{b.ID, b.Prefix, b.Until})
}

// dropShortest makes room: the ban that ends first goes.
func (l *banList) dropShortest() {
	for len(l.order) > 0 {
		e := heap.Pop(&l.order).(banEnd)
		b, ok := l.subject(Ban{ID: e.id, Prefix: e.prefix})
		if ok && b.Until.Equal(e.until) {
			l.remove(b)
			return
		}
	}
}
