package core

import (
	"container/heap"
	"time"
)

// Sizes of the queues to the crypto workers.
const (
	maxJobs    = 1024 // checks of strangers' handshakes that wait; more are dropped
	maxOwnJobs = 4096 // handshakes and record checks of our own calls that wait
)

// turn runs f as the owner of the node's state and then sends what f queued. It reports false, without running f, once the
// node is closed.
func (n *Node) turn(f func(now time.Time)) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	now := time.Now()
	f(now)
	n.endTurn(now)
	return true
}

// endTurn does what a turn put off, sends what it queued and sets the alarm for the next timer.
func (n *Node) endTurn(now time.Time) {
	for len(n.later) > 0 || n.checksDue {
		n.runLater(now)
		if n.checksDue {
			n.runChecks(now)
		}
	}
	n.flush(now)
	n.arm(now)
}

// runLater runs what was put off.
func (n *Node) runLater(now time.Time) {
	for len(n.later) > 0 {
		later := n.later
		n.later = nil
		for _, f := range later {
			f(now)
		}
	}
}

// putOff leaves f to the end of the turn: for what must not run inside its caller.
func (n *Node) putOff(f func(now time.Time)) { n.later = append(n.later, f) }

// flush sends what the turn queued.
func (n *Node) flush(now time.Time) {
	for _, l := range n.links {
		if l.out.Len() == 0 {
			continue
		}
		sent, dropped, err := l.out.Flush()
		n.stats.PacketsSent += uint64(sent)
		n.stats.SendDropped += uint64(dropped)
		for _, to := range l.out.Lost() {
			n.notSent(now, to)
		}
		if err != nil && n.log.IsDebug() {
			n.log.Debug("datagrams not sent", "count", dropped, "err", err)
		}
	}
}

// timer runs a function in a turn, at or after a time.
type timer struct {
	at    time.Time
	run   func(now time.Time)
	index int // in the heap, -1 outside
}

// after starts a timer.
func (n *Node) after(now time.Time, d time.Duration, run func(now time.Time)) *timer {
	t := &timer{at: now.Add(d), run: run}
	heap.Push(&n.timers, t)
	return t
}

// stop ends a timer; nil and one that has run are fine.
func (n *Node) stop(t *timer) {
	if t != nil && t.index >= 0 {
		heap.Remove(&n.timers, t.index)
	}
}

type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}
func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}

// arm sets the alarm clock to the next timer, unless it will ring by then anyway.
func (n *Node) arm(now time.Time) {
	next := n.sessions.Next()
	if len(n.timers) > 0 && (next.IsZero() || n.timers[0].at.Before(next)) {
		next = n.timers[0].at
	}
	if next.IsZero() || !n.armed.IsZero() && !next.Before(n.armed) {
		return
	}
	n.armed = next
	n.alarm.Reset(next.Sub(now))
}

// clock gives the timers their turn.
func (n *Node) clock() {
	for {
		select {
		case <-n.done:
			return
		case <-n.alarm.C:
		}
		n.turn(func(now time.Time) {
			n.armed = time.Time{}
			n.sessions.Advance(now)
			for len(n.timers) > 0 && !n.timers[0].at.After(now) {
				heap.Pop(&n.timers).(*timer).run(now)
			}
		})
	}
}

// job is elliptic-curve work: run on a worker, then finish in a turn.
type job struct {
	run    func()
	finish func(now time.Time)
}

// work runs jobs until the node is closed, our own before those that strangers cause.
func (n *Node) work() {
	for {
		var j job
		select {
		case j = <-n.ownJobs:
		default:
			select {
			case j = <-n.ownJobs:
			case j = <-n.jobs:
			case <-n.done:
				return
			}
		}
		j.run()
		if !n.turn(j.finish) {
			return // what still waits would be for nobody
		}
	}
}

// offload hands a job to the workers. It reports false when too many wait.
func (n *Node) offload(own bool, run func(), finish func(now time.Time)) bool {
	queue := n.jobs
	if own {
		queue = n.ownJobs
	}
	select {
	case queue <- job{run, finish}:
		return true
	default:
		return false
	}
}
