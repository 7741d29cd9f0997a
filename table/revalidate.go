package table

import (
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// TrustedChecks is the number of answers in a row that makes a node trusted.
const TrustedChecks = 3

// Pauses of revalidation. Those drawn at random are uniform from 0 to the value.
const (
	soonPause   = time.Second      // random: a node that is not verified, a trusted one's second chance
	pacePause   = 10 * time.Second // random: between checks of verified nodes, over the whole table
	checkPause  = 10 * time.Second // after the first answer of a node; doubles with each further one
	maxPause    = 4 * time.Minute  // the longest a verified node is left alone, if the pace allows; see DESIGN.md
	failedPause = 10 * time.Second // after a failure without replacement; doubles with each further one
	maxFailed   = 5 * time.Minute  // the longest pause of a failed node, which only bootstrap nodes reach
	// lostCheck is when a check that was started and never reported on is forgotten.
	lostCheck = time.Minute
	// sameSilence is how long further failures count as the same one: requests to a node that went silent fail together.
	sameSilence = 5 * time.Second
)

// maxFailures is the number of failures in a row after which a node is removed even without replacement.
const maxFailures = 3

// Seen notes that a node answered one of our requests at its address: it is verified, first in its bucket, and not due
// for a check for a while. rtt may be 0 if unknown. It reports whether that was the first answer since the node was
// added or changed its address. Answers of a replacement make it the next to be promoted.
func (t *Table) Seen(now time.Time, id enode.ID, rtt time.Duration) (first bool) {
	return t.seen(now, id, rtt, true)
}

// Heard is Seen for an answer to something else than a check: it does not put the check of a verified node off. Only the
// answer to a check names the node's newest record and our endpoint, and a node that is asked often would never be checked.
func (t *Table) Heard(now time.Time, id enode.ID, rtt time.Duration) (first bool) {
	return t.seen(now, id, rtt, false)
}

func (t *Table) seen(now time.Time, id enode.ID, rtt time.Duration, check bool) (first bool) {
	k := keyOf(id)
	b := t.bucketOf(&k)
	i := b.index(&k)
	if i < 0 {
		if i = b.spareIndex(&k); i < 0 {
			return false
		}
		first = b.spare[i].answered(now, rtt)
		b.spareToBack(i)
		return first
	}
	e := b.entries[i]
	first = e.answered(now, rtt)
	reschedule := check || !e.Verified
	if !e.Verified {
		e.Verified = true
		t.verified++
	}
	if e.Checks == 0 || now.Sub(e.counted) >= checkPause {
		e.Checks++
		e.counted = now
	}
	e.Failures = 0
	b.toFront(i)
	if reschedule {
		e.checking = false
		t.schedule(e, now.Add(growing(checkPause, e.Checks, maxPause)))
	}
	return first
}

func (e *Entry) answered(now time.Time, rtt time.Duration) (first bool) {
	first = e.LastSeen.IsZero()
	e.LastSeen = now
	if rtt > 0 {
		e.RTT = rtt
	}
	return first
}

// Promote lets a replacement enter its bucket in the place of an entry that deserves it less: one that failed and never
// answered, or failed twice; for a replacement that has answered also one that has yet to be asked, which goes into
// reserve. Bootstrap nodes and verified entries keep their places. The replacement is verified if it answered now. displaced
// is the entry that is none any more, be it removed or in reserve. Both results are nil when nothing changed.
func (t *Table) Promote(now time.Time, id enode.ID) (displaced, promoted *Entry) {
	k := keyOf(id)
	b := t.bucketOf(&k)
	i := b.spareIndex(&k)
	if i < 0 {
		return nil, nil
	}
	at := b.weakest(!b.spare[i].LastSeen.IsZero())
	if at < 0 {
		return nil, nil
	}
	promoted = b.spare[i]
	b.spare = slices.Delete(b.spare, i, i+1)
	t.spares--
	displaced = b.entries[at]
	t.deleteEntry(b, at)
	if displaced.Failures == 0 {
		t.take(displaced.group)
		b.spare = slices.Insert(b.spare, 0, displaced)
		t.spares++
	}
	t.insert(now, b, promoted) // Its address is counted already.
	if promoted.LastSeen.Equal(now) {
		t.seen(now, id, 0, true)
	}
	return displaced, promoted
}

// weakest returns the position of the entry that makes room for a replacement, -1 for none: the one with the most failures,
// the one that has been here longest among equals.
func (b *bucket) weakest(forAnswered bool) int {
	at := -1
	for i, e := range b.entries {
		if e.Verified || e.Bootstrap {
			continue
		}
		fresh := e.LastSeen.IsZero()
		if !(e.Failures > 1 || fresh && (e.Failures > 0 || forAnswered)) {
			continue
		}
		if at < 0 || e.Failures > b.entries[at].Failures || e.Failures == b.entries[at].Failures && e.Added.Before(b.entries[at].Added) {
			at = i
		}
	}
	return at
}

// Failed notes that a node did not answer. It is demoted at once. Then, unless it is a bootstrap node, it is replaced by
// the newest replacement; a trusted one only if it fails a second check within a second or so. Without a replacement it
// is checked again after growing pauses and removed after 3 failures in a row. Bootstrap nodes stay.
//
// Failures within 5 s of a counted one are the same silence and do nothing, unless CheckStarted was called in between.
// A replacement that fails is dropped without results. Both results may be nil.
func (t *Table) Failed(now time.Time, id enode.ID) (removed, promoted *Entry) {
	k := keyOf(id)
	b := t.bucketOf(&k)
	i := b.index(&k)
	if i < 0 {
		if i = b.spareIndex(&k); i >= 0 && !b.spare[i].Bootstrap {
			t.deleteSpare(b, i)
		}
		return nil, nil
	}
	e := b.entries[i]
	if e.Failures > 0 && !e.checking && now.Sub(e.failed) < sameSilence {
		return nil, nil
	}
	trusted := e.Trusted()
	t.demote(e)
	e.Failures++
	e.failed = now
	switch {
	case trusted:
		t.schedule(e, t.within(now, soonPause))
	case !e.Bootstrap && (len(b.spare) > 0 || e.Failures >= maxFailures):
		return t.replace(now, b, i)
	default:
		t.schedule(e, t.within(now.Add(growing(failedPause, e.Failures, maxFailed)), soonPause))
	}
	return nil, nil
}

// demote takes an entry's standing. The caller schedules its next check.
func (t *Table) demote(e *Entry) {
	if e.Verified {
		e.Verified = false
		t.verified--
	}
	e.Checks, e.checking = 0, false
}

// NextCheck returns an entry to check now, by PING, or nil and the time to call again; a zero time means that nothing
// waits. Call CheckStarted for the entry, then NextCheck again: several may be due. Every call of Add, Seen, Failed,
// Replace and CheckStarted may bring the time forward.
//
// Nodes that are not verified come when they are due, within a second of being added. Verified ones come one every 0 to
// 10 s over the whole table, the one first that is longest overdue: each is left alone after an answer for 10 s, doubled
// with every answer in a row up to 4 min. When both are due it is the turn of a verified one: they are few.
func (t *Table) NextCheck(now time.Time) (e *Entry, wake time.Time) {
	e, wake = t.NextVerified(now)
	if e != nil {
		return e, wake
	}
	e, at := t.NextUnverified(now)
	if e != nil || wake.IsZero() || !at.IsZero() && at.Before(wake) {
		wake = at
	}
	return e, wake
}

// NextVerified is NextCheck for verified entries alone.
func (t *Table) NextVerified(now time.Time) (e *Entry, wake time.Time) {
	if len(t.paced) == 0 {
		return nil, time.Time{}
	}
	at := t.paced[0].due
	if at.Before(t.pace) {
		at = t.pace
	}
	if at.After(now) {
		return nil, at
	}
	return t.paced[0], now
}

// NextUnverified is NextCheck for entries that are not verified alone.
func (t *Table) NextUnverified(now time.Time) (e *Entry, wake time.Time) {
	if len(t.soon) == 0 {
		return nil, time.Time{}
	}
	if at := t.soon[0].due; at.After(now) {
		return nil, at
	}
	return t.soon[0], now
}

// CheckStarted notes that a check of an entry is under way: NextCheck leaves it out until Seen or Failed, or for a
// minute.
func (t *Table) CheckStarted(now time.Time, id enode.ID) {
	e, ok := t.Entry(id)
	if !ok {
		return
	}
	if e.Verified {
		t.pace = t.within(now, pacePause)
	}
	e.checking = true
	t.schedule(e, now.Add(lostCheck))
}

// within returns a random time from now to now+d.
func (t *Table) within(now time.Time, d time.Duration) time.Time {
	return now.Add(time.Duration(t.rand.Int64N(int64(d) + 1)))
}

// growing returns d for n = 1, doubled for each further n, at most limit.
func growing(d time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 1 && d < limit; n-- {
		d *= 2
	}
	return min(d, limit)
}
