package config

import (
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Kinds of plugins.
const (
	Talk   = "talk"
	Filter = "filter"
	Store  = "store"
)

// What an operator may write.
var (
	kinds  = []string{Talk, Filter, Store}
	grants = []string{"self", "ping", "findnode", "talk", "lookup", "resolve", "closest", "sample", "watch", "record", "kv", "ban", "metrics"}
	stages = []string{"table", "serve", "deliver"}
	onErr  = []string{"accept", "reject"}
)

const builtinPrefix = "builtin:"

// Bounds of plugin blocks.
const (
	maxPlugins  = 64
	maxLabel    = 64   // bytes
	maxProtocol = 64   // bytes of a protocol id
	maxInFlight = 4096 // of max_in_flight and max_per_peer: what package plugins can count
	maxQueue    = 16_384
	maxOrder    = 1_000_000
	minDeadline = time.Millisecond
	maxDeadline = time.Minute
)

// Plugin is a block plugin "<kind>" "<name>", checked and with its defaults. Two with the same kind and name are a mistake, as
// are two enabled stores and two enabled talk plugins with one protocol.
type Plugin struct {
	Kind string // Talk, Filter or Store
	Name string // [a-z0-9][a-z0-9_-]*, at most 64 bytes

	Source   string // builtin:NAME or the path of a program; see Builtin
	Args     []string
	SHA256   string            // of the program, 64 lower-case hex digits; empty: unpinned, or a builtin
	Env      map[string]string // the whole environment of the program
	Enabled  bool
	Required bool     // the host is not ready without it
	Grants   []string // what it may ask of the host, each once, in the order of the file

	Deadline    time.Duration // of one request, 1 ms to 1 min
	MaxInFlight int           // requests that it works on at a time, 1 to 4096
	MaxPerPeer  int           // of them, those of one peer
	MaxQueue    int           // requests that wait for it, 1 to 16384

	Protocols []string // of a talk plugin: the bytes of each id, 1 to 64; empty: those that it describes

	Stages  []string // of a filter: table, serve, deliver; empty: those that it describes
	Order   int      // of a filter: the lower ones are asked first; equal ones in the order of the file
	OnError string   // of a filter: "accept" or "reject", what holds while it gives no answer
	DryRun  bool     // of a filter: its verdicts are counted and not obeyed

	Config *Body // its own settings, never nil; for DecodeBody with the schema that the plugin describes

	Range  hcl.Range            // the header of the block
	Ranges map[string]hcl.Range // of the keys that the block has

	doc    *document
	hidden map[string]bool // as in decoder
}

// Builtin returns the name of the bundled plugin that Source stands for, if it stands for one.
func (p *Plugin) Builtin() (name string, ok bool) { return strings.CutPrefix(p.Source, builtinPrefix) }

// Problem is a mistake in the block, found by whoever knows more of the plugin than this package: at key if the block has it,
// otherwise at its header. what is one line, advice says what to do.
func (p *Plugin) Problem(key, what, advice string) Problem {
	r, ok := p.Ranges[key]
	if !ok {
		r = p.Range
	}
	if p.hidden[key] {
		what, advice = key+": "+hiddenWrong, hiddenAdvice
	}
	return p.doc.problem(r, what, advice)
}

// Where is the place of key, or of the block's header when the block does not have it: "config.hcl:3:1".
func (p *Plugin) Where(key string) string { return p.Problem(key, "", "").Where }

// pluginSchema is what a block of a kind may contain.
func pluginSchema(kind string) Schema {
	most := func(n int) string { return strconv.Itoa(n) }
	s := Schema{
		Attributes: []Attribute{
			{Name: "source", Type: String, Required: true, Doc: `"builtin:NAME", or the path of a program`},
			{Name: "args", Type: StringList, Default: `[]`, Doc: "arguments of the program"},
			{Name: "sha256", Type: String, Default: `""`, Doc: "SHA-256 of the program in hex; another one is not started (empty: whatever is at its path)"},
			{Name: "env", Type: StringMap, Default: `{}`, Doc: "the whole environment of the program"},
			{Name: "enabled", Type: Bool, Default: `true`, Doc: "with false it is not started"},
			{Name: "required", Type: Bool, Default: `false`, Doc: "with true the host is not ready while the plugin does not serve"},
			{Name: "grants", Type: StringList, Default: `[]`, Doc: "what it may ask of the host", oneOf: grants},
			{Name: "deadline", Type: Duration, Default: `"300ms"`, Doc: "how long a request may take", min: minDeadline.String(), max: durationText(maxDeadline)},
			{Name: "max_in_flight", Type: Int, Default: `1024`, Doc: "requests that it works on at a time", min: "1", max: most(maxInFlight)},
			{Name: "max_per_peer", Type: Int, Default: `32`, Doc: "of them, those of one peer", min: "1", max: most(maxInFlight)},
			{Name: "max_queue", Type: Int, Default: `4096`, Doc: "requests that wait for it", min: "1", max: most(maxQueue)},
		},
		Blocks: []Block{{Name: "config", Doc: "its own settings, see host plugin describe", free: true}},
	}
	switch kind {
	case Talk:
		s.Attributes = append(s.Attributes, Attribute{Name: "protocols", Type: StringList, Default: `[]`, Doc: "protocols that it serves, as text or 0x and hex (empty: those that it says it serves)"})
	case Filter:
		s.Attributes = append(s.Attributes,
			Attribute{Name: "stages", Type: StringList, Default: `[]`, Doc: "where it is asked (empty: everywhere)", oneOf: stages},
			Attribute{Name: "order", Type: Int, Default: `0`, Doc: "filters with a lower number are asked first", min: most(-maxOrder), max: most(maxOrder)},
			Attribute{Name: "on_error", Type: String, Default: `"accept"`, Doc: "what holds while it gives no answer", oneOf: onErr},
			Attribute{Name: "dry_run", Type: Bool, Default: `false`, Doc: "with true its verdicts are counted and not obeyed"})
	}
	return s
}

// newPlugin has the defaults.
func newPlugin(kind, name string) *Plugin {
	p := &Plugin{
		Kind: kind, Name: name, Args: []string{}, Env: map[string]string{}, Enabled: true, Grants: []string{},
		Deadline: 300 * time.Millisecond, MaxInFlight: 1024, MaxPerPeer: 32, MaxQueue: 4096, Ranges: make(map[string]hcl.Range),
	}
	if kind == Filter {
		p.OnError = "accept"
	}
	return p
}
