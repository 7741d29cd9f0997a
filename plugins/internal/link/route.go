package link

import (
	"bytes"
	"sync"
	"time"

	"github.com/discv5/host/core"
)

// Route is where the requests of one plugin block go, whatever incarnation serves them: it stays registered with core for as
// long as the block exists. It is a core.AsyncTalkHandler.
//
// To replace a plugin without losing a request: open a Talk to the new one, Switch, Drain the old one, Close it. For a
// plugin that must not run twice: Hold, Drain and Close the old one, open the new one, Switch.
type Route struct {
	answer   func(...core.TalkAnswer)
	deadline time.Duration
	maxHeld  int

	mu      sync.Mutex // held while the Talk takes a request, so that none goes to one that was switched away
	talk    *Talk
	holding bool
	held    []heldRequest // oldest first
	timer   *time.Timer
	shed    uint64
	late    uint64
}

// heldRequest waits for a plugin.
type heldRequest struct {
	request core.TalkRequest
	pending *core.PendingTalk
	until   time.Time
}

// NewRoute returns a route that leads nowhere. cfg gives Answer, Deadline and MaxQueue, which bounds the requests that Hold
// keeps.
func NewRoute(cfg TalkConfig) *Route {
	cfg.setDefaults()
	r := &Route{answer: cfg.Answer, deadline: cfg.Deadline, maxHeld: cfg.MaxQueue}
	r.timer = time.AfterFunc(time.Hour, r.expire)
	r.timer.Stop()
	return r
}

// StartTalk takes a request to the plugin that is there. Without one it is answered empty at once, or held.
func (r *Route) StartTalk(q core.TalkRequest, p *core.PendingTalk) (response []byte, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.talk != nil:
		return r.talk.StartTalk(q, p)
	case !r.holding || len(r.held) >= r.maxHeld:
		r.shed++
		return nil, true
	}
	q.Payload = bytes.Clone(q.Payload)
	r.held = append(r.held, heldRequest{q, p, time.Now().Add(r.deadline)})
	if len(r.held) == 1 {
		r.timer.Reset(r.deadline)
	}
	return nil, false
}

// Switch makes requests go to t from now on, with those that were held before; nil: nowhere. The one before is left as it
// is: its open requests finish there.
func (r *Route) Switch(t *Talk) {
	var refused []core.TalkAnswer
	r.mu.Lock()
	r.talk, r.holding = t, false
	now := time.Now()
	for _, h := range r.held {
		if t != nil && now.Before(h.until) {
			if _, done := t.StartTalk(h.request, h.pending); !done {
				continue
			}
		} else {
			r.late++
		}
		refused = append(refused, core.TalkAnswer{To: h.pending})
	}
	r.held = nil
	r.timer.Stop()
	r.mu.Unlock()
	r.send(refused)
}

// Hold makes requests wait for the next Switch, up to their deadline.
func (r *Route) Hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.talk, r.holding = nil, true
}

// expire answers those that were held for too long.
func (r *Route) expire() {
	var late []core.TalkAnswer
	r.mu.Lock()
	now := time.Now()
	for len(r.held) > 0 && !now.Before(r.held[0].until) {
		late = append(late, core.TalkAnswer{To: r.held[0].pending})
		r.held[0] = heldRequest{}
		r.held = r.held[1:]
	}
	r.late += uint64(len(late))
	if len(r.held) > 0 {
		r.timer.Reset(r.held[0].until.Sub(now))
	}
	r.mu.Unlock()
	r.send(late)
}

func (r *Route) send(answers []core.TalkAnswer) {
	for len(answers) > 0 {
		n := min(len(answers), chunk)
		r.answer(answers[:n]...)
		answers = answers[n:]
	}
}

// Stats returns what happened to requests while there was no plugin, as ShedDown and Late.
func (r *Route) Stats() (s TalkStats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Requests = r.shed + r.late
	s.Shed[ShedDown], s.Late, s.Queued = r.shed, r.late, len(r.held)
	return s
}
