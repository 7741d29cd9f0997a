package outage

import (
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	// MinAsked is how many different nodes must have been asked in vain before we doubt our own network.
	// With fewer, timeouts count as usual.
	MinAsked = 5
	// Before is how long before the silence somebody must have answered: a host that never reached anybody
	// has no outage, it has no network.
	Before = time.Minute
	// Slack lengthens the time in which the MinAsked nodes must have been asked, because timers fire late
	// and a burst of requests is not one instant.
	Slack = 250 * time.Millisecond
	// MaxHeld is how many nodes are remembered to be asked again. The timeouts of further ones do not count
	// either, but it is left to revalidation to find them.
	MaxHeld = 1024
	// DefaultTimeout is the response timeout taken when New is given none.
	DefaultTimeout = 4 * time.Second
)

// asked is a request to one node.
type asked struct {
	id enode.ID
	at time.Time
}

// Detector decides whether a timeout counts against the node that did not answer. An outage begins with a
// timeout at which at least MinAsked different nodes were asked within the last response timeout, nobody
// sent a valid packet in that time, and somebody had answered in the minute before. It lasts until a valid
// packet comes in, however long that takes. It has one owner.
type Detector struct {
	timeout time.Duration

	recent [MinAsked]asked // different nodes; a zero at is an empty place
	order  [MinAsked]uint8 // places in recent, the most recently asked first
	packet time.Time       // last valid packet of any kind
	answer time.Time       // last answer to a request of ours

	out   bool
	since time.Time // when the outage was noticed
	ended time.Time // when the last one ended

	held  []enode.ID // in the order of their timeouts
	known map[enode.ID]struct{}
}

// New returns a Detector for requests that time out after timeout; zero or less means DefaultTimeout.
func New(timeout time.Duration) *Detector {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	d := &Detector{timeout: timeout, known: make(map[enode.ID]struct{})}
	for i := range d.order {
		d.order[i] = uint8(i)
	}
	return d
}

// Asked is to be called when a request goes out to a node.
func (d *Detector) Asked(now time.Time, id enode.ID) {
	i := 0
	for i < MinAsked-1 && d.recent[d.order[i]].id != id {
		i++
	}
	place := d.order[i] // of the node, or else of the one asked longest ago
	copy(d.order[1:i+1], d.order[:i])
	d.order[0] = place
	d.recent[place] = asked{id, now}
}

// Answered is to be called when a node has answered a request of ours. It includes ValidPacket.
func (d *Detector) Answered(now time.Time, _ enode.ID) {
	d.answer = now
	d.ValidPacket(now)
}

// ValidPacket is to be called for every packet that authenticates, whoever sent it and whatever it says. It
// ends an outage.
func (d *Detector) ValidPacket(now time.Time) {
	d.packet = now
	if d.out {
		d.out, d.ended = false, now
	}
}

// TimedOut is to be called when a node has not answered in time. It reports whether that counts against the
// node; when it does not, the node will be among those of Recovered.
func (d *Detector) TimedOut(now time.Time, id enode.ID) (counts bool) {
	if !d.out && d.begins(now) {
		d.out, d.since = true, now
	}
	// A request that went out during the outage may time out after it.
	late := !d.ended.IsZero() && now.Sub(d.ended) <= d.timeout
	if !d.out && !late {
		return true
	}
	if _, ok := d.known[id]; !ok && len(d.held) < MaxHeld {
		d.known[id] = struct{}{}
		d.held = append(d.held, id)
	}
	return false
}

// begins reports whether a timeout at now is the first sign of an outage.
func (d *Detector) begins(now time.Time) bool {
	fifth := d.recent[d.order[MinAsked-1]].at
	if fifth.IsZero() || now.Sub(fifth) > d.timeout+Slack {
		return false // too few were asked
	}
	return d.Silent(now)
}

// Silent reports whether a timeout at now would be the first sign of an outage if only enough nodes had been asked:
// nobody sent a valid packet meanwhile, though somebody had answered in the minute before. Asking MinAsked others then
// settles the matter.
func (d *Detector) Silent(now time.Time) bool {
	if d.answer.IsZero() || now.Sub(d.answer) > d.timeout+Before {
		return false // nobody had answered before
	}
	return now.Sub(d.packet) >= d.timeout
}

// Out reports whether there is an outage, and since when it has been noticed.
func (d *Detector) Out() (since time.Time, out bool) {
	if !d.out {
		return time.Time{}, false
	}
	return d.since, true
}

// Recovered returns the nodes to ask again, each once, when an outage is over, and forgets them. It returns
// nil during an outage and when there are none. A request sent into an outage may time out after its end, so
// the caller looks here again for a while, best after each TimedOut that does not count.
func (d *Detector) Recovered() []enode.ID {
	if d.out || len(d.held) == 0 {
		return nil
	}
	held := d.held
	d.held = nil
	clear(d.known)
	return held
}
