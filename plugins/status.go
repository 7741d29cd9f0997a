package plugins

import (
	"slices"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins/internal/link"
	"github.com/discv5/host/plugins/internal/process"
	"github.com/discv5/host/plugins/internal/supervise"
	"github.com/hashicorp/go-hclog"
)

// What plugins count.
type (
	// State is where a plugin stands.
	State = supervise.State
	// Shed is why a request was answered empty without asking the talk plugin: the index of TalkStats.Shed. Its String is the name in
	// metrics, empty for the one that stands for none.
	Shed = link.Shed
	// TalkStats are the counters of a talk plugin.
	TalkStats = link.TalkStats
	// FilterStats are the counters of a filter plugin.
	FilterStats = link.FilterStats
	// HostStats are the counters of a plugin's host calls.
	HostStats = link.HostStats
	// OutputStats count what a plugin has written.
	OutputStats = process.OutputStats
	// Usage is what a process has taken.
	Usage = process.Usage
)

// The states.
const (
	Declared    = supervise.Declared
	Starting    = supervise.Starting
	Configuring = supervise.Configuring
	Running     = supervise.Running
	Degraded    = supervise.Degraded
	Draining    = supervise.Draining
	Stopped     = supervise.Stopped
	Crashed     = supervise.Crashed
	Backoff     = supervise.Backoff
	Refused     = supervise.Refused
	Disabled    = supervise.Disabled
)

// Status is a plugin as operators see it. Counters are those of the present process, but for Calls.
type Status struct {
	ID       string // "talk.echo"
	Kind     Kind
	Name     string
	Source   string
	Pinned   bool // its SHA-256 is checked
	Required bool

	State       State
	Since       time.Time
	Reason      string           // what led to the state
	Hint        string           // what to do about a plugin that does not start; may be empty
	Restarts    uint64           // starts after a crash; what operators do is not counted
	Transitions map[State]uint64 // how often it came to each state

	// Of the present process, as far as there is one.
	PID       int
	Started   time.Time
	Program   string // as it describes itself
	Version   string
	Summary   string
	Services  []string
	Grants    []string
	Protocols []string
	Usage     Usage
	Output    OutputStats
	Talk      *TalkStats // of a talk plugin, since the start of the host
	Filter    *FilterStats
	Host      *HostStats
	Calls     *SlotStats // of a filter or store, since the start of the host

	LastLines []string // that the present process wrote

	// Of the process before: how it ended, or why it did not start, when, and its last lines.
	LastExit  string
	ExitAt    time.Time
	ExitLines []string
}

// snapshot is what a keeper tells about itself.
type snapshot struct {
	block       Block
	in          *incarnation
	state       State
	since       time.Time
	reason      string
	restarts    uint64
	transitions map[State]uint64
	lastExit    string
	hint        string
	exitAt      time.Time
	exitLines   []string
	stages      []core.Stage   // where the filter is asked that served last; empty: none has
	uniform     bool           // that filter decides in the same way everywhere
	past        TalkStats      // of the incarnations that were
	retiring    []*incarnation // those that are drained behind another
}

// publish changes the snapshot, and takes over what the goroutine knows.
func (k *keeper) publish(change func(*snapshot)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now.block = k.block
	k.now.state, k.now.since, k.now.reason = k.machine.State()
	k.now.restarts = k.machine.Restarts()
	if k.now.transitions == nil {
		k.now.transitions = make(map[State]uint64)
	}
	if change != nil {
		change(&k.now)
	}
}

// handle gives an event to the machine and tells what comes of it.
func (k *keeper) handle(e supervise.Event, reason string) { k.tell(e, reason, "") }

