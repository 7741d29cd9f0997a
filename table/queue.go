package table

import "time"

// queue is a binary heap of entries by due time. Every entry knows its place, so that it can be moved and removed.
type queue []*Entry

func (q queue) place(i int, e *Entry) {
	q[i] = e
	e.queued = i
}

func (q *queue) push(e *Entry) {
	*q = append(*q, e)
	q.up(len(*q)-1, e)
}

func (q *queue) remove(e *Entry) {
	i, last := e.queued, len(*q)-1
	moved := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	if i < last {
		moved.queued = i
		q.fix(moved)
	}
	e.queued = noIndex
}

// fix restores the order after e's due time changed.
func (q queue) fix(e *Entry) {
	if i := e.queued; i > 0 && e.due.Before(q[(i-1)/2].due) {
		q.up(i, e)
	} else {
		q.down(i, e)
	}
}

func (q queue) up(i int, e *Entry) {
	for i > 0 {
		parent := (i - 1) / 2
		if !e.due.Before(q[parent].due) {
			break
		}
		q.place(i, q[parent])
		i = parent
	}
	q.place(i, e)
}

func (q queue) down(i int, e *Entry) {
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if r := child + 1; r < len(q) && q[r].due.Before(q[child].due) {
			child = r
		}
		if !q[child].due.Before(e.due) {
			break
		}
		q.place(i, q[child])
		i = child
	}
	q.place(i, e)
}

// schedule sets when e may be checked next and puts it into the queue that fits.
func (t *Table) schedule(e *Entry, due time.Time) {
	if e.queued != noIndex && e.paced == e.Verified {
		e.due = due
		t.queueOf(e).fix(e)
		return
	}
	t.unschedule(e)
	e.due, e.paced = due, e.Verified
	t.queueOf(e).push(e)
}

func (t *Table) unschedule(e *Entry) {
	if e.queued != noIndex {
		t.queueOf(e).remove(e)
	}
}

func (t *Table) queueOf(e *Entry) *queue {
	if e.paced {
		return &t.paced
	}
	return &t.soon
}
