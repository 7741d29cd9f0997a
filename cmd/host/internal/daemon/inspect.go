package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/discv5/host/cmd/host/internal/builtin"
	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/plainfile"
	"github.com/discv5/host/plugins"
	"github.com/discv5/host/sdk/expr"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
)

const (
	inspectLimit   = 20 * time.Second // for one plugin: start, description and end
	inspectAtATime = 4
)

// Inspection is what is known of an enabled plugin block.
type Inspection struct {
	Plugin *config.Plugin
	About  *pluginpb.Description // nil: it was not asked

	problems config.Problems
}

// Inspect checks the plugin blocks of a configuration, beyond what package config knows, and returns every mistake: bundled plugins,
// programs, checksums, values. When run is a folder, which must be empty and have a short path, it also starts each enabled plugin,
// asks what it is, ends it, and holds the block against that. A plugin has 20 s. The error is that of ctx.
func Inspect(ctx context.Context, loaded *config.Loaded, run string) ([]Inspection, config.Problems, error) {
	var all []Inspection
	for _, p := range loaded.Plugins {
		if p.Enabled {
			all = append(all, Inspection{Plugin: p})
		}
	}
	slots := make(chan struct{}, inspectAtATime)
	var working sync.WaitGroup
	for i := range all {
		working.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			all[i].look(ctx, run)
		})
	}
	working.Wait()
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("look at the plugins: %w", err)
	}
	var problems config.Problems
	if loaded.Config.RunDir != "" && len(loaded.Plugins) > 0 {
		if _, err := runDir(loaded.Config.RunDir, ""); err != nil {
			problems = append(problems, loaded.Problem("run_dir", err.Error(), hint.Of(err)))
		}
	}
	protocols := make(map[string]*config.Plugin)
	next := 0
	for _, p := range loaded.Plugins { // problems in the order of the blocks
		if p.Enabled {
			all[next].claim(protocols)
			problems = append(problems, all[next].problems...)
			next++
		} else if problem, bad := unknownBuiltin(p); bad {
			problems = append(problems, problem)
		}
	}
	return all, problems, nil
}

func (i *Inspection) add(key, what, advice string) {
	i.problems = append(i.problems, i.Plugin.Problem(key, what, advice))
}

// look checks one block.
func (i *Inspection) look(ctx context.Context, run string) {
	p := i.Plugin
	if problem, bad := unknownBuiltin(p); bad {
		i.problems = append(i.problems, problem)
	} else {
		i.program()
	}
	expression := expressionMistakes(p)
	if run == "" || len(i.problems) > 0 {
		i.problems = append(append(i.problems, p.Config.Mistakes()...), expression...)
		return
	}
	defer func() { i.problems = append(i.problems, expression...) }()
	path, _ := filepath.Abs(p.Source) // what a start of it would call it
	settings, err := pluginConfig("", run, hclog.NewNullLogger())
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, inspectLimit)
		defer cancel()
		i.About, err = plugins.Describe(ctx, settings, block(p))
	}
	if err != nil {
		b, text := block(p), err.Error()
		for _, known := range []string{"plugins: " + b.ID() + ": ", strconv.Quote(path) + ": "} {
			text = strings.TrimPrefix(text, known)
		}
		i.add("source", "describe the plugin: "+text, plugins.Hint(err))
		return
	}
	i.compare()
}

// unknownBuiltin tells of a source that names no bundled plugin.
func unknownBuiltin(p *config.Plugin) (problem config.Problem, bad bool) {
	name, ok := p.Builtin()
	if !ok || builtin.Has(name) {
		return problem, false
	}
	return p.Problem("source", fmt.Sprintf("there is no bundled plugin %q", name), "bundled are "+strings.Join(builtin.Names(), ", ")), true
}

// program checks that there is one, and that it is the one that is pinned.
func (i *Inspection) program() {
	p := i.Plugin
	if _, bundled := p.Builtin(); bundled {
		return
	}
	path, err := filepath.Abs(p.Source)
	if err == nil {
		_, err = exec.LookPath(path)
	}
	info, _ := os.Stat(path)
	switch {
	case info != nil && info.IsDir():
		i.add("source", fmt.Sprintf("%s is a folder, no program", p.Source), "give the path of the plugin's program")
	case errors.Is(err, fs.ErrNotExist):
		i.add("source", fmt.Sprintf("there is no program at %s", p.Source), "a path starts at the folder of the configuration file; build the plugin, or mend the path")
	case errors.Is(err, fs.ErrPermission):
		i.add("source", fmt.Sprintf("%s may not be executed", p.Source), "chmod +x makes it a program")
	case err != nil:
		i.add("source", fmt.Sprintf("%s is no program: %v", p.Source, errors.Unwrap(err)), "give the path of the plugin's program")
	case p.SHA256 != "":
		i.checksum(path)
	}
}

