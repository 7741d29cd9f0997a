package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/build"
	"github.com/discv5/host/cmd/host/internal/builtin"
	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/shelter"
	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
)

const (
	pluginsName = "plugins" // in the data folder: a folder for each plugin
	runName     = "run"     // in the data folder: the sockets of plugins
	// maxRunDir bounds the bytes of a run folder's path: with the rest of a socket's path it must fit into 104, which is what the
	// least generous system allows.
	maxRunDir = 60
)

// openPlugins makes the plugins of a configuration, which tell changes of their states to onEvent. Nothing is started yet.
func openPlugins(loaded *config.Loaded, onEvent func(plugins.Event), log hclog.Logger) (*plugins.Set, error) {
	cfg := &loaded.Config
	data, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	run := filepath.Join(data, runName)
	if len(loaded.Plugins) > 0 {
		if run, err = runDir(cfg.RunDir, data); err != nil {
			return nil, err
		}
	}
	settings, err := pluginConfig(filepath.Join(data, pluginsName), run, log)
	if err != nil {
		return nil, err
	}
	settings.OnEvent = onEvent
	if settings.Blocks, err = pluginBlocks(loaded.Plugins); err != nil {
		return nil, err
	}
	return plugins.New(settings)
}

// pluginBlocks are the blocks in the terms of package plugins, or what is wrong with them.
func pluginBlocks(all []*config.Plugin) (blocks []plugins.Block, err error) {
	var problems config.Problems
	for _, p := range all {
		if name, ok := p.Builtin(); ok && !builtin.Has(name) {
			problems = append(problems, p.Problem("source", fmt.Sprintf("there is no bundled plugin %q", name), "bundled are "+strings.Join(builtin.Names(), ", ")))
			continue
		}
		problems = append(problems, expressionMistakes(p)...)
		blocks = append(blocks, block(p))
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return blocks, nil
}

func pluginConfig(data, run string, log hclog.Logger) (plugins.Config, error) {
	self, err := os.Executable()
	if err != nil {
		return plugins.Config{}, fmt.Errorf("find the program of the bundled plugins: %w", err)
	}
	return plugins.Config{
		DataDir: data, RunDir: run, HostVersion: build.Read().Version, Log: log,
		BuiltinPath: self, BuiltinArgs: []string{builtin.Command},
	}, nil
}

// Bundled makes a set of the bundled plugins, one of each kind, that keep their files in a folder: to show them.
func Bundled(dir string, log hclog.Logger) (*plugins.Set, error) {
	settings, err := pluginConfig(filepath.Join(dir, pluginsName), filepath.Join(dir, runName), log)
	if err != nil {
		return nil, err
	}
	settings.Blocks = []plugins.Block{
		{Kind: plugins.Talk, Name: "echo", Source: "builtin:echo"},
		{
			Kind: plugins.Filter, Name: "expr", Source: "builtin:expr", StagesImplied: true, Stages: []core.Stage{core.StageTable, core.StageServe, core.StageDeliver},
			Configure: func(*pluginpb.Description) ([]byte, error) { return []byte(`{"expression": "true"}`), nil },
		},
		{Kind: plugins.Store, Name: "bolt", Source: "builtin:bolt"},
	}
	return plugins.New(settings)
}

// talkLimits are limits of core that leave it to the blocks how much each plugin may be asked.
func talkLimits(blocks []*config.Plugin) core.TalkLimits {
	limits := core.TalkLimits{InFlight: 1024, PerPeer: 128, Deadline: 300 * time.Millisecond}
	all, perPeer := 0, 0
	for _, p := range blocks {
		if p.Kind != config.Talk || !p.Enabled {
			continue
		}
		most := p.MaxInFlight + p.MaxQueue
		all += most
		perPeer += p.MaxPerPeer
		limits.InFlight = max(limits.InFlight, all, most*4/3+1) // one protocol gets three quarters
		limits.PerPeer = max(limits.PerPeer, perPeer)
		limits.Deadline = max(limits.Deadline, p.Deadline)
	}
	return limits
}

// runDir is where the sockets are: the configured folder, the one in the data folder, or, when its path is too long for
// sockets, its shelter.
func runDir(configured, data string) (string, error) {
	if configured != "" {
		path, err := filepath.Abs(configured)
		if err == nil && len(path) > maxRunDir {
			err = hint.New(fmt.Sprintf("run_dir: the path has %d bytes, and sockets below it need one of at most %d", len(path), maxRunDir), "choose a shorter one, like /run/discv5-host")
		}
		return path, err
	}
	path := filepath.Join(data, runName)
	if len(path) <= maxRunDir {
		return path, nil
	}
	if len(shelter.Of(data)) > maxRunDir {
		return "", hint.New("neither the data folder nor the one for temporary files has a path short enough for sockets", "set run_dir to a short path, like /run/discv5-host")
	}
	path, err := shelter.Make(data)
	return path, hint.Wrap(err, "set run_dir to a folder of yours")
}

// SocketDir is where a folder for sockets goes: among the temporary files, unless their path is too long for sockets.
func SocketDir() string {
	const short = "/tmp"
	if info, err := os.Stat(short); len(os.TempDir()) > 40 && err == nil && info.IsDir() {
		return short
	}
	return os.TempDir()
}

// block is a block of the configuration in the terms of package plugins.
func block(p *config.Plugin) plugins.Block {
	b := plugins.Block{
		Kind: plugins.Kind(p.Kind), Name: p.Name, Source: p.Source, Args: p.Args, SHA256: p.SHA256, Env: p.Env,
		Disabled: !p.Enabled, Required: p.Required, Grants: p.Grants, Deadline: p.Deadline,
		Protocols: p.Protocols, MaxInFlight: p.MaxInFlight, MaxPerPeer: p.MaxPerPeer, MaxQueue: p.MaxQueue,
		StagesImplied: p.Kind == config.Filter && len(p.Stages) == 0, Order: p.Order, DryRun: p.DryRun,
		Configure:  func(d *pluginpb.Description) ([]byte, error) { return configure(p, d) },
		ConfigText: p.Config.Fingerprint(),
	}
	if p.OnError == "reject" {
		b.OnError = core.Reject
	}
	for _, s := range stagesOf(p) {
		b.Stages = append(b.Stages, s)
	}
	return b
}

// stagesOf are the stages of a filter: without any in its block all of them, as far as it describes them.
func stagesOf(p *config.Plugin) (stages []core.Stage) {
	if p.Kind != config.Filter {
		return nil
	}
	for _, s := range []core.Stage{core.StageTable, core.StageServe, core.StageDeliver} {
		wanted := len(p.Stages) == 0
		for _, name := range p.Stages {
			wanted = wanted || name == s.String()
		}
		if wanted {
			stages = append(stages, s)
		}
	}
	return stages
}

// configure checks a config block against what the plugin says about itself, and returns it as JSON.
func configure(p *config.Plugin, d *pluginpb.Description) ([]byte, error) {
	schema := Schema(d.GetConfig())
	if err := schema.Validate(); err != nil {
		return nil, fmt.Errorf("the plugin describes its config block in a way that cannot be: %w", err)
	}
	_, object, err := config.DecodeBody(p.Config, schema)
	var problems config.Problems
	if errors.As(err, &problems) { // in one line: it is for the log
		var lines []string
		for _, problem := range problems {
			line := problem.Error()
			if problem.Hint != "" {
				line += " (" + problem.Hint + ")"
			}
			lines = append(lines, line)
		}
		return nil, errors.New(strings.Join(lines, "; "))
	}
	return object, err
}

// Schema is a plugin's schema in the terms of package config.
func Schema(s *pluginpb.ConfigSchema) (schema config.Schema) {
	types := map[pluginpb.ConfigType]config.Type{
		pluginpb.ConfigType_CONFIG_TYPE_STRING:      config.String,
		pluginpb.ConfigType_CONFIG_TYPE_INT:         config.Int,
		pluginpb.ConfigType_CONFIG_TYPE_FLOAT:       config.Float,
		pluginpb.ConfigType_CONFIG_TYPE_BOOL:        config.Bool,
		pluginpb.ConfigType_CONFIG_TYPE_DURATION:    config.Duration,
		pluginpb.ConfigType_CONFIG_TYPE_STRING_LIST: config.StringList,
		pluginpb.ConfigType_CONFIG_TYPE_STRING_MAP:  config.StringMap,
	}
	for _, a := range s.GetAttributes() {
		schema.Attributes = append(schema.Attributes, config.Attribute{
			Name: a.Name, Type: types[a.Type], Required: a.Required, Default: a.DefaultJson, Doc: a.Doc, Secret: a.Secret,
		})
	}
	for _, b := range s.GetBlocks() {
		schema.Blocks = append(schema.Blocks, config.Block{
			Name: b.Name, Repeated: b.Repeated, Required: b.Required, Schema: Schema(b.Schema), Doc: b.Doc,
		})
	}
	return schema
}
