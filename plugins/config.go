package plugins

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins/internal/supervise"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
)

// Kind is what a plugin adds.
type Kind string

// The kinds.
const (
	Talk   Kind = "talk"
	Filter Kind = "filter"
	Store  Kind = "store"
)

// Config says which plugins to run. DataDir and RunDir are required.
type Config struct {
	Blocks []Block
	// DataDir is where each plugin has a directory of its own, which outlives it.
	DataDir string
	// RunDir is where the sockets are, in directories of their own. Its path should be short; /run is a good place. What
	// hosts that were killed left there is removed by Run.
	RunDir string
	// BuiltinPath and BuiltinArgs are how to run a bundled plugin: its name comes behind the arguments.
	BuiltinPath string
	BuiltinArgs []string
	// HostVersion is what plugins are told.
	HostVersion string
	// OnEvent is called for each change of a plugin's state, by one goroutine per plugin. It must not block, nor call the Set.
	OnEvent func(Event)
	// Log takes what happens to plugins and what they write; nil discards it.
	Log hclog.Logger

	policy supervise.Policy // tests are quicker
	timing timing
}

// complete sets defaults and makes paths absolute: a plugin has another working directory.
func (c *Config) complete() (err error) {
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	c.timing.setDefaults()
	for _, dir := range []*string{&c.DataDir, &c.RunDir} {
		if *dir == "" {
			continue
		}
		if *dir, err = filepath.Abs(*dir); err != nil {
			return fmt.Errorf("plugins: %w", err)
		}
	}
	return nil
}

// timing is how long things may take.
type timing struct {
	start, configure, drain, grace time.Duration
	claim                          time.Duration // at the first start, for the protocols of those before
	health, healthTimeout, silence time.Duration
	starved                        time.Duration // of a talk plugin that owes all its responses; 0: as long as package link says
}

func (t *timing) setDefaults() {
	orDefault(&t.start, 10*time.Second)
	orDefault(&t.configure, 30*time.Second)
	orDefault(&t.claim, 2*time.Second)
	orDefault(&t.drain, 2*time.Second)
	orDefault(&t.grace, 500*time.Millisecond)
	orDefault(&t.health, 5*time.Second)
	orDefault(&t.healthTimeout, 5*time.Second)
	orDefault(&t.silence, 15*time.Second)
}

func orDefault[T comparable](v *T, d T) {
	if *v == *new(T) {
		*v = d
	}
}

// Block is one plugin.
type Block struct {
	Kind Kind
	Name string // the label: a-z, 0-9, _ and -, a letter or digit first; at most 64 bytes, unique in its kind

	Source   string            // "builtin:NAME", or the path of a program
	Args     []string          // of the program
	SHA256   string            // of the program, in hex; empty: not checked
	Env      map[string]string // its environment
	Disabled bool              // it is not started until an operator says so
	Required bool              // without it the host is not ready
	Grants   []string          // the host calls that it may make

	// Configure checks the config block against what the plugin says about itself and returns it as JSON. An error refuses the plugin.
	// nil: an empty block.
	Configure func(*pluginpb.Description) ([]byte, error)
	// ConfigText stands for the config block: Reload replaces a plugin when it differs.
	ConfigText string

	// Deadline is how long a request may take; 300 ms. Of a talk request core's own deadline is another bound.
	Deadline time.Duration

	// Of a talk plugin:
	Protocols   []string // exact bytes; empty: those that it describes. Of two plugins that want the same one the first of the configuration has it
	MaxInFlight int      // requests without an answer; 1024, at most 4096
	MaxPerPeer  int      // of them, those of one peer; 32
	MaxQueue    int      // requests that wait; 4096, at most 16,384

	// Of a filter plugin:
	Stages        []core.Stage  // at least one
	StagesImplied bool          // nobody chose Stages: of them it is asked at those that it describes. Otherwise it is refused when it does not describe one
	Order         int           // the lower ones are asked first
	OnError       core.Decision // in place of a filter that fails; Accept
	DryRun        bool          // it decides nothing
}

// ID is the name of the block among all: "talk.echo".
func (b *Block) ID() string { return string(b.Kind) + "." + b.Name }

func (b *Block) setDefaults() {
	orDefault(&b.Deadline, 300*time.Millisecond)
	orDefault(&b.MaxInFlight, 1024)
	orDefault(&b.MaxPerPeer, 32)
	orDefault(&b.MaxQueue, 4096)
	orDefault(&b.OnError, core.Accept)
}

// same tells whether another block would run the same plugin in the same way.
func (b *Block) same(o *Block) bool {
	return b.Kind == o.Kind && b.Name == o.Name && b.Source == o.Source && slices.Equal(b.Args, o.Args) && b.SHA256 == o.SHA256 &&
		maps.Equal(b.Env, o.Env) && b.Disabled == o.Disabled && slices.Equal(b.Grants, o.Grants) && b.ConfigText == o.ConfigText &&
		b.Deadline == o.Deadline && slices.Equal(b.Protocols, o.Protocols) && b.MaxInFlight == o.MaxInFlight && b.MaxPerPeer == o.MaxPerPeer &&
		b.MaxQueue == o.MaxQueue && b.sameFilter(o)
}

