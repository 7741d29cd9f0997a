package plugins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins/internal/link"
	"github.com/discv5/host/plugins/internal/process"
)

// Set is the plugins of a host. All methods may be called from any goroutine.
//
// A host makes a Set, makes a core.Node with the set's Filters and Store, and calls Run with it. At its end it calls
// Quiesce, closes the node, which writes its last entries to the store, and calls Close. When filter blocks come, go or change, the
// node gets the set's Filters and no others.
type Set struct {
	cfg Config

	// set by Run
	node      *core.Node
	services  link.Services
	protocols *protocols

	reload  sync.Mutex // held by one Reload at a time; it protects nothing else
	telling sync.Mutex // held while core is told of filters, which never calls back

	mu      sync.Mutex // a leaf
	keepers []*keeper  // in the order of the configuration
	running bool
	closed  bool
}

// New makes the set of a configuration. It starts nothing.
func New(cfg Config) (*Set, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Set{cfg: cfg}
	for _, b := range cfg.Blocks {
		b.setDefaults()
		k := newKeeper(s, b)
		k.joined = b.Kind == Filter && !b.Disabled
		s.keepers = append(s.keepers, k)
	}
	s.cfg.Blocks = nil
	return s, nil
}

// Filters are the filter plugins as core has them, for its Config: those that are asked first come first. A plugin that Reload
// added is among them when it was started once; one that is disabled is not.
func (s *Set) Filters() (all []core.FilterConfig) {
	var blocks []Block
	slots, uniform := make(map[string]*slot[core.Filter]), make(map[string]bool)
	for _, k := range s.all() {
		k.mu.Lock()
		if k.joined {
			b := k.now.block
			if len(k.now.stages) > 0 {
				b.Stages = k.now.stages
			}
			blocks = append(blocks, b)
			slots[b.Name], uniform[b.Name] = k.filter, k.now.uniform
		}
		k.mu.Unlock()
	}
	slices.SortStableFunc(blocks, func(a, b Block) int { return cmp.Compare(a.Order, b.Order) })
	for _, b := range blocks {
		all = append(all, core.FilterConfig{
			Name: b.Name, Filter: filterSlot{slots[b.Name]}, Stages: b.Stages, Uniform: uniform[b.Name], OnError: b.OnError, DryRun: b.DryRun,
			Deadline: b.Deadline,
		})
	}
	return all
}

// tellFilters makes core use the filters as they are now.
func (s *Set) tellFilters() {
	s.telling.Lock()
	defer s.telling.Unlock()
	if err := s.node.SetFilters(s.Filters()); err != nil && !errors.Is(err, core.ErrClosed) {
		s.cfg.Log.Error("filters stay as they were", "err", err)
	}
}

// Store is the store plugin as core has it, for its Config; nil when there is none that is enabled.
func (s *Set) Store() core.Store {
	for _, k := range s.all() {
		if k.kind == Store && !k.block.Disabled {
			return storeSlot{k.store}
		}
	}
	return nil
}

// Run removes what killed hosts left behind and starts the plugins. It does not wait for them; see Settle. It may be called
// once. Without plugins it makes no directories.
func (s *Set) Run(node *core.Node) error {
	if len(s.all()) > 0 {
		if err := s.makeDirs(); err != nil {
			return err
		}
	}
	swept, err := process.Sweep(s.cfg.RunDir, s.cfg.Log)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("plugins: run directory: %w", err)
	}
	if swept != (process.Swept{}) {
		s.cfg.Log.Info("what a killed host left was removed", "count", swept.Dirs, "processes", swept.Processes)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running || s.closed {
		return ErrClosed
	}
	s.node, s.services = node, link.FromCore(node)
	s.protocols = &protocols{node: node, served: make(map[string]*served)}
	s.running = true
	var earlier []*keeper
	for _, k := range s.keepers {
		if k.kind == Talk {
			k.earlier = slices.Clone(earlier)
			earlier = append(earlier, k)
		}
		s.launch(k)
	}
	return nil
}

