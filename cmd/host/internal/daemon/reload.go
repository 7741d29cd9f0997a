package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/cmd/host/internal/networks"
	"github.com/discv5/host/plugins"
)

// pluginsKey names the plugin blocks in a refusal of all of them.
const pluginsKey = "plugin"

// reload takes in the configuration anew. A configuration with a mistake changes nothing: plugins that are new or changed are
// started and asked what they are before anything is taken over. What cannot change while the host runs is told, and a plugin
// that does not take its configuration goes on as it was. ctx bounds how long plugins may take.
func (h *host) reload(ctx context.Context) (result admin.ReloadResult, err error) {
	if err := h.takeTurn(ctx); err != nil {
		return result, err
	}
	defer func() { <-h.reloading }()
	defer notifyReloading()()
	fresh, blocks, ok := h.readAgain(ctx, &result)
	if ok {
		ok = h.inspect(ctx, fresh, func(p *config.Plugin) bool { return !h.runs(p) }, &result)
	}
	if ok {
		h.apply(fresh, &result)
		h.reloadPlugins(ctx, fresh.Plugins, blocks, &result)
	}
	h.ended(&result)
	return result, nil
}

// takeTurn waits until no other reload is under way.
func (h *host) takeTurn(ctx context.Context) error {
	select {
	case h.reloading <- struct{}{}:
		if ctx.Err() == nil {
			return nil
		}
		<-h.reloading
	case <-ctx.Done():
	}
	return errors.New("the host is ending")
}

// runs tells whether the configuration in force has the same block.
func (h *host) runs(p *config.Plugin) bool {
	b := block(p)
	return slices.ContainsFunc(h.loaded.Plugins, func(old *config.Plugin) bool { return sameBlock(block(old), b) })
}

// inspect asks the plugins that a reload concerns what they are, before anything is taken over. Mistakes go into the result.
func (h *host) inspect(ctx context.Context, fresh *config.Loaded, concerns func(*config.Plugin) bool, result *admin.ReloadResult) (ok bool) {
	some := *fresh
	some.Plugins = slices.DeleteFunc(slices.Clone(fresh.Plugins), func(p *config.Plugin) bool { return !concerns(p) })
	if len(some.Plugins) == 0 {
		return true
	}
	run, err := os.MkdirTemp(SocketDir(), "host-reload-")
	if err != nil {
		result.Refuse(pluginsKey, err)
		return false
	}
	defer os.RemoveAll(run)
	_, problems, err := Inspect(ctx, &some, run)
	if err != nil {
		result.Refuse(pluginsKey, err)
	}
	refuseProblems(result, problems)
	return err == nil && len(problems) == 0
}

func refuseProblems(result *admin.ReloadResult, problems config.Problems) {
	for _, p := range problems {
		result.Refused = append(result.Refused, admin.Refusal{What: p.Where, Why: p.What, Hint: p.Hint})
	}
}

// reloadPlugin replaces one plugin by what its block says now.
func (h *host) reloadPlugin(ctx context.Context, id string) (result admin.ReloadResult, err error) {
	if err := h.takeTurn(ctx); err != nil {
		return result, err
	}
	defer func() { <-h.reloading }()
	fresh, blocks, ok := h.readAgain(ctx, &result)
	if ok {
		ok = h.inspect(ctx, fresh, func(p *config.Plugin) bool { b := block(p); return b.ID() == id }, &result)
	}
	if !ok {
		h.ended(&result)
		return result, nil
	}
	i := slices.IndexFunc(blocks, func(b plugins.Block) bool { return b.ID() == id })
	if i < 0 {
		return result, hint.New(fmt.Sprintf("the configuration has no plugin %s any more", id), "host reload takes in the whole configuration")
	}
	after := h.with(fresh.Plugins[i])
	if err := h.node.SetTalkLimits(talkLimits(after)); err != nil {
		return result, err
	}
	if err := h.set.Replace(ctx, blocks[i]); err != nil {
		refuse(&result, id, err)
	} else {
		result.Changed = append(result.Changed, id)
		h.loaded.Plugins = after
	}
	h.ended(&result)
	return result, nil
}

