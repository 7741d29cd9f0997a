package admin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
)

// A reload is shown to who asked, in the status and as an event; a second one does not begin meanwhile.
func TestReload(t *testing.T) {
	begun, end := make(chan bool), make(chan bool)
	r := newRig(t, func(c *Config) {
		c.Reload = func(context.Context) (v ReloadResult, err error) {
			begun <- true
			<-end
			v.Changed = []string{"log_level"}
			v.Refuse("config.hcl:3:1", hint.New("no such key", "did you mean listen?"))
			return v, nil
		}
	})
	type reply struct {
		result any
		err    error
	}
	first := make(chan reply, 1)
	go func() {
		result, err := r.call("host_reload", `[]`)
		first <- reply{result, err}
	}()
	<-begun
	if _, err := r.call("host_reload", `[]`); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("a second reload: %v", err)
	}
	close(end)
	got := <-first
	if got.err != nil {
		t.Fatal(got.err)
	}
	refused := got.result.(object)["refused"].([]any)
	if len(refused) != 1 || refused[0].(object)["hint"] != "did you mean listen?" || len(got.result.(object)["restart"].([]any)) != 0 {
		t.Errorf("%v", got.result)
	}
	var status Status
	if err := r.client.Get(t.Context(), "/v1/status", &status); err != nil || status.Reload == nil || status.Reload.Outcome() != "refused" {
		t.Errorf("%+v %v", status.Reload, err)
	}
	seen := errors.New("seen")
	_, err := r.client.Events(t.Context(), r.server.cfg.Feed.id(0), []string{ConfigReloaded}, func(_ string, e Event) error {
		if e.To != "refused" || e.Detail != "changed log_level; refused config.hcl:3:1: no such key" {
			t.Errorf("%+v", e)
		}
		return seen
	})
	if err != seen {
		t.Error(err)
	}
}

// A reload ends with the server, not with who asked for it.
func TestReloadEndsWithTheServer(t *testing.T) {
	begun, ended := make(chan bool), make(chan error, 1)
	r := newRig(t, func(c *Config) {
		c.Reload = func(ctx context.Context) (ReloadResult, error) {
			begun <- true
			<-ctx.Done()
			ended <- ctx.Err()
			return ReloadResult{}, ctx.Err()
		}
	})
	ctx, leave := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() { asked <- r.client.Call(ctx, "host_reload", nil, nil) }()
	<-begun
	leave()
	<-asked
	select {
	case <-ended:
		t.Error("the reload ends with its client")
	default:
	}
	if err := r.server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What a host does not have is an error that says so.
func TestUnsupported(t *testing.T) {
	r := newRig(t, nil)
	for method, params := range map[string]string{"host_reload": `[]`, "host_logLevel": `[]`, "host_nodes": `["a"]`, "host_lookup": quoted(strings.Repeat("11", 32), "a")} {
		_, err := r.call(method, params)
		if e, ok := errors.AsType[*Error](err); !ok || e.Data == nil || e.Data.Reason != "unsupported" {
			t.Errorf("%s: %v", method, err)
		}
	}
	if _, err := r.call("host_logLevel", `["debug"]`); err == nil {
		t.Error("a level is set")
	}
}

func TestLogLevel(t *testing.T) {
	level := "info"
	r := newRig(t, func(c *Config) {
		c.LogLevel = func() string { return level }
		c.SetLogLevel = func(to string) error {
			if to != "debug" {
				return hint.New("no level", "use debug")
			}
			level = to
			return nil
		}
	})
	if got := r.mustCall("host_logLevel", `[]`).(object); got["level"] != "info" {
		t.Error(got)
	}
	if got := r.mustCall("host_logLevel", `["debug"]`).(object); got["level"] != "debug" {
		t.Error(got)
	}
	if _, err := r.call("host_logLevel", `["loud"]`); hint.Of(err) != "use debug" {
		t.Error(err)
	}
}

func TestReloadResult(t *testing.T) {
	v := ReloadResult{}
	for i, change := range []func(){
		func() {},
		func() { v.Changed = []string{"a", "talk.b"} },
		func() { v.Restart = []string{"listen"} },
		func() { v.Refuse("store.c", errors.New("no")) },
	} {
		change()
		want := []string{"nothing changed", "changed a, talk.b", "changed a, talk.b; needs a restart: listen", "changed a, talk.b; needs a restart: listen; refused store.c: no"}[i]
		if v.Outcome() != Outcomes()[i] || v.String() != want {
			t.Errorf("%s: %s", v.Outcome(), v.String())
		}
	}
	v.Refuse("x", errors.New(strings.Repeat("y", 2*maxDetail)))
	f := NewFeed()
	f.Reloaded(v)
	events, _, _ := f.after(nil, 0, 1)
	if e := events[0].event(); len(e.Detail) > maxDetail+len("…") || time.Since(e.Time) > time.Minute {
		t.Errorf("%d bytes at %v", len(e.Detail), e.Time)
	}
}
