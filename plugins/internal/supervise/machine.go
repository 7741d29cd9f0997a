package supervise

import (
	"fmt"
	"time"
)

// Policy says when a plugin that crashed is started again. The zero value is the default of each.
type Policy struct {
	MinBackoff time.Duration // pause after the first crash; 500 ms
	MaxBackoff time.Duration // longest pause; 1 min
	Healthy    time.Duration // crashes before that long a time of service are forgotten; 2 min
	Crashes    int           // that many crashes within Window disable it; 5
	Window     time.Duration // 10 min
}

func (p *Policy) setDefaults() {
	orDefault(&p.MinBackoff, 500*time.Millisecond)
	orDefault(&p.MaxBackoff, time.Minute)
	orDefault(&p.Healthy, 2*time.Minute)
	orDefault(&p.Crashes, 5)
	orDefault(&p.Window, 10*time.Minute)
}

func orDefault[T comparable](v *T, d T) {
	if *v == *new(T) {
		*v = d
	}
}

// Machine is the state of one plugin.
type Machine struct {
	policy Policy
	jitter func() float64

	state    State
	since    time.Time
	reason   string
	served   time.Time   // since when it serves; zero: it does not
	crashes  []time.Time // within the window, at most Policy.Crashes
	streak   int         // crashes since the last time that all was forgotten
	until    time.Time   // end of the pause
	restarts uint64
}

// New returns the machine of a plugin that was declared at now. jitter returns random numbers from 0 to 1, such as rand.Float64.
func New(now time.Time, p Policy, jitter func() float64) *Machine {
	p.setDefaults()
	return &Machine{policy: p, jitter: jitter, since: now}
}

// State returns the state, since when it holds, and what led to it.
func (m *Machine) State() (s State, since time.Time, reason string) {
	return m.state, m.since, m.reason
}

// Restarts is how often the plugin was started by itself after a crash: what operators do is not counted.
func (m *Machine) Restarts() uint64 { return m.restarts }

// Next is when the pause after a crash is over and Start is due. It reports false when there is none.
func (m *Machine) Next() (time.Time, bool) { return m.until, m.state == Backoff }

// Handle takes an event and returns the changes of state in their order; none when the event means nothing in this state.
// After a Crash the machine pauses, or is disabled.
func (m *Machine) Handle(now time.Time, e Event, reason string) []Transition {
	to, ok := next(m.state, e)
	if !ok {
		return nil
	}
	if e == Revive {
		m.forget()
	}
	if m.state == Backoff && e == Start {
		m.restarts++
	}
	changes := []Transition{m.move(now, to, reason)}
	if to == Crashed {
		changes = append(changes, m.afterCrash(now))
	}
	if e == Replaced {
		m.served = now
		m.forget()
	}
	return changes
}

func (m *Machine) move(now time.Time, to State, reason string) Transition {
	t := Transition{From: m.state, To: to, At: now, Reason: reason}
	m.state, m.since, m.reason = to, now, reason
	switch {
	case !to.Serves() && to != Crashed:
		m.served = time.Time{}
	case to.Serves() && m.served.IsZero():
		m.served = now
	}
	return t
}

// afterCrash decides whether there is another start, and when.
func (m *Machine) afterCrash(now time.Time) Transition {
	if !m.served.IsZero() && now.Sub(m.served) >= m.policy.Healthy {
		m.forget()
	}
	recent := m.crashes[:0]
	for _, at := range m.crashes {
		if now.Sub(at) < m.policy.Window {
			recent = append(recent, at)
		}
	}
	m.crashes = append(recent, now)
	m.streak++
	if len(m.crashes) >= m.policy.Crashes {
		return m.move(now, Disabled, fmt.Sprintf("%d crashes within %v, the last one: %s", len(m.crashes), m.policy.Window, m.reason))
	}
	pause := m.pause()
	m.until = now.Add(pause)
	return m.move(now, Backoff, fmt.Sprintf("%s; another start in %v", m.reason, pause.Round(time.Millisecond)))
}

// pause doubles with each crash, and is spread by a quarter upwards and downwards within the bounds.
func (m *Machine) pause() time.Duration {
	d := m.policy.MinBackoff
	for range m.streak - 1 {
		if d >= m.policy.MaxBackoff {
			break
		}
		d *= 2
	}
	spread := time.Duration((m.jitter()*0.5 - 0.25) * float64(d))
	return min(max(d+spread, m.policy.MinBackoff), m.policy.MaxBackoff)
}

func (m *Machine) forget() { m.crashes, m.streak = m.crashes[:0], 0 }