// with are the blocks in force with another one of the same name.
func (h *host) with(p *config.Plugin) []*config.Plugin {
	all := slices.Clone(h.loaded.Plugins)
	for i, old := range all {
		if old.Kind == p.Kind && old.Name == p.Name {
			all[i] = p
		}
	}
	return all
}

// readAgain loads the configuration. Mistakes in it go into the result.
func (h *host) readAgain(ctx context.Context, result *admin.ReloadResult) (fresh *config.Loaded, blocks []plugins.Block, ok bool) {
	if h.opts.Load == nil {
		result.Refuse("configuration", hint.New("this host has no configuration to load again", "restart it"))
		return nil, nil, false
	}
	err := h.loaded.CheckReload()
	if err == nil {
		fresh, err = h.opts.Load(ctx)
	}
	if err == nil {
		blocks, err = pluginBlocks(fresh.Plugins)
	}
	if err == nil {
		return fresh, blocks, true
	}
	problems, several := errors.AsType[config.Problems](err)
	if !several {
		result.Refuse("configuration", err)
	}
	refuseProblems(result, problems)
	return nil, nil, false
}

// apply takes over the keys that the node can change while it runs. They were checked, so nothing of this fails unless the node
// is closing.
func (h *host) apply(fresh *config.Loaded, result *admin.ReloadResult) {
	now, next := &h.loaded.Config, &fresh.Config
	now.LogLevel = h.logLevel() // operators change it too, until a reload
	changed := now.Changed(next)
	take := func(concerns func(key string) bool, do func() error, took func()) {
		var keys []string
		changed = slices.DeleteFunc(changed, func(key string) bool {
			if concerns(key) {
				keys = append(keys, key)
			}
			return concerns(key)
		})
		if len(keys) == 0 {
			return
		}
		if err := do(); err != nil {
			for _, key := range keys {
				result.Refuse(key, err)
			}
			return
		}
		took()
		result.Changed = append(result.Changed, keys...)
	}
	take(in("log_level"), func() error { return h.setLogLevel(next.LogLevel) }, func() { now.LogLevel = next.LogLevel })
	take(under("limits"), func() error { return h.node.SetLimits(coreLimits(next)) }, func() { now.Limits = next.Limits })
	take(in("bans"), func() error { return h.node.SetBans(coreBans(next.Bans)) }, func() { now.Bans = next.Bans })
	take(in("network", "bootnodes"), func() error { return h.setBootnodes(next) }, func() { now.Network, now.Bootnodes = next.Network, next.Bootnodes })
	result.Restart = append(result.Restart, changed...)
}

func in(keys ...string) func(string) bool {
	return func(key string) bool { return slices.Contains(keys, key) }
}

func under(block string) func(string) bool {
	return func(key string) bool { return strings.HasPrefix(key, block+".") }
}

func (h *host) setBootnodes(cfg *config.Config) error {
	published, err := networks.Bootnodes(cfg.Network)
	if err != nil {
		return err
	}
	return h.node.SetBootnodes(others(slices.Concat(cfg.Bootnodes, published), h.id, h.log))
}

// reloadPlugins makes the plugins run as their blocks say.
func (h *host) reloadPlugins(ctx context.Context, fresh []*config.Plugin, blocks []plugins.Block, result *admin.ReloadResult) {
	before := make(map[string]plugins.Block)
	for _, p := range h.loaded.Plugins {
		b := block(p)
		before[b.ID()] = b
	}
	var changed []string
	kept := make(map[string]bool)
	for _, b := range blocks {
		old, was := before[b.ID()]
		kept[b.ID()] = true
		if was && sameBlock(old, b) {
			result.Unchanged = append(result.Unchanged, b.ID())
		} else {
			changed = append(changed, b.ID())
		}
	}
	for id := range before {
		if !kept[id] {
			changed = append(changed, id)
		}
	}
	slices.Sort(changed)
	if err := h.node.SetTalkLimits(talkLimits(fresh)); err != nil {
		result.Refuse(pluginsKey, err)
		return
	}
	failed := blockErrors(h.set.Reload(ctx, blocks))
	down := h.notServing(ctx)
	for _, id := range changed {
		switch {
		case failed[id] != nil:
		case down[id] != nil: // one that is new: it is there, and has the state that an operator sees
			result.Refuse(id, down[id])
		default:
			result.Changed = append(result.Changed, id)
		}
	}
	for id, err := range failed {
		refuse(result, id, err)
	}
	h.loaded.Plugins = inForce(h.loaded.Plugins, fresh, failed)
}

