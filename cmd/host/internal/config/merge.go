package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/knadh/koanf/v2"
)

// readFiles loads the files into k, the later ones above the earlier, and their origins into origins.
func (l *Loaded) readFiles(ctx context.Context, src Sources, k *koanf.Koanf, origins map[string]Origin) (Problems, error) {
	sources, problems, err := src.sources()
	if err != nil || len(problems) > 0 {
		return problems, err
	}
	var parsers []*parser
	for _, file := range sources {
		l.Files = append(l.Files, file.path)
		p := &parser{file: file.path, schema: top, env: src.Env}
		provider := &fileProvider{ctx: ctx, path: file.path}
		err := k.Load(provider, p)
		if _, bad := errors.AsType[Problems](err); bad {
			err = k.Load(p.good, nil) // what is right in the file
		}
		if err != nil {
			return nil, err
		}
		if provider.pipe {
			l.pipe = file.path
		}
		if file.folder != "" {
			p.onlyIn(sources, parsers, file.folder)
		}
		maps.Copy(origins, p.origins)
		parsers = append(parsers, p)
	}
	l.Plugins = together(parsers)
	for _, p := range parsers {
		p.problems.sort()
		problems = append(problems, p.problems...)
	}
	return problems, nil
}

// onlyIn reports keys that a file of the same folder has too: which of them would count is nothing that their names should decide.
func (p *parser) onlyIn(sources []source, before []*parser, folder string) {
	for _, key := range slices.Sorted(maps.Keys(p.origins)) {
		for i, other := range before {
			first, ok := other.origins[key]
			if ok && sources[i].folder == folder {
				problem := p.origins[key].problem
				problem.What = fmt.Sprintf("%s is in two files of the folder %s", key, folder)
				problem.Hint = "leave one out; the other one is at " + first.Where
				p.report(problem)
				break
			}
		}
	}
}

// together returns the plugins of all files in their order, and reports what cannot be together to the file of the later one.
func together(parsers []*parser) []*Plugin {
	var all []*Plugin
	owner := make(map[*document]*parser)
	for _, p := range parsers {
		owner[p.doc] = p
	}
	for _, p := range parsers {
		for _, plugin := range p.plugins {
			if i := slices.IndexFunc(all, func(o *Plugin) bool { return o.Kind == plugin.Kind && o.Name == plugin.Name }); i >= 0 {
				p.report(plugin.Problem("", fmt.Sprintf("plugin %q %q appears twice", plugin.Kind, plugin.Name),
					fmt.Sprintf("give it another name; the first one is at %s", all[i].Where(""))))
				continue
			}
			if len(all) == maxPlugins {
				p.report(plugin.Problem("", fmt.Sprintf("more than %d plugins", maxPlugins), "leave some out"))
				return all
			}
			all = append(all, plugin)
		}
	}
	conflicts(all, func(plugin *Plugin, problem Problem) { owner[plugin.doc].report(problem) })
	return all
}

// CheckReload says why the files cannot be read again, as a plain error with a hint; nil: Load with the same Sources reads them.
func (l *Loaded) CheckReload() error {
	if l.pipe == "" {
		return nil
	}
	return hint.New(fmt.Sprintf("the configuration came through the pipe %s, which is empty now", l.pipe), "give a file with --config, and start again")
}
