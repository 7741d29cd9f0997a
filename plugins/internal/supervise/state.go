package supervise

import "time"

// State is where a plugin stands.
type State uint8

// The states.
const (
	Declared    State = iota // in the configuration, never started
	Starting                 // its process is started
	Configuring              // it is asked what it is, and configured
	Running                  // it serves
	Degraded                 // it serves, but an operator should look
	Draining                 // it finishes what it has, and ends
	Stopped                  // it was ended
	Crashed                  // it ended by itself, or had to be killed
	Backoff                  // it waits for another start
	Refused                  // it cannot be used as it is, and is not tried again
	Disabled                 // it crashed too often, or an operator ended it; only an operator revives it
	numStates
)

// String returns the name as operators see it.
func (s State) String() string {
	return [...]string{
		"declared", "starting", "configuring", "running", "degraded", "draining", "stopped", "crashed", "backoff", "refused", "disabled", "unknown",
	}[min(s, numStates)]
}

// Serves says that requests go to the plugin.
func (s State) Serves() bool { return s == Running || s == Degraded }

// Live says that there is a process.
func (s State) Live() bool { return s >= Starting && s <= Draining }

// Event is what happens to a plugin.
type Event uint8

// The events.
const (
	Start    Event = iota // it is started: at first, or because a pause is over
	Revive                // an operator starts it, and its past is forgotten
	Launched              // its process runs and listens
	Ready                 // it is configured and serves
	Worse                 // it said that it is not well
	Better                // it said that it is well
	Replaced              // a new incarnation serves in place of the one that did
	Crash                 // it ended, or was ended because it did not work
	Refuse                // it cannot be used
	Drain                 // it is to end
	Ended                 // it has ended as it was told
	Disable               // an operator ends it for good
	numEvents
)

// Transition is a change of state, as operators are told about it.
type Transition struct {
	From, To State
	At       time.Time
	Reason   string // what led there; may be empty
}

// next is the table of transitions, but for what follows a crash.
func next(s State, e Event) (to State, ok bool) {
	switch e {
	case Start:
		return Starting, s == Declared || s == Backoff || s == Stopped
	case Revive:
		return Starting, !s.Live()
	case Launched:
		return Configuring, s == Starting
	case Ready:
		return Running, s == Configuring
	case Worse:
		return Degraded, s.Serves()
	case Better:
		return Running, s == Degraded
	case Replaced:
		return Running, s.Serves()
	case Crash:
		return Crashed, s.Live() && s != Draining
	case Refuse:
		return Refused, s == Starting || s == Configuring
	case Drain:
		return Draining, s.Live() && s != Draining
	case Ended:
		return Stopped, s == Draining || !s.Live() && s != Stopped
	case Disable:
		return Disabled, !s.Live() && s != Disabled
	}
	return s, false
}
