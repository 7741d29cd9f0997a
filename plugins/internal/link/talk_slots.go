package link

import (
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// slotState is what a request waits for.
type slotState uint8

const (
	slotFree    slotState = iota
	slotQueued            // a credit
	slotSent              // the response
	slotGivenUp           // the response, which nobody wants any more
)

// slot is one request. Its id on the stream is its place plus one in the low bits and how often that was used above, so that
// an id finds its request without a map, and an old one is told from a new one.
type slot struct {
	state    slotState
	ours     bool // the deadline is ours, not core's
	uses     uint32
	protocol uint32
	message  uint64 // number of the message that carries it
	deadline time.Duration
	pending  *core.PendingTalk
	peer     *peer
	node     *enode.Node // until it is sent
	payload  []byte      // until it is sent, if it has to wait

	due, wait links // in the lists of deadlines and of the queue
}

const slotBits = 16

func (s *slot) id(i int32) uint64 { return uint64(s.uses)<<slotBits | uint64(i+1) }

// slots are the requests of a stream. It grows to what is needed, never above MaxInFlight and MaxQueue together.
type slots struct {
	all  []slot
	free []int32

	live  list // queued and sent ones, by deadline
	queue list // queued ones

	alive  int // length of live
	queued int // length of queue
	sent   int // on the stream, those given up included: the credits in use
}

func (s *slots) init() {
	s.live = list{which: byDeadline, head: -1, tail: -1}
	s.queue = list{which: byTurn, head: -1, tail: -1}
}

// take returns a free slot.
func (s *slots) take() int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	s.all = append(s.all, slot{})
	return int32(len(s.all) - 1)
}

// find returns the slot that an id names, or -1; used tells whether the id was given out before.
func (s *slots) find(id uint64) (i int32, used bool) {
	place := int64(id&(1<<slotBits-1)) - 1
	if place < 0 || place >= int64(len(s.all)) {
		return -1, false
	}
	slot, uses := &s.all[place], id>>slotBits
	if uses != uint64(slot.uses) || slot.state == slotFree || slot.state == slotQueued {
		return -1, uses < uint64(slot.uses)
	}
	return int32(place), false
}

// release frees a slot.
func (s *slots) release(i int32) {
	slot := &s.all[i]
	if slot.state == slotSent || slot.state == slotGivenUp {
		s.sent--
	}
	*slot = slot.next()
	s.free = append(s.free, i)
}

// next is the slot for its next use.
func (s *slot) next() slot { return slot{uses: s.uses + 1} }

// unqueue takes a slot out of the queue.
func (s *slots) unqueue(i int32) {
	s.queue.remove(s.all, i)
	s.queued--
}

// links are the neighbours in a list of slots: places plus one, 0 at the ends.
type links struct{ prev, next int32 }

// list is a doubly linked list through the slots.
type list struct {
	which      uint8
	head, tail int32 // -1: empty
}

const (
	byDeadline uint8 = iota
	byTurn
)

func (l *list) empty() bool { return l.head < 0 }

func (l *list) of(s *slot) *links {
	if l.which == byDeadline {
		return &s.due
	}
	return &s.wait
}

func (l *list) push(all []slot, i int32) {
	*l.of(&all[i]) = links{prev: l.tail + 1}
	if l.tail >= 0 {
		l.of(&all[l.tail]).next = i + 1
	} else {
		l.head = i
	}
	l.tail = i
}

func (l *list) remove(all []slot, i int32) {
	at := l.of(&all[i])
	if at.prev > 0 {
		l.of(&all[at.prev-1]).next = at.next
	} else {
		l.head = at.next - 1
	}
	if at.next > 0 {
		l.of(&all[at.next-1]).prev = at.prev
	} else {
		l.tail = at.prev - 1
	}
	*at = links{}
}