func (i *Inspection) checksum(path string) {
	f, _, err := plainfile.Open(path)
	if err != nil {
		i.add("source", err.Error(), "this user must be able to read the program to check it")
		return
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		i.add("source", err.Error(), "")
	} else if got := hex.EncodeToString(sum.Sum(nil)); got != i.Plugin.SHA256 {
		i.add("sha256", "sha256: the program has the checksum "+got, "if that is the program you trust, write this checksum; else find out who changed it")
	}
}

// serves is what a plugin of a kind serves.
var serves = map[string]string{config.Talk: pluginpb.TalkService, config.Filter: pluginpb.FilterService, config.Store: pluginpb.StoreService}

// compare holds the block against what the plugin says about itself.
func (i *Inspection) compare() {
	p, about := i.Plugin, i.About
	if !slices.Contains(about.GetServices(), serves[p.Kind]) {
		advice := "it serves no kind of plugin that this host knows"
		for _, kind := range config.Kinds() {
			if slices.Contains(about.GetServices(), serves[kind]) {
				advice = fmt.Sprintf("write plugin %q %q", kind, p.Name)
			}
		}
		i.add("", fmt.Sprintf("%s is no %s plugin", about.GetName(), p.Kind), advice)
		return // what else it says is about something else
	}
	missing := slices.DeleteFunc(slices.Clone(about.GetNeeds()), func(need string) bool { return slices.Contains(p.Grants, need) })
	if len(missing) > 0 {
		all := append(slices.Clone(p.Grants), missing...)
		i.add("grants", fmt.Sprintf("grants: %s needs %s and does not have it", about.GetName(), strings.Join(missing, ", ")),
			fmt.Sprintf("if you trust it with that, write grants = [\"%s\"]", strings.Join(all, `", "`)))
	}
	if described := about.GetFilter().GetStages(); p.Kind == config.Filter && len(described) > 0 {
		for _, stage := range p.Stages {
			if !slices.Contains(described, stage) {
				i.add("stages", fmt.Sprintf("stages: %s does not decide at %q", about.GetName(), stage), "it decides at "+strings.Join(described, ", "))
			}
		}
	}
	schema := Schema(about.GetConfig())
	if err := schema.Validate(); err != nil {
		i.add("source", fmt.Sprintf("%s describes its config block in a way that cannot be: %v", about.GetName(), err), "tell its author")
		return
	}
	if _, _, err := config.DecodeBody(p.Config, schema); err != nil {
		if problems, ok := errors.AsType[config.Problems](err); ok {
			i.problems = append(i.problems, problems...)
		} else {
			i.add("config", err.Error(), "")
		}
	}
}

// expressionMistakes compiles the expression of the bundled filter, which is what operators write most and get wrong first. One that
// names schedules of its own is left to the plugin.
func expressionMistakes(p *config.Plugin) (problems config.Problems) {
	text, ok := p.Config.Text("expression")
	_, scheduled := p.Config.Text("schedules")
	if name, _ := p.Builtin(); name != "expr" || !ok || scheduled || !p.Enabled {
		return nil
	}
	_, err := expr.Compile(text)
	if mistakes, ok := errors.AsType[*expr.Error](err); ok {
		for _, m := range mistakes.Problems {
			problems = append(problems, p.Config.Problem("expression", m.Line, m.Column, "config.expression: "+m.Message, "sdk/expr/README.md describes the language"))
		}
	}
	return problems
}

// claim takes the protocols that a talk plugin describes and its block does not choose; those of blocks package config has compared.
func (i *Inspection) claim(taken map[string]*config.Plugin) {
	p := i.Plugin
	if p.Kind != config.Talk || i.About == nil {
		return
	}
	for _, id := range i.Protocols() {
		if first := taken[id]; first != nil {
			i.add("protocols", fmt.Sprintf("plugin %q already serves %q", first.Name, config.ProtocolText(id)),
				fmt.Sprintf("a protocol belongs to one plugin: choose with protocols here or in the block at %s", first.Where("")))
			continue
		}
		taken[id] = p
	}
	if len(i.Protocols()) == 0 {
		i.add("", fmt.Sprintf("neither %s nor its block names a protocol", i.About.GetName()), "write protocols = [ … ]")
	}
}

// Protocols are the bytes of the ids that a talk plugin is to serve.
func (i *Inspection) Protocols() (ids []string) {
	if len(i.Plugin.Protocols) > 0 || i.About == nil {
		return i.Plugin.Protocols
	}
	for _, id := range i.About.GetTalk().GetProtocols() {
		ids = append(ids, string(id))
	}
	return ids
}