func (s *Set) makeDirs() error {
	for _, dir := range []string{s.cfg.DataDir, s.cfg.RunDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("plugins: %w", err)
		}
	}
	return nil
}

// launch starts the goroutine of a keeper.
func (s *Set) launch(k *keeper) {
	if b := &k.block; b.SHA256 == "" && !strings.HasPrefix(b.Source, builtinPrefix) {
		s.cfg.Log.Warn("plugin is not pinned", "plugin", k.id, "hint", "sha256 in its block names the program that may run")
	}
	go k.run()
}

// Settle waits until each plugin was started once, with success or without, or until ctx ends.
func (s *Set) Settle(ctx context.Context) error {
	for _, k := range s.all() {
		select {
		case <-k.tried:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Missing are the required plugins that do not serve.
func (s *Set) Missing() (ids []string) {
	for _, st := range s.Status() {
		if st.Required && !st.State.Serves() {
			ids = append(ids, st.ID)
		}
	}
	return ids
}

func (s *Set) all() []*keeper {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keepers)
}

// find returns the plugin with an id, "talk.echo", or with a name that is unique, "echo".
func (s *Set) find(name string) (*keeper, error) {
	var found []*keeper
	for _, k := range s.all() {
		if k.id == name {
			found = []*keeper{k}
			break
		}
		if _, label, _ := strings.Cut(k.id, "."); label == name {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
	case 1:
		return found[0], s.runs()
	}
	return nil, fmt.Errorf("%w: %q is the name of both %s and %s", ErrUnknown, name, found[0].id, found[1].id)
}

func (s *Set) runs() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running || s.closed {
		return ErrClosed
	}
	return nil
}

// Restart starts a plugin that does not run, whatever ended it, and replaces one that does by a new process without losing a
// request. It returns when the plugin serves, or why it does not.
func (s *Set) Restart(ctx context.Context, name string) error {
	k, err := s.find(name)
	if err != nil {
		return err
	}
	return k.do(ctx, true, func(ctx context.Context) error { return k.restart(ctx, "an operator restarted it") })
}

// Disable drains a plugin and ends it, until Enable or Restart.
func (s *Set) Disable(ctx context.Context, name string) error {
	k, err := s.find(name)
	if err != nil {
		return err
	}
	return k.do(ctx, true, func(context.Context) error { return k.disable("an operator disabled it") })
}

// Enable starts a plugin that does not run, and leaves alone one that does.
func (s *Set) Enable(ctx context.Context, name string) error {
	k, err := s.find(name)
	if err != nil {
		return err
	}
	return k.do(ctx, false, func(ctx context.Context) error {
		if k.current() != nil {
			return nil
		}
		return k.restart(ctx, "an operator enabled it")
	})
}

// Replace makes a plugin run as a new block of the same kind and name says, without losing a request; with the same block, by a new process. When the new one does
// not start, the old one goes on, and the error says why.
func (s *Set) Replace(ctx context.Context, b Block) error {
	b.setDefaults()
	if err := s.cfg.validateBlock(&b); err != nil {
		return err
	}
	k, err := s.find(b.ID())
	if err != nil {
		return err
	}
	return k.do(ctx, true, func(ctx context.Context) error {
		reason := "its configuration changed"
		if k.block.same(&b) {
			reason = "an operator reloaded it"
		}
		if b.Kind == Filter {
			return k.replaceFilter(ctx, b, reason)
		}
		return k.replace(ctx, b, reason)
	})
}

// Reload makes the set run the plugins of a new configuration: unchanged ones stay, changed ones are replaced, talk and
// filter plugins come and go. A filter whose order, on_error, dry_run or deadline changed goes on; one that is new decides when it was started once. A
// protocol that its block names moves to a plugin from one that gives it up, in whatever order they are; see DESIGN.md for what cannot
// move. A store that comes or goes is ErrRestart, and its change is left out. The error joins a *BlockError for each that failed, which goes on as it
// was.
func (s *Set) Reload(ctx context.Context, blocks []Block) error {
	s.reload.Lock()
	defer s.reload.Unlock()
	if err := s.runs(); err != nil {
		return err
	}
	if err := s.cfg.validateBlocks(blocks); err != nil {
		return err
	}
	var errs []error
	wanted := make(map[string]*Block)
	for i := range blocks {
		blocks[i].setDefaults()
		wanted[blocks[i].ID()] = &blocks[i]
	}
	for _, k := range s.all() { // those that go first: others may want their protocols
		if wanted[k.id] == nil {
			errs = append(errs, inBlock(k.id, s.drop(ctx, k)))
		}
	}
	s.protocols.move(blocks)
	for i := range blocks {
		err := s.bringUpToDate(ctx, blocks[i])
		if err != nil {
			s.protocols.stay(blocks[i].ID())
		}
		errs = append(errs, inBlock(blocks[i].ID(), err))
	}
	s.arrange(blocks)
	return errors.Join(errs...)
}

// arrange puts the keepers into the order of a configuration, behind them those that it does not have.
func (s *Set) arrange(blocks []Block) {
	place := make(map[string]int)
	for i := range blocks {
		place[blocks[i].ID()] = i - len(blocks)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(s.keepers, func(a, b *keeper) int { return cmp.Compare(place[a.id], place[b.id]) })
}

func (s *Set) bringUpToDate(ctx context.Context, b Block) error {
	k, err := s.find(b.ID())
	if errors.Is(err, ErrUnknown) {
		return s.add(b)
	}
	if err != nil {
		return err
	}
	same := false
	err = k.do(ctx, false, func(context.Context) error {
		same = k.block.same(&b)
		k.block.Required = b.Required
		k.publish(nil)
		if same {
			return k.reclaim()
		}
		return nil
	})
	if err != nil || same {
		return err
	}
	return s.Replace(ctx, b)
}

// add starts a plugin that is new. It does not wait for it.
func (s *Set) add(b Block) error {
	if b.Kind == Store {
		return fmt.Errorf("%w: %s is new", ErrRestart, b.ID())
	}
	if err := s.makeDirs(); err != nil {
		return err
	}
	k := newKeeper(s, b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.keepers = append(s.keepers, k)
	s.launch(k)
	return nil
}

// drop ends a plugin that is not wanted any more.
func (s *Set) drop(ctx context.Context, k *keeper) error {
	if k.kind == Store {
		return fmt.Errorf("%w: %s is gone", ErrRestart, k.id)
	}
	if err := k.do(ctx, true, func(context.Context) error {
		if k.kind == Filter {
			k.leave()
		}
		return k.remove("the configuration has it no more")
	}); err != nil {
		return err
	}
	<-k.done
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepers = slices.DeleteFunc(s.keepers, func(other *keeper) bool { return other == k })
	return nil
}

// Quiesce drains and ends the talk and filter plugins, within 3 s: what they write last still reaches the store. Nothing can be
// started any more.
func (s *Set) Quiesce() { s.end(func(k *keeper) bool { return k.kind != Store }) }

// Close ends all plugins, within 4 s, and waits for them. Calling it twice is harmless.
func (s *Set) Close() error {
	s.Quiesce()
	s.end(func(*keeper) bool { return true })
	return nil
}

func (s *Set) end(which func(*keeper) bool) {
	s.mu.Lock()
	s.closed = true
	running := s.running
	keepers := slices.Clone(s.keepers)
	s.mu.Unlock()
	keepers = slices.DeleteFunc(keepers, func(k *keeper) bool { return !which(k) })
	for _, k := range keepers {
		k.cancel()
	}
	for _, k := range keepers {
		if running {
			<-k.done
		}
	}
}

// Event is a change of a plugin's state.
type Event struct {
	ID       string // "talk.echo"
	From, To State
	Reason   string
	At       time.Time
}
