package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/discv5/host/plugins/internal/link"
)

// MethodError is what a method of a plugin says in place of a result. Its text is safe to show.
type MethodError = link.MethodError

// Method is a method that a plugin serves.
type Method struct {
	Name    string   // as it is called: "echo_count", the label of the plugin's block and the plugin's own name of the method
	Plugin  string   // "talk.echo"
	Params  []string // the names of what it takes; a question mark behind one: it may be left out
	Summary string   // safe to show
}

// Methods returns what plugins serve at present, in the order of the configuration. Of two plugins with the same label the first has a
// method that both serve.
func (s *Set) Methods() (all []Method) {
	seen := make(map[string]bool)
	for _, k := range s.all() {
		in := k.current()
		if in == nil || in.methods == nil {
			continue
		}
		for _, m := range in.methods.List() {
			name := k.label() + "_" + m.Name
			if seen[name] {
				continue
			}
			seen[name] = true
			all = append(all, Method{Name: name, Plugin: k.id, Params: m.Params, Summary: m.Summary})
		}
	}
	return all
}

// label is the name of the block, which does not change.
func (k *keeper) label() string {
	_, label, _ := strings.Cut(k.id, ".")
	return label
}

// Call calls a method by its full name with a list or an object as JSON, or nothing, 1 MiB at most, and returns its result, which is
// valid JSON of at most 1 MiB. It ends with ctx, and after 30 s at the latest. A plugin may have 16 calls open. A *MethodError is what the method says;
// ErrNoMethod says that no plugin serves it at present, ErrBusy that the plugin has too many open calls, ErrUnavailable that
// the plugin did not answer as it should.
func (s *Set) Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	if err := s.runs(); err != nil {
		return nil, err
	}
	i := strings.LastIndexByte(method, '_') // labels may have one, names of methods have none
	if i < 0 {
		return nil, fmt.Errorf("%w: %q", ErrNoMethod, method)
	}
	label, name := method[:i], method[i+1:]
	err := fmt.Errorf("%w: %q", ErrNoMethod, method)
	for _, k := range s.all() {
		if k.label() != label {
			continue
		}
		in := k.current()
		if in == nil {
			err = fmt.Errorf("%w: %s", ErrUnavailable, k.id)
			continue
		}
		if in.methods == nil || !in.methods.has(name) {
			continue
		}
		if !in.methods.enter() {
			return nil, fmt.Errorf("%w: %s is being drained", ErrUnavailable, k.id)
		}
		defer in.methods.calls.Done()
		result, err := in.methods.Call(ctx, name, params)
		return result, methodFailure(k.id, err)
	}
	return nil, err
}

// methods are those of an incarnation.
type methods struct {
	*link.Methods

	mu       sync.Mutex // a leaf
	draining bool
	calls    sync.WaitGroup // that are open
}

func (m *methods) has(name string) bool {
	return slices.ContainsFunc(m.List(), func(x link.Method) bool { return x.Name == name })
}

// enter begins a call, unless the drain has begun.
func (m *methods) enter() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.draining {
		m.calls.Add(1)
	}
	return !m.draining
}

// drain waits until the calls have returned, or until ctx ends. None begins any more.
func (m *methods) drain(ctx context.Context) {
	m.mu.Lock()
	m.draining = true
	m.mu.Unlock()
	done := make(chan struct{})
	go func() { m.calls.Wait(); close(done) }() // the calls end with the connection at the latest
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// methodFailure is an error of a call in the terms of this package.
func methodFailure(id string, err error) error {
	if err == nil {
		return nil
	}
	if _, said := errors.AsType[*MethodError](err); said {
		return err
	}
	reason := ErrUnavailable
	switch {
	case errors.Is(err, link.ErrBusy):
		reason = ErrBusy
	case errors.Is(err, context.DeadlineExceeded):
		reason = context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		reason = context.Canceled
	}
	return fmt.Errorf("%w: %s: %w", reason, id, err)
}
