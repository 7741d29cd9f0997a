package admin

import (
	"slices"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
)

// PluginsView is the plugins, in the order of the configuration.
type PluginsView struct {
	Plugins []PluginView `json:"plugins"`
}

// PluginView is a plugin.
type PluginView struct {
	ID       string `json:"id"` // "talk.echo"
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Source   string `json:"source"`
	Pinned   bool   `json:"pinned"` // its SHA-256 is checked
	Required bool   `json:"required"`

	State       string            `json:"state"`
	Serving     bool              `json:"serving"`
	Since       time.Time         `json:"since"`
	Reason      string            `json:"reason,omitempty"` // what led to the state
	Hint        string            `json:"hint,omitempty"`   // what to do about one that does not start
	Restarts    uint64            `json:"restarts"`         // starts after a crash; what operators do is not counted
	Transitions map[string]uint64 `json:"transitions"`      // how often it came to each state

	// Of the present process.
	PID        int          `json:"pid,omitempty"`
	Started    time.Time    `json:"started,omitzero"`
	Program    string       `json:"program,omitempty"` // as it describes itself, like the next four
	Version    string       `json:"version,omitempty"`
	Summary    string       `json:"summary,omitempty"`
	Services   []string     `json:"services"`
	Protocols  []ProtocolID `json:"protocols"`
	Grants     []string     `json:"grants"`
	CPUSeconds float64      `json:"cpuSeconds"`
	RSSBytes   int64        `json:"rssBytes"`
	Lines      []string     `json:"lines"` // that it wrote last
	Talk       *TalkView    `json:"talk,omitempty"`
	Calls      *CallsView   `json:"calls,omitempty"` // of a filter or store
	HostCalls  []HostCall   `json:"hostCalls"`       // that it made
	LastExit   *ExitView    `json:"lastExit,omitempty"`
}

// ProtocolID is a TALK protocol, whose bytes need not be text.
type ProtocolID struct {
	Hex  string `json:"hex"`
	Text string `json:"text"` // for people
}

// TalkView is what a talk plugin did since the start of the host.
type TalkView struct {
	Requests uint64            `json:"requests"`
	Answered uint64            `json:"answered"`
	Late     uint64            `json:"late"`
	Failed   uint64            `json:"failed"`
	TooLarge uint64            `json:"tooLarge"`
	Broken   uint64            `json:"broken"`
	Shed     map[string]uint64 `json:"shed"` // answered empty without asking, by reason
	InFlight int               `json:"inFlight"`
	Queued   int               `json:"queued"`
	Breaker  string            `json:"breaker"`
}

// CallsView counts the calls to a plugin.
type CallsView struct {
	Calls    uint64 `json:"calls"`
	Failures uint64 `json:"failures"`
}

// HostCall is how often a plugin's calls of one kind had a result.
type HostCall struct {
	Call   string `json:"call"`
	Result string `json:"result"`
	Count  uint64 `json:"count"`
}

// ExitView is how the process before ended, or why it did not start.
type ExitView struct {
	Reason string    `json:"reason"`
	At     time.Time `json:"at,omitzero"`
	Lines  []string  `json:"lines"` // that it wrote last
}

func (s *Server) pluginsView() PluginsView {
	v := PluginsView{Plugins: []PluginView{}}
	if s.cfg.Plugins != nil {
		for _, p := range s.cfg.Plugins.Status() {
			v.Plugins = append(v.Plugins, pluginView(p))
		}
	}
	return v
}

func pluginView(p plugins.Status) PluginView {
	v := PluginView{
		ID: p.ID, Kind: string(p.Kind), Name: p.Name, Source: p.Source, Pinned: p.Pinned, Required: p.Required,
		State: p.State.String(), Serving: p.State.Serves(), Since: p.Since, Reason: p.Reason, Hint: p.Hint, Restarts: p.Restarts,
		Transitions: make(map[string]uint64),
		PID:         p.PID, Started: p.Started, Program: p.Program, Version: p.Version, Summary: p.Summary,
		Services: list(p.Services), Protocols: []ProtocolID{}, Grants: list(p.Grants),
		CPUSeconds: seconds(p.Usage.CPU), RSSBytes: p.Usage.RSS, Lines: list(p.LastLines), HostCalls: []HostCall{},
	}
	for state, count := range p.Transitions {
		v.Transitions[state.String()] = count
	}
	for _, protocol := range p.Protocols {
		v.Protocols = append(v.Protocols, ProtocolID{hexBytes([]byte(protocol)), protocol})
	}
	if t := p.Talk; t != nil {
		v.Talk = talkView(t)
	}
	if p.Calls != nil {
		v.Calls = &CallsView{p.Calls.Calls, p.Calls.Failures}
	}
	if p.Host != nil {
		for _, c := range p.Host.Calls {
			v.HostCalls = append(v.HostCalls, HostCall{c.Call, c.Result, c.Count})
		}
	}
	if p.LastExit != "" {
		v.LastExit = &ExitView{p.LastExit, p.ExitAt, list(p.ExitLines)}
	}
	return v
}