// tell is handle with what an operator may do about a refusal or a crash; empty: nothing is known.
func (k *keeper) tell(e supervise.Event, reason, hint string) {
	changes := k.machine.Handle(time.Now(), e, reason)
	k.publish(func(s *snapshot) {
		for _, c := range changes {
			s.transitions[c.To]++
		}
	})
	for _, c := range changes {
		level := hclog.Info
		switch c.To {
		case Degraded, Crashed, Backoff:
			level = hclog.Warn
		case Refused:
			level = hclog.Error
		case Disabled:
			if c.From == Crashed {
				level = hclog.Error
			}
		}
		what, args := "plugin changed its state", []any{"plugin", k.id, "from", c.From.String(), "to", c.To.String()}
		if c.From == c.To { // by a new process
			what, args = "plugin was replaced", []any{"plugin", k.id, "state", c.To.String()}
		}
		if c.Reason != "" {
			args = append(args, "reason", c.Reason)
		}
		if hint != "" && (c.To == Crashed || c.To == Refused) {
			args = append(args, "hint", hint)
		}
		k.set.cfg.Log.Log(level, what, args...)
		if k.set.cfg.OnEvent != nil {
			k.set.cfg.OnEvent(Event{ID: k.id, From: c.From, To: c.To, Reason: c.Reason, At: c.At})
		}
	}
}

// ended notes how an incarnation ended that served.
func (k *keeper) ended(in *incarnation) {
	past := in.past()
	k.publish(func(s *snapshot) {
		s.in = nil
		s.past.Add(past)
		s.lastExit, s.exitAt, s.exitLines = in.proc.ExitError().Error(), time.Now(), in.proc.LastLines()
	})
}

// past is what an incarnation has counted at its end.
func (in *incarnation) past() (stats TalkStats) {
	if in.talk != nil {
		stats = in.talk.Stats()
		stats.InFlight, stats.Queued = 0, 0
	}
	return stats
}

// failed notes why an incarnation never served.
func (k *keeper) failed(err error) {
	k.publish(func(s *snapshot) {
		s.lastExit, s.exitAt, s.exitLines = err.Error(), time.Now(), lastLines(err)
		s.hint = Hint(err)
	})
}

// Status returns the state of all plugins, in the order of the configuration.
func (s *Set) Status() (all []Status) {
	for _, k := range s.all() {
		all = append(all, k.status())
	}
	return all
}

func (k *keeper) status() Status {
	k.mu.Lock()
	now := k.now
	now.retiring = slices.Clone(now.retiring)
	transitions := make(map[State]uint64, len(now.transitions))
	for s, n := range now.transitions {
		transitions[s] = n
	}
	k.mu.Unlock()
	st := Status{
		ID: k.id, Kind: k.kind, Name: now.block.Name, Source: now.block.Source, Pinned: now.block.SHA256 != "", Required: now.block.Required,
		State: now.state, Since: now.since, Reason: now.reason, Hint: now.hint, Restarts: now.restarts, Transitions: transitions,
		Grants: slices.Clone(now.block.Grants), LastExit: now.lastExit, ExitAt: now.exitAt, ExitLines: slices.Clone(now.exitLines),
	}
	switch {
	case k.route != nil:
		talk := now.past
		talk.Add(k.route.Stats())
		for _, in := range now.retiring {
			talk.Add(in.talk.Stats())
		}
		st.Talk = &talk
	case k.filter != nil:
		calls := k.filter.counts()
		st.Calls = &calls
	case k.store != nil:
		calls := k.store.counts()
		st.Calls = &calls
	}
	in := now.in
	if in == nil {
		return st
	}
	st.PID, st.Started = in.proc.PID(), in.proc.Started()
	st.Program, st.Version, st.Summary = in.about.Name, in.about.Version, in.about.Summary
	st.Services, st.Protocols = slices.Clone(in.about.Services), slices.Clone(in.protocols)
	st.Usage, _ = in.proc.Usage()
	st.Output = in.proc.Output()
	st.LastLines = in.proc.LastLines()
	if in.talk != nil {
		stats := in.talk.Stats()
		st.Talk.Add(stats)
		st.Talk.Breaker = stats.Breaker
	}
	if in.stream != nil {
		stats := in.stream.Stats()
		st.Filter = &stats
	}
	if in.host != nil {
		stats := in.host.Stats()
		st.Host = &stats
	}
	return st
}