// sameFilter tells whether core would use the filter of another block in the same way.
func (b *Block) sameFilter(o *Block) bool {
	return slices.Equal(b.Stages, o.Stages) && b.StagesImplied == o.StagesImplied && b.Order == o.Order && b.OnError == o.OnError && b.DryRun == o.DryRun &&
		(b.Kind != Filter || b.Deadline == o.Deadline)
}

// sameProcess tells whether the process of a filter would do for another block: only what core does with it differs.
func (b *Block) sameProcess(o *Block) bool {
	p := *o
	p.Order, p.OnError, p.DryRun, p.Deadline = b.Order, b.OnError, b.DryRun, b.Deadline
	return b.same(&p)
}

// command is the program of a block.
func (c *Config) command(b *Block) (path string, args []string) {
	if name, ok := strings.CutPrefix(b.Source, builtinPrefix); ok {
		return c.BuiltinPath, append(append(slices.Clone(c.BuiltinArgs), name), b.Args...)
	}
	path, err := filepath.Abs(b.Source)
	if err != nil {
		path = b.Source
	}
	return path, b.Args
}

const (
	builtinPrefix = "builtin:"
	maxBlocks     = 64
	maxName       = 64
)

var labelForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// Validate reports everything that is wrong with a configuration, joined.
func (c *Config) Validate() error {
	var errs []error
	if c.DataDir == "" {
		errs = append(errs, errors.New("plugins: no data directory"))
	}
	if c.RunDir == "" {
		errs = append(errs, errors.New("plugins: no run directory"))
	}
	if len(c.Blocks) > maxBlocks {
		errs = append(errs, fmt.Errorf("plugins: %d plugins, and %d are the most", len(c.Blocks), maxBlocks))
	}
	return errors.Join(append(errs, c.validateBlocks(c.Blocks))...)
}

func (c *Config) validateBlocks(blocks []Block) error {
	var errs []error
	seen := make(map[string]bool)
	served := make(map[string]string)
	store := ""
	for i := range blocks {
		b := &blocks[i]
		if err := c.validateBlock(b); err != nil {
			errs = append(errs, err)
		}
		if seen[b.ID()] {
			errs = append(errs, fmt.Errorf("plugins: %s is there twice", b.ID()))
		}
		seen[b.ID()] = true
		if b.Disabled {
			continue
		}
		if b.Kind == Store {
			if store != "" {
				errs = append(errs, fmt.Errorf("plugins: both %s and %s are enabled, and a host has one store", store, b.ID()))
			}
			store = b.ID()
		}
		for _, p := range b.Protocols {
			if other, taken := served[p]; taken && other != b.ID() {
				errs = append(errs, &ConflictError{Protocol: p, First: other, Second: b.ID()})
			}
			served[p] = b.ID()
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateBlock(b *Block) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("plugins: %s: %s", b.ID(), fmt.Sprintf(format, args...)))
	}
	if b.Kind != Talk && b.Kind != Filter && b.Kind != Store {
		bad("%q is no kind of plugin", b.Kind)
	}
	if len(b.Name) > maxName || !labelForm.MatchString(b.Name) {
		bad("%q is no name of a plugin", b.Name)
	}
	switch name, builtin := strings.CutPrefix(b.Source, builtinPrefix); {
	case b.Source == "" || builtin && name == "":
		bad("no source")
	case builtin && b.SHA256 != "":
		bad("a bundled plugin is the host itself and cannot be pinned")
	case builtin && c.BuiltinPath == "":
		bad("this host has no bundled plugins")
	}
	if sum, err := hex.DecodeString(b.SHA256); b.SHA256 != "" && (err != nil || len(sum) != 32) {
		bad("%q is no SHA-256", b.SHA256)
	}
	for k := range b.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.Contains(b.Env[k], "\x00") {
			bad("%q cannot be a variable of an environment", k)
		}
	}
	for _, g := range b.Grants {
		if !slices.Contains(Grants(), g) {
			bad("%q is no grant", g)
		}
	}
	for _, p := range b.Protocols {
		if p == "" || len(p) > maxName {
			bad("a protocol's name has %d bytes", len(p))
		}
	}
	if b.Kind == Filter && len(b.Stages) == 0 {
		bad("a filter has at least one stage")
	}
	for _, s := range b.Stages {
		if s > core.StageDeliver {
			bad("unknown stage %d", s)
		}
	}
	if b.OnError > core.Reject {
		bad("unknown decision %d on errors", b.OnError)
	}
	if b.Deadline < 0 || b.MaxInFlight < 0 || b.MaxPerPeer < 0 || b.MaxQueue < 0 {
		bad("a bound is negative")
	}
	return errors.Join(errs...)
}

// Grants are the names of all grants.
func Grants() []string {
	return []string{"self", "ping", "findnode", "talk", "lookup", "resolve", "closest", "sample", "watch", "record", "kv", "ban", "metrics"}
}
