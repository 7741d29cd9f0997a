package admin

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/plugins"
	"github.com/ethereum/go-ethereum/p2p/enode"
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
	err := r.client.Events(t.Context(), r.server.cfg.Feed.id(0), []string{ConfigReloaded}, func(_ string, e Event) error {
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

func TestPluginMethods(t *testing.T) {
	r := newRig(t, nil)
	if got := r.mustCall("host_pluginReload", `["echo"]`).(object)["changed"].([]any); len(got) != 1 || got[0] != "talk.echo" || r.plugins.calls[0] != "restart" {
		t.Errorf("%v, calls %v", got, r.plugins.calls)
	}
	if got := r.mustCall("host_plugin", `["echo"]`).(object)["id"]; got != "talk.echo" {
		t.Error(got)
	}
	logs := r.mustCall("host_pluginLogs", `["echo", 2]`).(object)
	if lines := logs["lines"].([]any); len(lines) != 2 || lines[1] != "three" || logs["mostLines"] != 20.0 || logs["lastExit"].(object)["reason"] != "exit status 1" {
		t.Errorf("%v", logs)
	}
	for method, params := range map[string]string{"host_pluginLogs": `["echo", 0]`, "host_plugin": `["ecko"]`, "host_pluginReload": `["x"]`} {
		if _, err := r.call(method, params); err == nil {
			t.Errorf("%s %s succeeds", method, params)
		}
	}
	own := newRig(t, func(c *Config) {
		c.ReloadPlugin = func(_ context.Context, id string) (ReloadResult, error) {
			return ReloadResult{Unchanged: []string{id}}, nil
		}
	})
	if got := own.mustCall("host_pluginReload", `["echo"]`).(object)["unchanged"].([]any); len(got) != 1 || got[0] != "talk.echo" {
		t.Error(got)
	}
}

// Nodes are filtered by an expression, on the path and by the methods.
func TestNodeFilter(t *testing.T) {
	var chosen enode.ID
	r := newRig(t, func(c *Config) {
		c.Compile = func(text string) (func(*enode.Node) bool, error) {
			if text != "chosen" {
				return nil, hint.New("1:1: what is that", "write chosen")
			}
			return func(n *enode.Node) bool { return n.ID() == chosen }, nil
		}
	})
	for range 3 {
		peer := newNode(t)
		r.mustCall("discv5_addEnr", quoted(peer.Self().String()))
		chosen = peer.ID()
	}
	var page NodesView
	if err := r.client.Get(t.Context(), "/v1/nodes?filter=chosen&limit=1", &page); err != nil || len(page.Nodes) != 1 || page.Nodes[0].NodeID != hexID(chosen) || page.Next != "" {
		t.Errorf("%v %v", page, err)
	}
	if got := r.mustCall("host_nodes", `{"filter": "chosen", "limit": 10}`).(object)["nodes"].([]any); len(got) != 1 {
		t.Error(got)
	}
	if got := r.mustCall("host_nodes", `{"limit": 2}`).(object); len(got["nodes"].([]any)) != 2 || got["next"] == nil {
		t.Error(got)
	}
	if got := r.mustCall("host_nodes", `{"verified": true}`).(object)["nodes"].([]any); len(got) != 0 {
		t.Errorf("%v are verified", got)
	}
	found := r.mustCall("host_lookup", `["`+chosen.String()+`", "chosen"]`).(object)["nodes"].([]any)
	if len(found) != 1 || found[0].(object)["logDistance"] != 0.0 {
		t.Error(found)
	}
	for _, query := range []string{"filter=x", "verified=x", "filter=" + url.QueryEscape(strings.Repeat("(", maxFilter+1))} {
		if err := r.client.Get(t.Context(), "/v1/nodes?"+query, &page); err == nil {
			t.Errorf("%.40s is answered", query)
		} else if query == "filter=x" && (err.Error() != "filter: 1:1: what is that" || hint.Of(err) != "write chosen") {
			t.Errorf("%v, hint %s", err, hint.Of(err))
		}
	}
	if _, err := r.call("host_nodes", `["x"]`); err == nil || !strings.Contains(err.Error(), "1:1") {
		t.Error(err)
	}
}

// A data folder with a long path has its socket elsewhere, where host and commands look for it alike.
func TestLongDataDir(t *testing.T) {
	temp := shortDir(t)
	t.Setenv("TMPDIR", temp)
	long := filepath.Join(temp, strings.Repeat("x", 90))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(temp)
	path := SocketPath(long)
	if other := SocketPath(filepath.Base(long)); other != path {
		t.Errorf("%s from within, %s from elsewhere", other, path)
	}
	if other := SocketPath(long + "y"); other == path {
		t.Error("two data folders have one socket")
	}
	if short := filepath.Join(temp, "data"); SocketPath(short) != filepath.Join(short, SocketName) {
		t.Errorf("%s", SocketPath(short))
	}
	r := newRig(t, func(c *Config) { c.Socket = filepath.Join(long, SocketName) })
	if r.server.Socket() != path {
		t.Errorf("the socket is %s, want %s", r.server.Socket(), path)
	}
	client, err := Dial(filepath.Join(long, SocketName), "")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Call(t.Context(), "host_bans", nil, nil); err != nil {
		t.Error(err)
	}
	client.Close()
	if err := r.server.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "this user alone") {
		t.Errorf("a folder that others may use: %v", err)
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
	events, _, _ := f.after(nil, 0)
	if e := events[0].event(); len(e.Detail) > maxDetail+len("…") || time.Since(e.Time) > time.Minute {
		t.Errorf("%d bytes at %v", len(e.Detail), e.Time)
	}
}

// Methods that are not ours go to plugins, and come back as plugins answer.
func TestMethodsOfPlugins(t *testing.T) {
	r := newRig(t, nil)
	if got := r.mustCall("echo_count", `{"of": [1]}`).(object)["of"]; len(got.([]any)) != 1 {
		t.Error(got)
	}
	var listed []string
	for _, m := range r.mustCall("host_methods", `[]`).([]any) {
		if m := m.(object); m["plugin"] != nil {
			listed = append(listed, m["name"].(string)+" "+m["params"].(string)+" "+m["plugin"].(string))
		}
	}
	if len(listed) != 1 || listed[0] != "echo_count [of?] talk.echo" {
		t.Errorf("%q", listed)
	}
	for method, want := range map[string]Error{
		"echo_refuse": {-39001, "content not found", &ErrorData{Other: []byte(`[1,{"trace":null}]`)}},
		"echo_down":   {CodeUnavailable, plugins.ErrUnavailable.Error(), &ErrorData{Reason: "unavailable"}},
		"echo_busy":   {CodeLimit, plugins.ErrBusy.Error(), &ErrorData{Reason: "busy", Hint: "try again later"}},
		"echo_panic":  {CodeInternal, "an internal error, which is in the log of the host", nil},
		"echo_coutn":  {CodeNoMethod, `there is no method "echo_coutn"`, &ErrorData{Reason: "unknown_method", Hint: "did you mean echo_count?"}},
		"host_count":  {CodeNoMethod, `there is no method "host_count"`, &ErrorData{Reason: "unknown_method", Hint: "did you mean host_plugin?"}},
	} {
		_, err := r.call(method, `[]`)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != want.Code || e.Message != want.Message || (e.Data == nil) != (want.Data == nil) {
			t.Errorf("%s: %#v", method, err)
			continue
		}
		if e.Data != nil && method != "host_count" && (e.Data.Reason != want.Data.Reason || e.Data.Hint != want.Data.Hint || string(e.Data.Other) != string(want.Data.Other)) {
			t.Errorf("%s: %+v", method, e.Data)
		}
	}
	without := newRig(t, func(c *Config) { c.Plugins = nil })
	if _, err := without.call("echo_count", `[]`); err == nil {
		t.Error("a method of no plugin is called")
	}
}