// startPatience is how long a reload waits for plugins that are new.
const startPatience = 5 * time.Second

// notServing says why enabled plugins do not serve, once those that are starting have come to an end with it.
func (h *host) notServing(ctx context.Context) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	_ = h.set.Settle(ctx) // those that take longer have not failed
	down := make(map[string]error)
	for _, s := range h.set.Status() {
		switch s.State {
		case plugins.Refused, plugins.Crashed, plugins.Backoff:
			down[s.ID] = hint.Wrap(fmt.Errorf("it is taken in, but does not serve (%v): %s", s.State, s.Reason), s.Hint)
		}
	}
	return down
}

// inForce are the blocks that run after a reload: of those that failed the old ones.
func inForce(old, fresh []*config.Plugin, failed map[string]error) (all []*config.Plugin) {
	byID := func(list []*config.Plugin, id string) *config.Plugin {
		for _, p := range list {
			if b := block(p); b.ID() == id {
				return p
			}
		}
		return nil
	}
	for _, p := range fresh {
		b := block(p)
		if failed[b.ID()] != nil {
			p = byID(old, b.ID())
		}
		if p != nil {
			all = append(all, p)
		}
	}
	for _, p := range old {
		if b := block(p); failed[b.ID()] != nil && byID(fresh, b.ID()) == nil {
			all = append(all, p) // it could not go
		}
	}
	return all
}

// sameBlock tells whether two blocks say the same.
func sameBlock(a, b plugins.Block) bool {
	a.Configure, b.Configure = nil, nil
	return reflect.DeepEqual(a, b)
}

// blockErrors are the errors of a reload by the block that they are about.
func blockErrors(err error) map[string]error {
	failed := make(map[string]error)
	var sort func(error)
	sort = func(err error) {
		var joined interface{ Unwrap() []error }
		switch one, ok := err.(*plugins.BlockError); {
		case ok:
			failed[one.ID] = one.Err
		case errors.As(err, &joined):
			for _, e := range joined.Unwrap() {
				sort(e)
			}
		case err != nil:
			failed[pluginsKey] = err
		}
	}
	sort(err)
	return failed
}

// refuse puts what did not work into the result: what needs a restart of the host is no refusal.
func refuse(result *admin.ReloadResult, id string, err error) {
	if errors.Is(err, plugins.ErrRestart) {
		result.Restart = append(result.Restart, id)
		return
	}
	if advice := plugins.Hint(err); advice != "" {
		err = hint.Wrap(err, advice)
	}
	result.Refuse(id, err)
}

// ended logs and counts what came of a reload.
func (h *host) ended(r *admin.ReloadResult) {
	r.At = time.Now()
	h.reloads.Done(r.Outcome(), r.At)
	slices.SortFunc(r.Refused, func(a, b admin.Refusal) int { return strings.Compare(a.What, b.What) })
	for _, x := range r.Refused {
		args := []any{"what", x.What, "err", x.Why}
		if x.Hint != "" {
			args = append(args, "hint", x.Hint)
		}
		h.log.Error("not taken over by the reload", args...)
	}
	if len(r.Restart) > 0 {
		h.log.Warn("changes that need a restart", "keys", strings.Join(r.Restart, " "))
	}
	h.log.Info("reload done", "result", r.Outcome(), "changed", strings.Join(r.Changed, " "))
}