// shedReasons names what TalkStats.Shed counts, in its order.
var shedReasons = [len(plugins.TalkStats{}.Shed)]string{"none", "per_peer", "queue", "breaker", "draining", "down", "late"}

func talkView(t *plugins.TalkStats) *TalkView {
	v := &TalkView{
		Requests: t.Requests, Answered: t.Answered, Late: t.Late, Failed: t.Failed, TooLarge: t.TooLarge, Broken: t.Broken,
		Shed: make(map[string]uint64), InFlight: t.InFlight, Queued: t.Queued, Breaker: t.Breaker.String(),
	}
	for reason, count := range t.Shed {
		if count > 0 {
			v.Shed[shedReasons[reason]] = count
		}
	}
	return v
}

// LogsView is what a plugin wrote last: up to MostLines lines with together MostBytes bytes are kept of a process.
type LogsView struct {
	ID        string    `json:"id"`
	State     string    `json:"state"`
	PID       int       `json:"pid,omitempty"`
	Lines     []string  `json:"lines"` // of the present process, the oldest first
	MostLines int       `json:"mostLines"`
	MostBytes int       `json:"mostBytes"`
	LastExit  *ExitView `json:"lastExit,omitempty"`
}

// FiltersView is the filters, in the order in which they are asked.
type FiltersView struct {
	Filters []FilterView `json:"filters"`
}

// FilterView is a filter.
type FilterView struct {
	Name      string         `json:"name"`
	DryRun    bool           `json:"dryRun"`
	Decisions []DecisionView `json:"decisions"`
	Calls     uint64         `json:"calls"` // batches
	Failures  uint64         `json:"failures"`
	Waiting   int            `json:"waiting"`        // questions that it has not taken yet
	Seconds   float64        `json:"seconds"`        // that all calls took
	Latency   []LatencyClass `json:"latencyClasses"` // those that are not empty
}

// DecisionView counts decisions of one kind.
type DecisionView struct {
	Stage    string `json:"stage"`
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
	Count    uint64 `json:"count"`
}

// LatencyClass counts what took up to Seconds, and longer than the class before.
type LatencyClass struct {
	Seconds float64 `json:"upToSeconds"` // 0: longer than all classes
	Count   uint64  `json:"count"`
}

func (s *Server) filtersView() FiltersView {
	v := FiltersView{Filters: []FilterView{}}
	for _, f := range s.cfg.Node.FilterStats() {
		x := FilterView{
			Name: f.Name, DryRun: f.DryRun, Decisions: []DecisionView{}, Calls: f.Calls, Failures: f.Failures, Waiting: f.Waiting,
			Seconds: seconds(f.Latency.Sum), Latency: []LatencyClass{},
		}
		for _, d := range f.Decisions {
			x.Decisions = append(x.Decisions, DecisionView{d.Stage.String(), d.Decision.String(), d.Reason, d.Count})
		}
		for i, count := range f.Latency.Counts {
			class := LatencyClass{Count: count}
			if i < len(core.LatencyBounds) {
				class.Seconds = seconds(core.LatencyBounds[i])
			}
			if count > 0 {
				x.Latency = append(x.Latency, class)
			}
		}
		v.Filters = append(v.Filters, x)
	}
	return v
}

// ExplanationView is what one filter says about a node at one stage.
type ExplanationView struct {
	Filter     string  `json:"filter"`
	Stage      string  `json:"stage"`
	DryRun     bool    `json:"dryRun"`
	Exempt     bool    `json:"exempt"` // it does not matter: a bootnode enters the table whatever filters say
	Decision   string  `json:"decision"`
	Reason     string  `json:"reason"`
	TTLSeconds float64 `json:"ttlSeconds"`      // how long it holds; 0: as long as record and filter stay the same
	Error      string  `json:"error,omitempty"` // why the filter itself has not decided
}

// Explained is what all filters say about a node.
type Explained struct {
	NodeID   string            `json:"nodeId"`
	Passes   map[string]bool   `json:"passes"` // by stage: no filter that counts rejects it
	Verdicts []ExplanationView `json:"verdicts"`
}

func explainedView(all []core.Explanation) (passes map[string]bool, verdicts []ExplanationView) {
	passes, verdicts = make(map[string]bool), []ExplanationView{}
	for _, stage := range []core.Stage{core.StageTable, core.StageServe, core.StageDeliver} {
		passes[stage.String()] = !slices.ContainsFunc(all, func(e core.Explanation) bool {
			return e.Stage == stage && !e.DryRun && !e.Exempt && e.Verdict.Decision == core.Reject
		})
	}
	for _, e := range all {
		verdicts = append(verdicts, ExplanationView{
			e.Filter, e.Stage.String(), e.DryRun, e.Exempt, e.Verdict.Decision.String(), e.Verdict.Reason, seconds(e.Verdict.TTL), textOf(e.Err),
		})
	}
	return passes, verdicts
}
