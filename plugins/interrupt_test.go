//go:build unix

package plugins

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// slowly is a plugin that takes a while to be configured.
func slowly(t *testing.T, name string) Block {
	return block(t, name, "slow in configure")
}

// starting adds a plugin and waits until it is configured.
func (r *rig) starting(b Block) {
	r.t.Helper()
	if err := r.set.add(defaulted(b)); err != nil {
		r.t.Fatal(err)
	}
	r.awaitState(b.Name, Configuring)
}

func patient(c *Config) { c.timing.configure = 10 * time.Second }

// A command whose caller has gone already leaves a start alone.
func TestCommandWithoutCaller(t *testing.T) {
	r := newRig(t, patient)
	r.starting(slowly(t, "p"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, f := range map[string]func() error{
		"restart": func() error { return r.set.Restart(ctx, "p") },
		"disable": func() error { return r.set.Disable(ctx, "p") },
		"replace": func() error { return r.set.Replace(ctx, slowly(t, "p")) },
	} {
		if err := f(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st := r.awaitState("p", Running); st.Restarts > 0 || st.Transitions[Stopped] > 0 {
		t.Errorf("%d restarts, stopped %d times", st.Restarts, st.Transitions[Stopped])
	}
}

// When the caller leaves after its command has ended a start, the plugin is started again.
func TestCommandIsWithdrawn(t *testing.T) {
	r := newRig(t, patient)
	r.starting(slowly(t, "p"))
	k, err := r.set.find("p")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	busy := make(chan struct{})
	first := make(chan error, 1)
	go func() { // ends the start, and holds up the goroutine until the second command is withdrawn
		first <- k.do(t.Context(), true, func(context.Context) error { close(busy); <-ctx.Done(); return nil })
	}()
	<-busy
	second := make(chan error, 1)
	go func() { second <- k.do(ctx, true, func(context.Context) error { return nil }) }()
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		k.mu.Lock()
		waiting := k.waiting
		k.mu.Unlock()
		if waiting > 0 {
			break
		}
	}
	cancel()
	if err := <-first; err != nil {
		t.Error("first command:", err)
	}
	<-second // whether it was taken at the last moment is nobody's business
	r.awaitState("p", Running)
}

// A new version that is refused does not take the place of one that was being started.
func TestRefusedInPlaceOfAStart(t *testing.T) {
	r := newRig(t, patient)
	r.starting(slowly(t, "p"))
	err := r.set.Replace(t.Context(), block(t, "p", "other version"))
	if err == nil || !strings.Contains(err.Error(), "another protocol version") {
		t.Errorf("replaced by one that is refused: %v", err)
	}
	r.awaitState("p", Running)
	if answer, _ := r.talk("p", "hello"); answer != "hello" {
		t.Errorf("answer %q", answer)
	}
}
