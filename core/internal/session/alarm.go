package session

import "time"

// alarms is a queue of times at which an exchange wants attention. Every time in it lies equally far from the instant
// at which it was pushed, so the queue is in order by itself. An alarm that no longer applies is told from one that
// does by the exchange, not removed.
type alarms struct {
	list []alarm
	head int
}

type alarm struct {
	ex *exchange
	at time.Time
}

func (a *alarms) push(ex *exchange, at time.Time) {
	if a.head > 64 && a.head > len(a.list)/2 {
		n := copy(a.list, a.list[a.head:])
		clear(a.list[n:])
		a.list, a.head = a.list[:n], 0
	}
	a.list = append(a.list, alarm{ex, at})
}

// pop takes the next alarm that is due; its exchange is nil when there is none.
func (a *alarms) pop(now time.Time) alarm {
	if a.head == len(a.list) || now.Before(a.list[a.head].at) {
		return alarm{}
	}
	next := a.list[a.head]
	a.list[a.head] = alarm{}
	if a.head++; a.head == len(a.list) {
		a.list, a.head = a.list[:0], 0
	}
	return next
}

// next tells when pop has something, zero for never.
func (a *alarms) next() time.Time {
	if a.head == len(a.list) {
		return time.Time{}
	}
	return a.list[a.head].at
}

// earlier returns the earlier of two times; zero stands for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
