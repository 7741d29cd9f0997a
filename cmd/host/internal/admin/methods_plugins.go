package admin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/discv5/host/plugins"

	"github.com/discv5/host/cmd/host/internal/nearest"
)

// keptLines is how many of the last lines of a process are kept, with together keptBytes.
const (
	keptLines = 20
	keptBytes = 4 << 10
)

// pluginStatus reads the name of a plugin, "talk.echo", or "echo" if there is one plugin of that name.
func (a *args) pluginStatus(i int) (plugins.Status, error) {
	name, err := a.text(i, "the name of a plugin, like talk.echo")
	if err != nil {
		return plugins.Status{}, err
	}
	set := a.s.cfg.Plugins
	if set == nil {
		return plugins.Status{}, fail(CodeNotFound, "this host has no plugins", "unknown_plugin", "")
	}
	all := set.Status()
	var found []plugins.Status
	for _, p := range all {
		if p.ID == name {
			return p, nil
		}
		if p.Name == name {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		advice := "host_plugins lists them"
		if near := nearest.Word(name, pluginNames(all)); near != "" {
			advice = "did you mean " + near + "?"
		}
		return plugins.Status{}, fail(CodeNotFound, fmt.Sprintf("there is no plugin %q", name[:min(len(name), 100)]), "unknown_plugin", advice)
	case 1:
		return found[0], nil
	}
	return plugins.Status{}, fail(CodeNotFound, fmt.Sprintf("%q is the name of both %s and %s", name, found[0].ID, found[1].ID), "unknown_plugin", "put the kind in front, as in "+found[0].ID)
}

func (a *args) pluginID(i int) (string, error) {
	p, err := a.pluginStatus(i)
	return p.ID, err
}

func pluginNames(all []plugins.Status) (names []string) {
	for _, p := range all {
		names = append(names, p.ID, p.Name)
	}
	return names
}

// pluginAction does something to a plugin and shows it then.
func pluginAction(act func(Plugins, context.Context, string) error) func(context.Context, *args) (any, error) {
	return func(ctx context.Context, a *args) (any, error) {
		name, err := a.pluginID(0)
		if err != nil {
			return nil, err
		}
		if err := act(a.s.cfg.Plugins, ctx, name); err != nil {
			return nil, err
		}
		return showPlugin(ctx, a)
	}
}

func showPlugin(_ context.Context, a *args) (any, error) {
	p, err := a.pluginStatus(0)
	if err != nil {
		return nil, err
	}
	return pluginView(p), nil
}

// pluginLogs shows the last lines of a plugin; those of its present process end with the newest.
func pluginLogs(_ context.Context, a *args) (any, error) {
	p, err := a.pluginStatus(0)
	if err != nil {
		return nil, err
	}
	most := keptLines
	if a.has(1) && (json.Unmarshal(a.values[1], &most) != nil || most < 1) {
		return nil, a.bad(1, "a number of lines from 1")
	}
	last := func(lines []string) []string { return list(lines[max(len(lines)-most, 0):]) }
	v := LogsView{ID: p.ID, State: p.State.String(), PID: p.PID, Lines: last(p.LastLines), MostLines: keptLines, MostBytes: keptBytes}
	if p.LastExit != "" {
		v.LastExit = &ExitView{p.LastExit, p.ExitAt, last(p.ExitLines)}
	}
	return v, nil
}
