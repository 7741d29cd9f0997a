package crawl

import (
	"container/heap"
	"net/netip"
	"slices"
	"time"
)

// wait is a node that is to be asked at a time.
type wait struct {
	at    time.Time
	index uint32
}

// waitHeap holds the waiting nodes, the earliest first.
type waitHeap []wait

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h waitHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is for package heap; see push.
func (h *waitHeap) Push(x any) { *h = append(*h, x.(wait)) }

// Pop is for package heap; see pop.
func (h *waitHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	*h = (*h)[:last]
	return w
}

func (h *waitHeap) push(w wait) { heap.Push(h, w) }
func (h *waitHeap) pop() wait   { return heap.Pop(h).(wait) }

// indexOf is the place of an address, 0 if it is not there.
func indexOf(addrs []netip.AddrPort, a netip.AddrPort) int { return max(slices.Index(addrs, a), 0) }
